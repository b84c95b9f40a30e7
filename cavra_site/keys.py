"""The signing key: a file only its owner can read."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

_BYTES = 64


def read(path: Path) -> str:
    """The key, or an empty string where there is none yet: Django then refuses whatever would sign with it."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def ensure(path: Path) -> None:
    """Make the key unless there is one. Safe to call from several processes at once: the first one's key stays."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Readable by its owner only: so mkstemp makes it.
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails where another process was first, and never shows a half-written key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
