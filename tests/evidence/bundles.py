"""Evidence bundles out of Python lists, made by the format's document and not by the product's exporter."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "cavra-rollback-audit/1f2e3d4c5b6a7988"


class Signer(NamedTuple):
    """A key that signs checkpoints, drawn from a seed so that every run draws the same."""

    seed: bytes
    origin: str = ORIGIN

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.seed).digest())

    @property
    def _encoded(self) -> bytes:
        return b"\x01" + self._private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n" + self._encoded).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.origin}+{self.key_id.hex()}+{base64.b64encode(self._encoded).decode()}"

    def line(self, text: str) -> str:
        signed = self.key_id + self._private.sign(text.encode())
        return f"\u2014 {self.origin} {base64.b64encode(signed).decode()}\n"


KEY = Signer(b"first")


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def note(leaves: Sequence[bytes], *signers: Signer, origin: str = ORIGIN) -> str:
    """A signed checkpoint over these leaves."""
    text = f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
    return text + "\n" + "".join(signer.line(text) for signer in signers or (KEY,))


def entry_line(index: int, entry: bytes) -> bytes:
    return b"entry %d %s %s\n" % (index, base64.b64encode(leaf(entry)), entry)


def node_line(index: int, level: int, leaves: Sequence[bytes]) -> bytes:
    return b"node %d %d %s\n" % (index, level, base64.b64encode(root(leaves[index : index + (1 << level)])))


def tiles(entries: Sequence[bytes], *, shown: Iterable[int], cuts: Iterable[int]) -> list[bytes]:
    """The lines of ledger.txt: entries where shown, the largest subtrees that fit everywhere else."""
    leaves = [leaf(entry) for entry in entries]
    kept, stops = set(shown), sorted({*cuts, len(entries)})
    lines, at = [], 0
    while at < len(entries):
        if at in kept:
            lines.append(entry_line(at, entries[at]))
            at += 1
            continue
        end = min(stop for stop in [*stops, *kept] if stop > at)
        level = 0
        while at % (2 << level) == 0 and at + (2 << level) <= end:
            level += 1
        lines.append(node_line(at, level, leaves))
        at += 1 << level
    return lines


class Parts(NamedTuple):
    """What a bundle is made of, before it is packed: change what you like."""

    lines: list[bytes]
    notes: list[str]
    keys: list[str]
    claims: dict[str, Any]

    def pack(self, path: Path) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("README.txt", "An evidence bundle.\n")
            bundle.writestr("bundle.json", json.dumps(self.claims))
            bundle.writestr("ledger.txt", b"".join(self.lines))
            bundle.writestr("checkpoints.txt", "".join(f"{note}\n" for note in self.notes))
            bundle.writestr("keys.txt", "".join(f"{key}\n" for key in self.keys))
            bundle.writestr("verify_evidence.py", "")
        return path


def build(
    entries: Sequence[bytes],
    *,
    sizes: Iterable[int] = (),
    shown: Iterable[int] | None = None,
    cuts: Iterable[int] = (),
    **scope: str,
) -> Parts:
    """A bundle of these entries, with checkpoints at `sizes` and at the end. `cuts` are further tile boundaries."""
    rising = sorted({*sizes, len(entries)})
    leaves = [leaf(entry) for entry in entries]
    visible = range(len(entries)) if shown is None else sorted(shown)
    names = ("since", "audit_id", "run_id", "delivery_id", "session_id")
    claims = {
        "format": "cavra-evidence-bundle.v1",
        "origin": ORIGIN,
        "tree_size": len(entries),
        "generated_at": "2026-11-23T21:00:00+00:00",
        "entry_count": len(visible),
        "scope": {name: scope.get(name) for name in names},
    }
    lines = tiles(entries, shown=visible, cuts=[*rising, *cuts])
    return Parts(lines, [note(leaves[:size]) for size in rising], [KEY.vkey], claims)
