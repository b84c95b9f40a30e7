"""The files of the ledger's signing keys: the one in force, and the next one until its first checkpoint is signed."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from rollback_audit.errors import StateForbids
from rollback_audit.evidence.notes import NotANote, SigningKey

_NAME = "cavra-rollback-audit/"


def ensure(path: Path) -> None:
    """Draw the ledger's name and first key unless there is one."""
    if not path.exists():
        _write(path, SigningKey.draw(_NAME + secrets.token_hex(8)))


def read(path: Path) -> SigningKey:
    """The key in force. Raises StateForbids (ledger_key_missing)."""
    try:
        return SigningKey.read(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        problem = "There is no ledger key on this machine; cavra migrate makes the first one."
    except (NotANote, OSError, UnicodeDecodeError):
        problem = "The ledger key's file cannot be read."
    raise StateForbids(problem, code="ledger_key_missing")


def read_next(path: Path) -> SigningKey | None:
    """The key that waits beside it, if any."""
    return read(_next(path)) if _next(path).exists() else None


def write_next(path: Path, key: SigningKey) -> None:
    """Put a new key beside the one in force. Raises StateForbids (rotation_pending) where one waits already."""
    if _next(path).exists():
        detail = "A new key waits for its first checkpoint: start a worker, or run cavra evidence checkpoint."
        raise StateForbids(detail, code="rotation_pending")
    _write(_next(path), key)


def promote_next(path: Path) -> None:
    """The next key takes the old one's place."""
    with suppress(FileNotFoundError):
        _next(path).replace(path)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _write(path: Path, key: SigningKey) -> None:
    """Readable by its owner only: so mkstemp makes it. Where another process was first, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.file_text())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
