"""The file outside the database (`CAVRA_CHECKPOINT_FILE`) that every signed checkpoint is appended to."""

import os
from collections.abc import Iterator

from django.conf import settings

from rollback_audit.evidence import notes

_TAIL_BYTES = 8192


def newest() -> str | None:
    """The newest note of the file outside the database; None where there is none."""
    try:
        with settings.CAVRA_CHECKPOINT_FILE.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return None
    # A note has one empty line, and is followed by another.
    *_, body, signatures = ["", *text.rstrip("\n").split("\n\n")]
    return f"{body}\n\n{signatures}\n" if body else None


def every() -> Iterator[str]:
    """All its notes, oldest first."""
    try:
        text = settings.CAVRA_CHECKPOINT_FILE.read_text(errors="replace")
    except FileNotFoundError:
        return
    yield from notes.split(text)


def append(note: str) -> None:
    """Append the note to the file outside the database, in one write."""
    path = settings.CAVRA_CHECKPOINT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, notes.file_text([note]).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
