"""A bundle of evidence as a zip, made while it is read (docs/evidence-format.md).

Nothing in it but the entries' bytes, hashes, checkpoints and keys: it needs no secret to be made, nor to be checked.
"""

import base64
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rollback_audit.evidence import merkle
from rollback_audit.evidence.merkle import Subtree

FORMAT = "cavra-evidence-bundle.v1"
VERIFIER = Path(__file__).with_name("verify_evidence.py")
_README = """\
Evidence of rollback audit deliveries, as it stands in a CAVRA ledger.

    ledger.txt          the entries, byte for byte, and hashes in the place of those that are not here
    checkpoints.txt     what the ledger's root was at its sizes, signed
    keys.txt            the keys that signed; compare the first with one that you were given elsewhere
    bundle.json         what was asked for
    verify_evidence.py  checks all of it; take your own copy rather than this one if you have one

Check it, on a machine with Python 3.9 or newer and its package `cryptography`, without any network:

    python -I verify_evidence.py BUNDLE.zip --key KEY --checkpoints FILE

KEY is the ledger's key as it was given to you, FILE holds checkpoints that you kept from before. It says what it finds
and what it cannot show, and ends with 0 (intact), 1 (tampered with), 2 (incomplete, or an older copy) or 3 (not a
bundle).
"""


def entry_line(index: int, leaf_hash: bytes, body: bytes) -> bytes:
    return b"entry %d %s %s\n" % (index, base64.b64encode(leaf_hash), body)


def node_line(subtree: Subtree, node_hash: bytes) -> bytes:
    return b"node %d %d %s\n" % (subtree.first, subtree.level, base64.b64encode(node_hash))


class LedgerText:
    """The lines of ledger.txt; counts the entries as they go by."""

    def __init__(
        self, entries: Iterable[tuple[bytes, bytes | None]], tiles: Iterable[merkle.Tile], hashes: merkle.Hashes
    ) -> None:
        """`entries` are the leaf hashes and bytes of the shown tiles, in their order; None for a pruned one's bytes."""
        self.entry_count = 0
        self._entries = iter(entries)
        self._tiles = tiles
        self._hashes = hashes

    def __iter__(self) -> Iterator[bytes]:
        for subtree, is_shown in self._tiles:
            if not is_shown:
                yield node_line(subtree, self._hashes(subtree))
                continue
            leaf_hash, body = next(self._entries)
            if body is None:
                yield node_line(subtree, leaf_hash)
            else:
                self.entry_count += 1
                yield entry_line(subtree.first, leaf_hash, body)


def stream(ledger: LedgerText, *, checkpoints: str, keys: str, about: Mapping[str, Any]) -> Iterator[bytes]:
    """The zip's bytes, piece by piece. `about` goes into bundle.json, with the number of entries."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(_member("README.txt"), _README)
        bundle.writestr(_member("checkpoints.txt"), checkpoints)
        bundle.writestr(_member("keys.txt"), keys)
        bundle.writestr(_member(VERIFIER.name), VERIFIER.read_bytes())
        with bundle.open(_member("ledger.txt"), "w", force_zip64=True) as member:
            for line in ledger:
                member.write(line)
                if sink.is_full:
                    yield sink.taken()
        told = {"format": FORMAT, **about, "entry_count": ledger.entry_count}
        bundle.writestr(_member("bundle.json"), json.dumps(told, indent=2) + "\n")
    yield sink.taken()


def _member(name: str) -> zipfile.ZipInfo:
    """A file of the zip, always with the same date: the same evidence gives the same bytes."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


class _Sink(io.RawIOBase):
    """Where the zip is written to: a file that only goes forward, emptied as it fills."""

    _PIECE = 1 << 16

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        return len(data)

    @property
    def is_full(self) -> bool:
        return len(self._held) >= self._PIECE

    def taken(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held
