"""The signing key: a file only its owner can read."""

import os
import secrets
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
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, not a rename: it fails where another process was first, and never shows a half-written key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
