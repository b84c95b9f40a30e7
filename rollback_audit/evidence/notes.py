"""Checkpoints as signed notes (C2SP tlog-checkpoint and signed-note, Ed25519), and the files that hold them.

A key's name is the ledger's. It stays when the key is rotated; the key's id, drawn from name and key, does not.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_ID_BYTES, _KEY_BYTES, _ROOT_BYTES = 4, 32, 32
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[!-*,-~]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NotANote(ValueError):
    """The text is not what it should be. Never repeats it."""


class PublicKey(NamedTuple):
    """Who may sign: the ledger's name and a key."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The verifier key line (vkey) that people hand to each other."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.key)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """A vkey line. Raises NotANote."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        found = cls(_checked_name(name), _key_bytes(encoded))
        if found.key_id.hex() != key_id:
            raise NotANote("the key's id does not fit its name and key")
        return found


class SigningKey(NamedTuple):
    """A private key. Never logged, shown or stored but in its own file."""

    name: str
    seed: bytes

    @classmethod
    def draw(cls, name: str) -> Self:
        return cls(_checked_name(name), Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self._private().public_key().public_bytes_raw())

    def file_text(self) -> str:
        """What the key's file holds."""
        return f"{_PRIVATE}{self.name}+{self.public.key_id.hex()}+{_base64(_ED25519 + self.seed)}\n"

    @classmethod
    def read(cls, text: str) -> Self:
        """The text of a key's file. Raises NotANote."""
        if not text.startswith(_PRIVATE):
            raise NotANote("not a signing key")
        name, _, rest = text.removeprefix(_PRIVATE).strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        found = cls(_checked_name(name), _key_bytes(encoded))
        if found.public.key_id.hex() != key_id:
            raise NotANote("the key's id does not fit its name and key")
        return found

    def signature_line(self, text: str) -> str:
        signed = self.public.key_id + self._private().sign(text.encode())
        return f"\u2014 {self.name} {_base64(signed)}\n"

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def __repr__(self) -> str:
        return f"SigningKey({self.name!r})"


class Checkpoint(NamedTuple):
    """What a note says: so many entries have this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


class Note(NamedTuple):
    """A checkpoint with its signatures, each by the id of the key that is said to have made it."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[bytes, bytes], ...]

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether one of the signatures is this key's and fits."""
        public = Ed25519PublicKey.from_public_bytes(key.key)
        text = self.checkpoint.text().encode()
        return key.name == self.checkpoint.origin and any(
            _fits(public, signature, text) for key_id, signature in self.signatures if key_id == key.key_id
        )


def sign(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> str:
    """The note's text, signed by each key in turn."""
    text = checkpoint.text()
    return f"{text}\n{''.join(key.signature_line(text) for key in keys)}"


def read(note: str) -> Note:
    """A note's text. Raises NotANote; the signatures are not looked at."""
    text, _, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if len(lines) != 3 or not _SIZE.fullmatch(lines[1]) or not signatures.endswith("\n"):  # noqa: PLR2004
        raise NotANote("not a checkpoint")
    checkpoint = Checkpoint(_checked_name(lines[0]), int(lines[1]), _exactly(lines[2], _ROOT_BYTES))
    return Note(checkpoint, tuple(_signature(line, lines[0]) for line in signatures[:-1].split("\n")))


def file_text(notes: Iterable[str]) -> str:
    """Several notes in one file: each is followed by an empty line."""
    return "".join(f"{note}\n" for note in notes)


def split(text: str) -> Iterator[str]:
    """The notes of a file, or a note alone, as they were signed. What is no note is for `read` to refuse."""
    parts = text.strip("\n").split("\n\n") if text.strip("\n") else []
    for body, signatures in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        yield f"{body}\n\n{signatures}\n"


def _signature(line: str, origin: str) -> tuple[bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signed = _bytes(encoded)
    if dash != "\u2014" or name != origin or len(signed) <= _ID_BYTES:
        raise NotANote("not a signature line")
    return signed[:_ID_BYTES], signed[_ID_BYTES:]


def _fits(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotANote("not a name")
    return name


def _key_bytes(encoded: str) -> bytes:
    key = _exactly(encoded, len(_ED25519) + _KEY_BYTES)
    if not key.startswith(_ED25519):
        raise NotANote("not an Ed25519 key")
    return key[len(_ED25519) :]


def _exactly(encoded: str, length: int) -> bytes:
    value = _bytes(encoded)
    if len(value) != length:
        raise NotANote("not of the length it should have")
    return value


def _bytes(encoded: str) -> bytes:
    try:
        value = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NotANote("not base64") from None
    # Letters before the padding may hold bits that no byte has: one signature would fit several texts.
    if _base64(value) != encoded:
        raise NotANote("not the one spelling that base64 has for it")
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
