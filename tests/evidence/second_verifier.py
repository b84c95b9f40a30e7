"""A second verifier of evidence bundles, written from docs/evidence-format.md alone.

It holds everything in memory and reads like the page, section by section; where it and verify_evidence.py differ, one
of the two, or the page, is wrong. It says what it found as kinds and indices, not as sentences.
"""

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

A = "go-backend-rollback-drill-acknowledgement-audit-delivery"
ON_THE_WIRE = timedelta(minutes=10)
FILES = ("bundle.json", "checkpoints.txt", "keys.txt", "ledger.txt")
MOST_BYTES = 4 << 20
NUMBER = "(0|[1-9][0-9]{0,17})"
BASE64 = "([A-Za-z0-9+/]+={0,2})"
TEXT = re.compile(rf"([^\s+]+)\n{NUMBER}\n{BASE64}\n")
SIGNATURE = re.compile(rf"— ([^\s+]+) {BASE64}")
VKEY = re.compile(rf"([^\s+]+)\+([0-9a-f]{{8}})\+{BASE64}")
ENTRY = re.compile(rf"entry {NUMBER} ([^ ]*) (.*)".encode(), re.DOTALL)
NODE = re.compile(rf"node {NUMBER} {NUMBER} {BASE64}".encode())
OUTCOMES = {"confirmed", "not_sent", "refused", "answered_5xx", "unknown"}
COUNTS = ("delivered_count", "failed_count", "skipped_count", "unknown_count", "remaining_count")
STATUSES = ("delivered", "failed", "skipped", "unknown")

Kind = Literal["tampered", "incomplete", "rolled back"]


@dataclass(frozen=True)
class Finding:
    """One finding, about the indices from `first` to `last`; None where it is about none.

    One that is said `again` names what an earlier entry has missed already; a verifier may leave it out.
    """

    kind: Kind
    first: int | None = None
    last: int | None = None
    again: bool = False


def tampered(index: int) -> Finding:
    return Finding("tampered", index, index)


@dataclass(frozen=True)
class Verdict:
    exit_code: int
    findings: tuple[Finding, ...] = ()


class Misuse(Exception):
    """Not a bundle, or arguments that make no sense."""


class Broken(Exception):
    """A key or a checkpoint is not what the page says it is."""


class Malformed(Exception):
    """A field is not what the page says it is."""


def verify(path: Path, *, keys: Iterable[str] = (), checkpoints: Iterable[Path] = ()) -> Verdict:
    """What the bundle at `path` proves, with verifier keys and files of checkpoints from elsewhere."""
    try:
        given = [Key.read(word) for key in keys for word in words_of(key)]
        kept = [note for path_of_notes in checkpoints for note in kept_notes(path_of_notes)]
        found = _verify(path, given, sorted(kept, key=lambda note: note.size))
    except (Misuse, Broken):
        return Verdict(3)
    kinds = {finding.kind for finding in found}
    return Verdict(1 if "tampered" in kinds else 2 if kinds else 0, tuple(found))


def _verify(path: Path, given_keys: list["Key"], given: list["Note"]) -> list[Finding]:
    files = read_files(path)
    try:
        bundle = Bundle.read(files)
    except Broken:
        return [Finding("tampered")]
    tree, found = read_tree(bundle.ledger, bundle.head.size)
    trusted, bad = walk_checkpoints(bundle, tree, given_keys, {one.first for one in found})
    found = found + bad or claims(bundle, tree)
    if found:
        return found
    return given_checkpoints(bundle, tree, trusted, given) + Replay(tree, bundle.scope).findings()


def words_of(key: str) -> list[str]:
    """The verifier keys in a file of that name, or the key itself."""
    return (Path(key).read_text("utf-8") if Path(key).is_file() else key).split()


def kept_notes(path: Path) -> list["Note"]:
    """Whoever keeps a note may have left out the empty line after it."""
    return read_notes(path.read_bytes().rstrip(b"\n") + b"\n\n")


# -- Bytes -----------------------------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unbase64(text: str | bytes) -> bytes:
    """The bytes; Malformed when another text would stand for them too."""
    written = text.encode() if isinstance(text, str) else text
    try:
        data = base64.b64decode(written, validate=True)
    except binascii.Error:
        raise Malformed from None
    if base64.b64encode(data) != written:
        raise Malformed
    return data


def unhash(text: str | bytes) -> bytes:
    data = unbase64(text)
    if len(data) != 32:
        raise Malformed
    return data


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def refuse_constant(word: str) -> None:
    raise ValueError(word)


def parse(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise Malformed from None


# -- Keys and checkpoints --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    origin: str
    id: bytes
    public: bytes

    @classmethod
    def read(cls, vkey: str) -> "Key":
        """Broken when it is no verifier key."""
        match = VKEY.fullmatch(vkey)
        try:
            blob = unbase64(match[3]) if match else b""
        except Malformed:
            blob = b""
        if match is None or len(blob) != 33 or blob[0] != 1:
            raise Broken
        key_id = sha256(match[1].encode() + b"\n" + blob)[:4]
        if key_id.hex() != match[2]:
            raise Broken
        return cls(match[1], key_id, blob[1:])

    def signed(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Note:
    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[bytes, bytes], ...]
    """Key id and signature."""

    @classmethod
    def read(cls, text: str, signatures: list[str]) -> "Note":
        match = TEXT.fullmatch(text)
        if match is None or not 1 <= len(signatures) <= 16:
            raise Broken
        try:
            blobs = [signature_of(line, match[1]) for line in signatures]
            root = unhash(match[3])
        except Malformed:
            raise Broken from None
        return cls(text.encode(), match[1], int(match[2]), root, tuple((blob[:4], blob[4:]) for blob in blobs))

    def properly_signed(self, trusted: set[Key], known: set[Key]) -> bool:
        by_trusted = False
        for key_id, signature in self.signatures:
            owners = {key for key in known if (key.origin, key.id) == (self.origin, key_id)}
            signers = {key for key in owners if key.signed(self.text, signature)}
            if owners and not signers:
                return False
            by_trusted = by_trusted or bool(signers & trusted)
        return by_trusted


def signature_of(line: str, origin: str) -> bytes:
    match = SIGNATURE.fullmatch(line)
    blob = unbase64(match[2]) if match else b""
    if match is None or match[1] != origin or len(blob) != 68:
        raise Malformed
    return blob


def read_notes(data: bytes) -> list[Note]:
    """Notes, each followed by one empty line."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise Broken from None
    if lines.pop() != "":
        raise Broken
    notes = []
    while lines:
        if "" not in lines[4:] or lines[3] != "":
            raise Broken
        end = lines.index("", 4)
        notes.append(Note.read("\n".join(lines[:3]) + "\n", lines[4:end]))
        lines = lines[end + 1 :]
    return notes


# -- The files -------------------------------------------------------------------------------------------------------


def read_files(path: Path) -> dict[str, bytes]:
    """The files that are read, by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len({info.filename for info in infos}) != len(infos):
                raise Misuse
            if any(info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for info in infos):
                raise Misuse
            return {name: archive.read(name) for name in FILES}
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        raise Misuse from None


@dataclass(frozen=True)
class Bundle:
    ledger: bytes
    notes: list[Note]
    keys: list[Key]
    claims: dict[str, Any]

    @property
    def head(self) -> Note:
        return self.notes[-1]

    @property
    def scope(self) -> dict[str, Any]:
        return dict(self.claims["scope"])

    @classmethod
    def read(cls, files: dict[str, bytes]) -> "Bundle":
        """Misuse where it is no bundle; Broken where its parts do not go together."""
        try:
            claimed = parse(files["bundle.json"])
        except Malformed:
            raise Misuse from None
        if not isinstance(claimed, dict) or claimed.get("format") != "cavra-evidence-bundle.v1":
            raise Misuse
        if not isinstance(claimed.get("scope"), dict):
            raise Misuse
        notes = read_notes(files["checkpoints.txt"])
        try:
            *vkeys, rest = files["keys.txt"].decode().split("\n")
        except UnicodeDecodeError:
            raise Broken from None
        sizes = [note.size for note in notes]
        if not notes or sizes != sorted(sizes) or not vkeys or rest:
            raise Broken
        if {note.origin for note in notes} != {claimed.get("origin")}:
            raise Broken
        return cls(files["ledger.txt"], notes, [Key.read(vkey) for vkey in vkeys], claimed)


# -- The tree --------------------------------------------------------------------------------------------------------


@dataclass
class Tree:
    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """By first index and end."""
    entries: dict[int, bytes] = field(default_factory=dict)
    nodes: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0

    def root(self, size: int) -> bytes | None:
        """The tree's root over the first `size` leaves; None when no tile ends there."""
        hashes = self.hashes

        @cache
        def mth(first: int, end: int) -> bytes | None:
            if (first, end) in hashes:
                return hashes[first, end]
            if end - first < 2:
                return None
            middle = first + 2 ** ((end - first - 1).bit_length() - 1)
            left, right = mth(first, middle), mth(middle, end)
            return None if left is None or right is None else sha256(b"\x01" + left + right)

        if size > self.end:
            return None
        return mth(0, size) if size else sha256(b"")

    def announced(self) -> list[tuple[int, Key]]:
        """Each announced key with the index of its announcement."""
        keys = []
        for index, data in self.entries.items():
            try:
                entry = parse(data)
                if entry["metadata_kind"] == "ledger-key":
                    keys.append((index, Key.read(entry["record"]["vkey"])))
            except (Malformed, Misuse, KeyError, TypeError):
                continue
        return keys


def read_tree(ledger: bytes, size: int) -> tuple[Tree, list[Finding]]:
    """The tree as far as its lines follow one another. An entry goes into it by what its bytes hash to."""
    tree, found = Tree(), []
    for line in io.BytesIO(ledger):
        try:
            first, end, leaf = read_tile(line)
        except Malformed:
            break
        if first != tree.end or end > size:
            break
        tree.hashes[first, end] = leaf
        tree.end = end
        entry = ENTRY.fullmatch(line[:-1])
        if entry is None:
            tree.nodes.append((first, end))
        elif entry[2] == base64.b64encode(leaf):
            tree.entries[first] = entry[3]
        else:
            found.append(tampered(first))
    else:
        if tree.end == size:
            return tree, found
    return tree, [*found, tampered(tree.end)]


def read_tile(line: bytes) -> tuple[int, int, bytes]:
    """First index, end and hash."""
    if line[-1:] != b"\n" or len(line) > MOST_BYTES:
        raise Malformed
    if match := ENTRY.fullmatch(line[:-1]):
        return int(match[1]), int(match[1]) + 1, sha256(b"\x00" + match[3])
    match = NODE.fullmatch(line[:-1])
    if match is None or int(match[2]) > 59 or int(match[1]) % 2 ** int(match[2]):
        raise Malformed
    return int(match[1]), int(match[1]) + 2 ** int(match[2]), unhash(match[3])


# -- Signatures and claims -------------------------------------------------------------------------------------------


@dataclass
class Trust:
    trusted: set[Key]
    known: set[Key]


def walk_checkpoints(
    bundle: Bundle, tree: Tree, given: list[Key], named: set[int | None]
) -> tuple[Trust, list[Finding]]:
    announced = tree.announced()
    trust = Trust(set(given or bundle.keys[:1]), set())
    trust.known = trust.trusted | set(bundle.keys) | {key for _, key in announced}
    fitting = [note for note in bundle.notes if tree.root(note.size) == note.root]
    proper = [note.size for note in fitting if note.properly_signed(trust.trusted, trust.known)]
    trust.trusted |= {key for index, key in announced if index < max(proper, default=0)}
    last = 0
    for note in bundle.notes:
        if not note.properly_signed(trust.trusted, trust.known):
            return trust, [Finding("tampered")]
        if note not in fitting:
            is_named = any(index is not None and last <= index < note.size for index in named)
            return trust, [] if is_named else [Finding("tampered", last, note.size - 1)]
        last = note.size
        trust.trusted |= {key for index, key in announced if index < last}
    return trust, []


def claims(bundle: Bundle, tree: Tree) -> list[Finding]:
    counted = (bundle.head.size, len(tree.entries))
    is_so = (bundle.claims.get("tree_size"), bundle.claims.get("entry_count")) == counted
    return [] if is_so else [Finding("tampered")]


def given_checkpoints(bundle: Bundle, tree: Tree, trust: Trust, given: list[Note]) -> list[Finding]:
    last = 0
    for note in given:
        if note.origin != bundle.head.origin or not note.properly_signed(trust.trusted, trust.known):
            raise Misuse
        if note.size > bundle.head.size:
            return [Finding("rolled back")]
        root = tree.root(note.size)
        if root is None:
            return [Finding("incomplete")]
        if root != note.root:
            return [Finding("tampered", last, note.size - 1)]
        last = note.size
    return []


# -- The form of an entry --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    index: int
    kind: str
    session_id: str
    signer: str
    created_at: datetime
    record: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.record.get(name)
        if not isinstance(value, str):
            raise Malformed
        return value

    def text_or_null(self, name: str) -> str | None:
        return None if self.record.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        return whole_number(self.record, name)

    def flag(self, name: str) -> bool:
        value = self.record.get(name)
        if not isinstance(value, bool):
            raise Malformed
        return value

    def moment(self, name: str) -> datetime:
        return moment(self.record.get(name))


def whole_number(record: object, name: str) -> int:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed
    return value


def moment(value: object) -> datetime:
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        raise Malformed from None
    if when.tzinfo is None:
        raise Malformed
    return when


def read_entry(index: int, data: bytes) -> tuple[Entry, bool]:
    """The entry, and whether it is canonical and of the schema; Malformed where it cannot be replayed."""
    value = parse(data)
    try:
        same = canonical(value) == data
    except (ValueError, RecursionError):
        same = False
    if not isinstance(value, dict):
        raise Malformed
    words = [value.get(name) for name in ("metadata_kind", "session_id", "signer")]
    record = value.get("record")
    if not all(isinstance(word, str) for word in words) or not isinstance(record, dict):
        raise Malformed
    kind, session_id, signer = (str(word) for word in words)
    entry = Entry(index, kind, session_id, signer, moment(value.get("created_at")), record)
    return entry, same and value.get("schema_version") == "cavra.evidence.metadata.v1"


# -- Meaning ---------------------------------------------------------------------------------------------------------


@dataclass
class Event:
    """What the replay remembers of one event."""

    fences: dict[int, int] = field(default_factory=dict)
    """Of every attempt whose sending was seen, or stood in for, by number."""
    newest: int = 0
    open: dict[int, Entry] = field(default_factory=dict)
    duplicates: set[int] = field(default_factory=set)
    in_doubt: bool = False


class Replay:
    """The entries' story, told again in their order."""

    def __init__(self, tree: Tree, scope: dict[str, Any]) -> None:
        self.tree = tree
        self.scope = scope
        self.whole = not tree.nodes
        self.found: list[Finding] = []
        self.missed: set[tuple[object, ...]] = set()
        self.events: defaultdict[str, Event] = defaultdict(Event)
        self.plans: dict[str, Entry] = {}
        self.approvals: list[Entry] = []
        self.used: set[str] = set()
        self.queued: dict[str, Entry] = {}
        self.sent_runs: set[str] = set()
        self.receipts: list[Entry] = []
        self.records: Counter[tuple[str, str]] = Counter()
        self.settlements: dict[str, Entry] = {}
        self.named: set[str] = set()
        self.spans: list[tuple[int, int]] = []

    def findings(self) -> list[Finding]:
        seen: set[str] = set()
        moments = []
        for index, data in self.tree.entries.items():
            try:
                entry, well_formed = read_entry(index, data)
                moments.append(entry.created_at)
                if not well_formed or entry.session_id in seen:
                    self.contradiction(index)
                if entry.session_id not in seen:
                    seen.add(entry.session_id)
                    self.replay(entry)
            except Malformed:
                self.contradiction(index)
        self.ending(max(moments, default=None))
        return self.found

    def contradiction(self, index: int, *, again: bool = False) -> None:
        self.found.append(Finding("tampered", index, index, again))

    def absence(self, index: int, *lacking: object) -> None:
        """The line `lacking` should be there; whether it was missed before is remembered."""
        if self.whole or self.scope.get("session_id") is None:
            kind: Kind = "tampered" if self.whole else "incomplete"
            self.found.append(Finding(kind, index, index, lacking in self.missed))
        self.missed.add(lacking)

    def replay(self, entry: Entry) -> None:
        reader = {
            "attempt-sending": self.sending,
            "release-connector-delivery": self.settlement,
            "late-result": self.late_result,
            "possible-duplicate": self.possible_duplicate,
            f"{A}-retry-plan": self.plan,
            f"{A}-retry-execution-approval-decision": self.approvals.append,
            "worker-run-queued": self.run_queued,
            f"{A}-worker-run": self.receipt,
            f"{A}-retry-execution-record": self.execution_record,
            "ledger-pruned": self.pruned,
        }.get(entry.kind)
        if reader is not None:
            reader(entry)

    # Rules 1 to 3.

    def sending(self, entry: Entry) -> None:
        event, number, fence = self.attempt(entry)
        entry.moment("started_at")
        if number <= event.newest or fence <= event.fences.get(event.newest, 0):
            self.contradiction(entry.index)
        if number > event.newest + 1:
            self.absence(entry.index, "sending", entry.text("event_id"), number - 1)
        if event.open.pop(event.newest, None) is not None:
            self.absence(entry.index, "settlement", entry.text("event_id"), event.newest)
        if event.in_doubt and number not in event.duplicates:
            self.absence(entry.index, "possible duplicate", entry.index)
        event.newest = number
        event.fences[number] = fence
        event.open[number] = entry
        if entry.text_or_null("run_id") is not None:
            self.live(entry)
        elif number != 1:
            self.contradiction(entry.index)

    def attempt(self, entry: Entry) -> tuple[Event, int, int]:
        return self.events[entry.text("event_id")], entry.number("attempt_number"), entry.number("fence")

    def was_sent(self, entry: Entry) -> bool:
        """Whether its sending came before. If not it stands in for the sending; a wrong fence is said."""
        event, number, fence = self.attempt(entry)
        if number not in event.fences:
            self.absence(entry.index, "sending", entry.text("event_id"), number)
            if number > event.newest:
                event.newest = number
                event.fences[number] = fence
            return False
        if fence != event.fences[number]:
            self.contradiction(entry.index)
        return True

    def settlement(self, entry: Entry) -> None:
        event, number, _ = self.attempt(entry)
        outcome = entry.text("outcome")
        if outcome not in OUTCOMES:
            raise Malformed
        if self.was_sent(entry) and number not in event.open:
            self.contradiction(entry.index)
        event.open.pop(number, None)
        self.settlements[f"{entry.text('event_id')}-{number}-settled"] = entry
        if outcome in {"unknown", "confirmed"}:
            event.in_doubt = outcome == "unknown"

    def late_result(self, entry: Entry) -> None:
        event, number, _ = self.attempt(entry)
        if self.was_sent(entry) and number in event.open:
            self.absence(entry.index, "settlement", entry.text("event_id"), number)

    def possible_duplicate(self, entry: Entry) -> None:
        self.events[entry.text("event_id")].duplicates.add(entry.number("attempt_number"))

    # Rules 4 and 5.

    def plan(self, entry: Entry) -> None:
        self.plans[entry.text("retry_plan_id")] = entry

    def approval_line(self, session_id: str) -> Entry | None:
        return next((line for line in self.approvals if line.session_id == session_id), None)

    def live(self, entry: Entry) -> None:
        run_id, decision_id = entry.text("run_id"), entry.text_or_null("approval_decision_id")
        if decision_id is None or decision_id in self.used:
            self.contradiction(entry.index)
        elif approval := self.approval_line(decision_id):
            if not fits(approval, entry) or self.overruled(approval):
                self.contradiction(entry.index)
            self.people(entry, approval)
        else:
            self.absence(entry.index, "approval", decision_id)
        if decision_id is not None:
            self.used.add(decision_id)
        if run_id not in self.queued:
            self.absence(entry.index, "run", run_id)
        elif self.queued[run_id].flag("dry_run"):
            self.contradiction(entry.index, again=run_id in self.sent_runs)
        self.sent_runs.add(run_id)

    def overruled(self, approval: Entry) -> bool:
        about = (approval.text("delivery_id"), approval.text("decision_digest"))
        return any(
            line.index > approval.index
            and not line.session_id.endswith("-second")
            and (line.text("delivery_id"), line.text("decision_digest")) == about
            for line in self.approvals
        )

    def people(self, entry: Entry, approval: Entry) -> None:
        """Who approved, who planned, and until when it holds."""
        last: Entry | None = approval
        signers = {approval.signer}
        if approval.number("approvals_needed") == 2:
            last = self.approval_line(approval.session_id + "-second")
            if last is None or last.index < approval.index:
                last = None
                self.absence(entry.index, "second approval", approval.session_id)
            elif last.signer in signers:
                self.contradiction(entry.index)
            else:
                signers.add(last.signer)
        if last is not None and last.moment("expires_at") <= entry.moment("started_at"):
            self.contradiction(entry.index)
        plan = self.plans.get(approval.text("retry_plan_id"))
        if plan is None:
            self.absence(entry.index, "plan", approval.text("retry_plan_id"))
        elif plan.signer in signers and approval.text("four_eyes") != "off":
            self.contradiction(entry.index)

    def run_queued(self, entry: Entry) -> None:
        entry.flag("dry_run")
        self.queued.setdefault(entry.text("run_id"), entry)

    # Rules 5 to 8.

    def receipt(self, entry: Entry) -> None:
        if entry.flag("dry_run") and entry.text("run_id") in self.sent_runs:
            self.contradiction(entry.index)
        summary, parts = entry.record.get("summary"), entry.record.get("receipt")
        if not isinstance(parts, list):
            raise Malformed
        whole = [whole_number(summary, name) for name in ("selected_retry_count", *COUNTS)]
        rows = [[whole_number(part, name) for name in ("selected_count", *COUNTS)] for part in parts]
        sums = [sum(column) for column in zip(*rows, strict=True)] or [0] * len(whole)
        if sums != whole or any(row[0] != sum(row[1:]) for row in [whole, *rows]):
            self.contradiction(entry.index)
        self.receipts.append(entry)

    def execution_record(self, entry: Entry) -> None:
        status = entry.text("execution_status")
        if status not in STATUSES:
            raise Malformed
        self.records[entry.text("run_id"), status] += 1
        hashed = {name: value for name, value in entry.record.items() if name != "execution_hash"}
        if sha256(canonical(hashed)).hex() != entry.text("execution_hash"):
            self.contradiction(entry.index)
        if status == "skipped":
            return
        name = entry.text_or_null("delivery_metadata_id") or ""
        settlement = self.settlements.get(name)
        if settlement is None or settlement.text_or_null("run_id") is None or name in self.named:
            self.absence(entry.index, "settlement for a record", entry.index)
            self.stand_in(name)
        else:
            said = {"confirmed": "delivered", "unknown": "unknown"}.get(settlement.text("outcome"), "failed")
            if said != status:
                self.contradiction(entry.index)
        self.named.add(name)

    def stand_in(self, name: str) -> None:
        """A record that misses a settlement stands in for it."""
        event_id, _, number = name.removesuffix("-settled").rpartition("-")
        if event_id in self.events and number.isdecimal():
            self.events[event_id].open.pop(int(number), None)

    def pruned(self, entry: Entry) -> None:
        try:
            self.spans += [(int(first), int(end)) for first, end in entry.record["spans"]]
        except (KeyError, TypeError, ValueError):
            raise Malformed from None

    # What can only be said at the end.

    def ending(self, newest: datetime | None) -> None:
        for event_id, event in self.events.items():
            for number, sent in event.open.items():
                if newest is not None and sent.moment("started_at") < newest - ON_THE_WIRE:
                    self.absence(sent.index, "settlement", event_id, number)
        for receipt in self.receipts:
            run_id, summary = receipt.text("run_id"), receipt.record["summary"]
            if not self.whole and self.scope.get("run_id") != run_id:
                continue
            if receipt.flag("dry_run") or receipt.text("state") not in {"completed", "aborted"}:
                continue
            if any(self.records[run_id, status] != summary[f"{status}_count"] for status in STATUSES):
                self.absence(receipt.index, "records", receipt.index)
        if all(value is None for value in self.scope.values()):
            hidden = [first for first, end in self.tree.nodes if end > first + 1 or not self.is_pruned(first)]
            self.found += [Finding("incomplete", first, first) for first in hidden[:1]]

    def is_pruned(self, index: int) -> bool:
        return any(first <= index < end for first, end in self.spans)


def fits(approval: Entry, sending: Entry) -> bool:
    """Whether it approves exactly what was sent."""
    same = all(approval.text(name) == sending.text(name) for name in ("delivery_id", "provider", "request_digest"))
    return same and approval.text("approval_state") == "approved"
