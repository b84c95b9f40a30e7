"""Short-lived tokens of receivers that want a sign-in first. In the memory of this process, and nowhere else."""

import threading
import time

# A token is not used so late that it could expire on its way.
SPARE_SECONDS = 60


class Tokens:
    """The token of each connector, by the digest of its settings: changed settings have none. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def find(self, digest: str) -> str | None:
        """The token, unless it is about to expire."""
        with self._lock:
            token, until = self._tokens.get(digest, (None, 0.0))
        return token if time.monotonic() < until else None

    def keep(self, digest: str, token: str, *, lasts_seconds: int) -> None:
        """Keep it until SPARE_SECONDS before it expires, and let go of those that have."""
        now = time.monotonic()
        with self._lock:
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept[1] > now}
            self._tokens[digest] = (token, now + lasts_seconds - SPARE_SECONDS)

    def forget(self, digest: str, token: str) -> None:
        """Drop a token that was refused; not one that somebody else has fetched since."""
        with self._lock:
            if self._tokens.get(digest, ("", 0.0))[0] == token:
                del self._tokens[digest]

    def clear(self) -> None:
        with self._lock:
            self._tokens.clear()


TOKENS = Tokens()
