"""Where configuration comes from: files and the environment, remembered so that a change is noticed."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollback_audit.delivery.contract import ConfigurationProblem

CONFIG_BYTES = 1_048_576
SECRET_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was when it was read; `mark` is None for one that was not there."""

    path: Path
    mark: tuple[int, int, int] | None

    @classmethod
    def of(cls, path: Path) -> "Source":
        try:
            found = path.stat()
        except OSError:
            return cls(path=path, mark=None)
        return cls(path=path, mark=(found.st_mtime_ns, found.st_size, found.st_ino))


class SourceReader:
    """Reads what a configuration names. Relative paths start at the configuration's own folder."""

    def __init__(self, *, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._seen: dict[Path, Source] = {}

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(self._seen.values())

    def content(self, path: Path, *, limit: int) -> bytes | None:
        """The file's bytes; None where it cannot be read or is longer than the limit."""
        # The mark is taken first: a file replaced while it is read is then stale, never wrongly fresh.
        self._seen.setdefault(path, Source.of(path))
        try:
            with path.open("rb") as file:
                content = file.read(limit + 1)
        except OSError:
            return None
        return content if len(content) <= limit else None

    def secret_from_env(self, name: str, *, key: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            raise ConfigurationProblem(key, "the environment variable is not set")
        return _checked(value, key=key)

    def secret_from_file(self, name: str, *, key: str) -> str:
        """The file's text without one trailing newline."""
        content = self.content(self._folder / name, limit=SECRET_BYTES)
        if content is None:
            raise ConfigurationProblem(key, "the file cannot be read, or is over 64 KiB")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise ConfigurationProblem(key, "the file is not UTF-8 text") from None
        return _checked(text.removesuffix("\n").removesuffix("\r"), key=key)

    def bundle(self, name: str, *, key: str, marker: bytes = b"CERTIFICATE") -> tuple[str, str]:
        """The path of a PEM file with what the marker names, certificates or a key, and the digest of what is in it."""
        path = self._folder / name
        content = self.content(path, limit=CONFIG_BYTES)
        if content is None or not re.search(b"-----BEGIN ([A-Z]+ )?%b-----" % marker, content):
            wanted = "certificates" if marker == b"CERTIFICATE" else "keys"
            raise ConfigurationProblem(key, f"is not a readable file of PEM {wanted}")
        return str(path), hashlib.sha256(content).hexdigest()


def _checked(value: str, *, key: str) -> str:
    if not value.strip():
        raise ConfigurationProblem(key, "the value is empty")
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationProblem(key, "the value holds control characters, or others than ASCII")
    return value
