"""Check an evidence bundle: python -I verify_evidence.py BUNDLE.zip [--key VKEY_OR_FILE]... [--checkpoints FILE]...

Without --key, a bundle that somebody else made and signed passes; without --checkpoints that you kept, nobody can tell
that the newest entries are missing. Exit codes: 0 intact, 1 tampered, 2 incomplete or rolled back, 3 misuse. One line
for each finding, then what was checked and what that cannot show. docs/evidence-format.md numbers the rules.
"""

from __future__ import annotations

import base64
import getopt
import hashlib
import json
import re
import sys
import zipfile
from bisect import bisect
from collections import Counter, namedtuple
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stdout.write("misuse: this needs the package `cryptography`\n")
    raise SystemExit(3) from None

LINE_BYTES, FILE_BYTES, KEY_LENGTH, MOST_SHOWN, MOST_TRIES = 4 << 20, 64 << 20, 44, 1000, 1000
BODY = r"(([!-*,-~]{1,200})\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n)"
NOTE = re.compile(BODY + r"\n((?:\u2014 \2 [A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=\n){1,16})\n")
NODE = re.compile(rb"node [0-9]+ ([0-9]|[1-5][0-9]) ([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n")
Note = namedtuple("Note", "text origin size root signatures")  # a signature begins with four bytes, its key's id
READER = json.JSONDecoder(parse_int=lambda digits: int(digits[:20]))  # longer ones cost time, and end up not canonical
WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
FORMAT, SCHEMA = "cavra-evidence-bundle.v1", "cavra.evidence.metadata.v1"
AUDIT = "go-backend-rollback-drill-acknowledgement-audit-delivery"
PARTS = ("delivered_count", "failed_count", "skipped_count", "unknown_count", "remaining_count")
Approval = namedtuple("Approval", "state fits word needed ends plan four_eyes signers")
APPROVAL = ("signer", "retry_plan_id", "approval_state", "four_eyes")
GIVEN_FOR = ("delivery_id", "provider", "request_digest")
ENDS, ABSENT, WRONG = {"confirmed": "delivered", "unknown": "unknown"}, True, False


class Report(NamedTuple):
    exit_code: int
    findings: list[str]  # each begins with `tampered:`, `incomplete:`, `rolled back:` or `misuse:`
    remarks: list[str]


def verify(path: str | Path, *, keys: Sequence[str] = (), checkpoints: Sequence[str | Path] = ()) -> Report:
    """Check the bundle at `path`. `keys` are vkeys or files of them, `checkpoints` files of notes. Never raises."""
    try:
        with zipfile.ZipFile(path) as bundle:
            findings, remarks = _verify(bundle, keys, checkpoints)
    except Exception as error:  # whatever a hostile file brings about must not look like another verdict
        findings, remarks = [f"misuse: not an evidence bundle, or a file cannot be read ({type(error).__name__})"], []
    words = {line.partition(":")[0] for line in findings}
    return Report(3 if "misuse" in words else 1 if "tampered" in words else 2 if words else 0, findings, remarks)


def _verify(bundle: zipfile.ZipFile, keys: Sequence[str], checkpoints: Sequence[str | Path]) -> tuple[Any, ...]:
    pinned = [line for key in keys for line in (Path(key).read_text("utf-8") if Path(key).is_file() else key).split()]
    kept = [note for name in checkpoints for note in _notes(Path(name).read_text("utf-8").rstrip("\n") + "\n\n")]
    known = {_key(vkey)[0]: vkey for vkey in pinned}
    packing = {info.filename: info.compress_type for info in bundle.infolist()}
    if len(packing) < len(bundle.infolist()) or not set(packing.values()) <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError
    small = {name: bundle.open(name).read(FILE_BYTES) for name in ("bundle.json", "checkpoints.txt", "keys.txt")}
    claims = READER.decode(small["bundle.json"].decode())
    if claims["format"] != FORMAT:
        raise ValueError
    try:
        held, listed = _notes(small["checkpoints.txt"].decode()), small["keys.txt"].decode().split()
        known.update({_key(vkey)[0]: vkey for vkey in listed})
        head, sizes, trusted = held[-1], [note.size for note in held], {*pinned} or {listed[0]}
        if sizes != sorted(sizes) or {note.origin for note in held} != {claims["origin"]}:
            raise ValueError
    except (ValueError, IndexError):
        return ["tampered: checkpoints.txt, keys.txt and bundle.json do not go together"], []
    ledger = Ledger(head.size, wanted={note.size for note in held + kept}, known=known, trusted=trusted)
    ledger.read(bundle.open("ledger.txt"))
    findings = [f"tampered: index {at}: {text}" for at, text in ledger.bad.items()] + ledger.judge(held, head)
    findings.sort(key=lambda line: int(re.findall(r"\d+", line)[0]))
    if not findings and (claims["tree_size"], claims["entry_count"]) != (head.size, ledger.shown):
        findings = [f"tampered: bundle.json does not say that {ledger.shown} of {head.size} entries are here"]
    remarks = [f"Checked {ledger.shown} of {head.size} entries, {len(held)} checkpoints and {len(kept)} given ones."]
    is_signed = not findings
    if is_signed:
        findings = ledger.judge(kept, head, given=True) + ledger.meaning.judge(ledger, claims["scope"])
    remarks += ledger.meaning.remarks if is_signed else ["What the entries say was not judged: it was not signed."]
    remarks += ["Not shown: what the entries behind node lines say."] * (ledger.shown < head.size)
    remarks += ["Not shown: who signed. Without --key, the bundle itself says which key to trust."] * (not pinned)
    remarks += ["Not shown: that no newer entries are missing. Keep checkpoints, and compare."] * (not kept)
    return findings, [*remarks, "Not shown: what never entered the ledger, wrong clocks, a forged verifier."]


def _mark(*words: object) -> int:
    """60 bits in place of words that would take more memory."""
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big") >> 4


def _key(vkey: str) -> tuple[tuple[str, bytes], bytes]:
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    digest = hashlib.sha256(f"{name}\n".encode() + raw).hexdigest()
    if len(encoded) != KEY_LENGTH or raw[0] != 1 or digest[:8] != key_id:
        raise ValueError
    return (name, bytes.fromhex(key_id)), raw[1:]  # what signatures call it, and its 32 bytes


def _notes(text: str) -> list[Note]:
    found = list(NOTE.finditer(text))
    if "".join(note[0] for note in found) != text:
        raise ValueError
    signed = [[base64.b64decode(line.split(" ")[2]) for line in note[5].splitlines()] for note in found]
    return [Note(x[1].encode(), x[2], int(x[3]), base64.b64decode(x[4]), signed[at]) for at, x in enumerate(found)]


class Ledger:
    """ledger.txt, read once. A stack of complete subtrees gives the root of every size that is wanted."""

    def __init__(self, size: int, *, wanted: set[int], known: dict[Any, str], trusted: set[str]) -> None:
        self.size, self.wanted, self.known, self.trusted, self.meaning = size, wanted, known, trusted, Meaning()
        self.roots, self.stack = {0: hashlib.sha256().digest()}, list[Any]()
        self.hidden, self.larger, self.bad, self.shown = list[int](), list[int](), dict[int, str](), 0

    def read(self, stream: Any) -> None:
        end = 0
        try:
            while end < self.size or stream.peek(1):
                line, at = stream.readline(LINE_BYTES), end
                node, (word, index, stated, body) = NODE.fullmatch(line), line[:-1].split(b" ", 3)
                level = int(node[1]) if node else 0
                is_line = node or (word == b"entry" and line[-1:] == b"\n")
                if not is_line or index != b"%d" % at or at % (1 << level) or at + (1 << level) > self.size:
                    raise ValueError
                digest = base64.b64decode(node[2]) if node else hashlib.sha256(b"\0" + body).digest()
                if node:
                    (self.larger if level else self.hidden).append(at)
                elif base64.b64encode(digest) == stated:
                    self.shown += 1
                    self.meaning.take(at, body)
                else:
                    self.bad[at] = "the entry does not have its hash"
                end = at + (1 << level)
                while self.stack and self.stack[-1][0] == level:
                    level, digest = level + 1, hashlib.sha256(b"\1" + self.stack.pop()[1] + digest).digest()
                self.stack.append((level, digest))
                if end in self.wanted:
                    for _, left in self.stack[-2::-1]:
                        digest = hashlib.sha256(b"\1" + left + digest).digest()
                    self.roots[end] = digest
        except ValueError:
            self.bad[end] = "the line that belongs here is missing, out of order or not what the format says"

    def signed(self, note: Note) -> bool:
        """Whether a trusted key signed it. A signature by any known key that does not fit spoils it."""
        signed = [(vkey, x[4:]) for x in note.signatures if (vkey := self.known.get((note.origin, x[:4])))]
        try:
            for vkey, signature in signed:
                Ed25519PublicKey.from_public_bytes(_key(vkey)[1]).verify(signature, note.text)
        except InvalidSignature:
            return False
        return any(vkey in self.trusted for vkey, _ in signed)

    def judge(self, notes: Sequence[Note], head: Note, *, given: bool = False) -> list[str]:
        """The first checkpoint, by size, that is not signed or does not fit. One that does vouches for keys."""
        fits, keys = 0, self.meaning.keys
        self.known.update({named: vkey for _, vkey, named in keys})
        below = next((x.size for x in notes[::-1] if self.roots.get(x.size) == x.root and self.signed(x)), 0)
        self.trusted.update(vkey for at, vkey, _ in keys if at < below)
        for note in sorted(notes, key=lambda note: int(note.size)):
            if note.origin != head.origin or not self.signed(note):
                kind = "misuse" if given else "tampered"
                return [f"{kind}: no trusted key signed the checkpoint of size {note.size}"]
            if note.size > head.size:
                return [f"rolled back: the bundle ends at size {head.size}, the ledger has had size {note.size}"]
            if given and note.size not in self.roots:
                return [f"incomplete: no line ends at size {note.size}: a given checkpoint cannot be compared"]
            if self.roots.get(note.size) != note.root:
                is_said = any(fits <= index < note.size for index in self.bad)
                return [] if is_said else [f"tampered: from index {fits} to {note.size - 1}: not what was signed"]
            fits = note.size
            self.trusted.update(vkey for at, vkey, _ in keys if at < fits)
        return []


class Meaning:
    """What the entries say, replayed in their order and held against the numbered rules of the format."""

    def __init__(self) -> None:
        self.findings, self.remarks, self.index, self.alone = list[tuple[int, bool, str]](), list[str](), 0, 0
        self.newest, self.keys = datetime.fromisoformat("0001-01-02T00:00:00+00:00"), list[Any]()
        self.pruned, self.counted = list[Any](), Counter[tuple[str, str]]()
        self.ids, self.doubt, self.notices = (set[Any]() for _ in range(3))
        self.tries, self.open, self.outcomes, self.queued, self.receipts = (dict[Any, Any]() for _ in range(5))
        self.approvals, self.words, self.makers = (dict[Any, Any]() for _ in range(3))
        self.readers: dict[Any, Any] = {
            "attempt-sending": self._sending,
            "release-connector-delivery": self._ended,
            "late-result": self._ended,
            "possible-duplicate": lambda _, x: self.notices.add(f"{x['event_id']}-{x['attempt_number']}"),
            "worker-run-queued": lambda _, x: self.queued.setdefault(x["run_id"], x["dry_run"]),
            "ledger-key": lambda _, x: self.keys.append((self.index, x["vkey"], _key(x["vkey"])[0])),
            "ledger-pruned": lambda _, x: self.pruned.extend((int(first), int(end)) for first, end in x["spans"]),
            f"{AUDIT}-retry-plan": lambda entry, x: self.makers.update({x["retry_plan_id"]: entry["signer"]}),
            f"{AUDIT}-retry-execution-approval-decision": self._approval,
            f"{AUDIT}-retry-execution-record": self._execution,
            f"{AUDIT}-worker-run": self._receipt,
        }

    def take(self, index: int, body: bytes) -> None:
        self.index, known = index, len(self.ids)
        try:
            entry = READER.decode(body.decode())
            self.newest = max(self.newest, datetime.fromisoformat(entry["created_at"]))
            self.ids.add(_mark(entry["session_id"]))
            is_formed = WRITER.encode(entry).encode() == body and entry["schema_version"] == SCHEMA
            self._say((not is_formed or len(self.ids) == known, WRONG, "not canonical, or a session_id seen before"))
            kind = entry["metadata_kind"] if len(self.ids) > known else ""
            self.readers.get(kind, lambda *_: None)(entry, entry["record"])
        except Exception:  # wrong types, missing fields, too deep, too large
            self._say((True, WRONG, "the entry is not what the format says"))

    def _say(self, *rules: tuple[bool, bool, str]) -> None:  # is it broken, and by what: the first one that is counts
        self.findings += next(([(self.index, is_absence, text)] for broken, is_absence, text in rules if broken), [])

    def _sending(self, _: Any, record: Any) -> None:
        event, number, fence, run_id = (record[x] for x in ("event_id", "attempt_number", "fence", "run_id"))
        tries, started = self.tries.get(event, ()), datetime.fromisoformat(record["started_at"])
        (last, last_fence), key = tries[-1] if tries else (0, 0), f"{event}-{number}"
        self._say(
            (number <= last or fence <= last_fence, WRONG, "the attempt's number or fence does not rise (2)"),
            (run_id is None and number != 1, WRONG, "a retry that belongs to no run (4)"),
            (number > last + 1, ABSENT, "the attempt before it is not there (2)"),
            (self.open.pop(f"{event}-{last}", None) is not None, ABSENT, "the attempt before it was not settled (1)"),
            (event in self.doubt and key not in self.notices, ABSENT, "no possible-duplicate line announces it (3)"),
        )
        self.notices.discard(key)
        self.open[key], self.tries[event] = (self.index, started), (*tries, (number, fence))[-MOST_TRIES:]
        if run_id is not None:
            is_queued, is_dry = run_id in self.queued, bool(self.queued.get(run_id))
            self._say((not is_queued, ABSENT, "its run was never queued (5)"), (is_dry, WRONG, "its run is dry (5)"))
            self.queued[run_id] = None  # has sent; said once
            self._approved(record, started)

    def _approved(self, record: Any, started: datetime) -> None:
        name = record["approval_decision_id"]
        is_used, found, self.approvals[name] = name is None or name in self.approvals, self.approvals.get(name), None
        if found is None:
            self._say((is_used, WRONG, "its approval is used up (4)"), (True, ABSENT, "its approval is not there (4)"))
            return
        maker, is_half = self.makers.get(found.plan), len(found.signers) < found.needed
        self._say(
            (found.state != "approved", WRONG, "its approval says another word (4)"),
            (found.fits != _mark(*map(record.get, GIVEN_FOR)), WRONG, "its approval is for something else (4)"),
            (self.words.pop(found.word, None) != _mark(name), WRONG, "a later word took its approval back (4)"),
            (len(set(found.signers)) < len(found.signers), WRONG, "one person gave both approvals (4)"),
            (found.ends <= started and not is_half, WRONG, "its approval had expired (4)"),
            (maker in found.signers and found.four_eyes != "off", WRONG, "the plan's maker approved it (4)"),
            (is_half, ABSENT, "the second approval is not there (4)"),
            (found.plan not in self.makers, ABSENT, "the line of its plan is not there (4)"),
        )
        self.alone += maker in found.signers
        self.makers[found.plan] = maker  # said once

    def _ended(self, entry: Any, record: Any) -> None:
        event, number, fence, outcome = (record[x] for x in ("event_id", "attempt_number", "fence", "outcome"))
        key, tries, is_late = f"{event}-{number}", self.tries.get(event, ()), entry["metadata_kind"] == "late-result"
        sent, is_open = dict(tries).get(number), key in self.open
        self._say(
            (sent is None, ABSENT, "its sending is not there (1)"),
            (sent != fence, WRONG, "another fence than the attempt was sent under (1)"),
            (is_late == is_open, is_late, "settled before, or late before anybody has settled it (1)"),
        )
        if sent is None and (not tries or number > tries[-1][0]):
            self.tries[event] = (*tries, (number, fence))[-MOST_TRIES:]  # said once
        if not is_late:
            self.open.pop(key, None)
            if outcome in {"unknown", "confirmed"}:
                (self.doubt.add if outcome == "unknown" else self.doubt.discard)(event)
            if record["run_id"] is not None:
                self.outcomes[f"{key}-settled"] = ENDS.get(outcome, "failed")

    def _approval(self, entry: Any, record: Any) -> None:
        name, ends = record["approval_decision_id"], datetime.fromisoformat(record["expires_at"])
        signer, plan, state, eyes = (sys.intern({**record, **entry}[x]) for x in APPROVAL)
        if entry["session_id"] != f"{name}-second":
            word, fits = _mark(record["delivery_id"], record["decision_digest"]), _mark(*map(record.get, GIVEN_FOR))
            self.words[word], needed = _mark(entry["session_id"]), record["approvals_needed"]
            self.approvals.setdefault(name, Approval(state, fits, word, needed, ends, plan, eyes, (signer,)))
        elif first := self.approvals.get(name):
            self.approvals[name] = first._replace(ends=ends, signers=(*first.signers, signer))

    def _execution(self, _: Any, record: Any) -> None:
        status, rest = record["execution_status"], {x: record[x] for x in record if x != "execution_hash"}
        end = self.outcomes.pop(record["delivery_metadata_id"], None)
        self.counted[record["run_id"], f"{status}_count"] += 1
        digest, is_sent = hashlib.sha256(WRITER.encode(rest).encode()).hexdigest(), status != "skipped"
        self._say(
            (digest != record["execution_hash"], WRONG, "its execution_hash is another (7)"),
            (is_sent and end is None, ABSENT, "the settlement that it names is not there (7)"),
            (is_sent and end != status, WRONG, "it does not say what the settlement says (7)"),
        )
        self.open.pop(str(record["delivery_metadata_id"]).removesuffix("-settled"), None)  # said once

    def _receipt(self, _: Any, record: Any) -> None:
        run_id, summary = record["run_id"], record["summary"]
        total = [summary["selected_retry_count"], *map(summary.get, PARTS)]
        rows = [[part["selected_count"], *map(part.get, PARTS)] for part in record["receipt"]]
        adds_up = total == [sum(x[i] for x in rows) for i in range(6)] and all(x[0] == sum(x[1:]) for x in rows)
        is_wrong = record["dry_run"] and self.queued.get(run_id, False) is None
        self._say((not adds_up, WRONG, "the receipt does not add up (6)"), (is_wrong, WRONG, "a dry run has sent (5)"))
        if not record["dry_run"] and record["state"] in {"completed", "aborted"}:
            self.receipts[self.index] = run_id, *total[1:5]

    def judge(self, ledger: Ledger, scope: dict[str, Any]) -> list[str]:
        """The findings by index. What is absent from a part of the ledger may be in the rest of it."""
        is_whole, run, is_single = ledger.shown == ledger.size, scope.get("run_id"), bool(scope.get("session_id"))
        for at, (run_id, *ended) in self.receipts.items():
            counts = [self.counted[run_id, part] for part in PARTS[:4]]
            if counts != ended and (is_whole or run_id == run):
                self.findings.append((at, ABSENT, "the receipt does not count what its run recorded (6)"))
        lost = [at for at, started in self.open.values() if self.newest - started > timedelta(minutes=10)]
        self.findings += [(at, ABSENT, "sent, and never settled (1)") for at in lost]
        spans = sorted([(-1, 0), *self.pruned])
        hidden = [at for at in ledger.hidden if at >= spans[bisect(spans, (at + 1,)) - 1][1]] + ledger.larger
        if hidden and not any(scope.values()):
            self.findings.append((min(hidden), ABSENT, "not shown, though all is claimed"))
        on_the_wire, pruned = len(self.open) - len(lost), len(ledger.hidden) + len(ledger.larger) - len(hidden)
        self.remarks += [f"{on_the_wire} attempts were on the wire at the end."] * (on_the_wire > 0)
        self.remarks += [f"{self.alone} retries were approved by their plan's maker: four eyes off."] * (self.alone > 0)
        self.remarks += [f"{pruned} entries were pruned: their hashes stay, their bytes are gone."] * (pruned > 0)
        self.remarks += ["A single record: what it refers to was not asked for."] * is_single
        words = {WRONG: "tampered", ABSENT: "tampered" if is_whole else "" if is_single else "incomplete"}
        return [f"{words[kind]}: index {at}: {text}" for at, kind, text in sorted(self.findings) if words[kind]]


if __name__ == "__main__":
    try:
        options, (bundle_path,) = getopt.gnu_getopt(sys.argv[1:], "", ["key=", "checkpoints="])
    except (getopt.GetoptError, ValueError):
        options, bundle_path = [], ""
    given = {name: [value for option, value in options if option == name] for name in ("--key", "--checkpoints")}
    report = verify(bundle_path, keys=given["--key"], checkpoints=given["--checkpoints"])
    sys.stdout.write("\n".join([*report.findings[:MOST_SHOWN], *report.remarks, ""]))
    sys.exit(report.exit_code)
