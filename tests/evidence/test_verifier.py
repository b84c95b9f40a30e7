"""The verifier as an auditor runs it: alone, offline, on whatever file it is given."""

import ast
import base64
import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_audit.evidence import verify_evidence
from tests.evidence.agreement import verify
from tests.evidence.bundles import KEY, Parts, Signer, build, leaf, note
from tests.evidence.stories import ledger_key, loop, many

VERIFIER = Path(verify_evidence.__file__)
NEXT = Signer(b"next")


def packed(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return path


def files_of(parts: Parts, path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(parts.pack(path)) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def notes_file(path: Path, *notes: str) -> Path:
    path.write_text("".join(f"{each}\n" for each in notes), encoding="utf-8")
    return path


def rotated() -> tuple[Parts, list[bytes]]:
    """A ledger whose key is rotated at index 4: one checkpoint by the old key, one by both, one by the new."""
    entries = [*many(4), ledger_key(NEXT, replaces=KEY), *many(8)[4:]]
    leaves = [leaf(entry) for entry in entries]
    parts = build(entries, sizes=[3, 6])
    notes = [note(leaves[:3], KEY), note(leaves[:6], KEY, NEXT), note(leaves, NEXT)]
    return parts._replace(notes=notes, keys=[KEY.vkey, NEXT.vkey]), leaves


def test_it_can_be_read_in_one_sitting_and_needs_nothing_but_cryptography() -> None:
    text = VERIFIER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    imported = re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE)
    assert {*imported} <= {*sys.stdlib_module_names, "cryptography"}


def test_it_is_written_for_python_3_9() -> None:
    ast.parse(VERIFIER.read_text(encoding="utf-8"), feature_version=(3, 9))


HOOKED = """
import runpy, sys
def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.remove", "os.mkdir", "shutil.")):
        raise SystemExit(f"did {event}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 0o3:
        raise SystemExit(f"opened {arguments[0]} to write")
sys.dont_write_bytecode = True
sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_runs_alone_in_an_empty_folder_without_sockets_and_without_writing(tmp_path: Path) -> None:
    parts = build(list(loop().values()), sizes=[3])
    bundle, empty = parts.pack(tmp_path / "bundle.zip"), tmp_path / "empty"
    empty.mkdir()
    kept = notes_file(tmp_path / "kept.txt", parts.notes[0])
    command = [sys.executable, "-I", "-c", HOOKED, str(VERIFIER), str(bundle)]
    command += ["--key", KEY.vkey, "--checkpoints", str(kept)]
    ended = subprocess.run(command, cwd=empty, capture_output=True, text=True, env={}, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Checked 12 of 12 entries, 2 checkpoints and 1 given ones.\n")
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [[], ["--nonsense"], ["a.zip", "b.zip"], ["missing.zip"], ["missing.zip", "--key"], ["/"]]
)
def test_the_command_line_says_misuse_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-I", str(VERIFIER), *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={}, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.startswith("misuse: ")
    assert ended.stdout.count("\n") == 1


def test_without_a_key_it_says_that_nobody_is_proven_to_have_signed(tmp_path: Path) -> None:
    bundle = build(many(3)).pack(tmp_path / "bundle.zip")
    assert any("who signed" in line for line in verify(bundle).remarks)
    assert not any("who signed" in line for line in verify(bundle, keys=[KEY.vkey]).remarks)


def test_a_key_is_taken_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"{KEY.vkey}\n", encoding="utf-8")
    assert verify(build(many(3)).pack(tmp_path / "bundle.zip"), keys=[str(tmp_path / "key.txt")]).exit_code == 0


def test_a_bundle_that_somebody_else_signed_fails_against_the_ledgers_key(tmp_path: Path) -> None:
    entries = many(3)
    forged = build(entries)._replace(notes=[note([leaf(entry) for entry in entries], NEXT)], keys=[NEXT.vkey])
    bundle = forged.pack(tmp_path / "bundle.zip")
    assert verify(bundle).exit_code == 0
    assert verify(bundle, keys=[KEY.vkey]).exit_code == 1


@pytest.mark.parametrize("key", [KEY, NEXT], ids=["old", "new"])
def test_a_rotation_carries_trust_whichever_key_the_auditor_holds(tmp_path: Path, key: Signer) -> None:
    report = verify(rotated()[0].pack(tmp_path / "bundle.zip"), keys=[key.vkey])
    assert (report.exit_code, report.findings) == (0, [])


def test_a_new_key_that_the_ledger_does_not_announce_is_not_trusted(tmp_path: Path) -> None:
    entries = many(8)
    leaves = [leaf(entry) for entry in entries]
    parts = build(entries, sizes=[3])._replace(notes=[note(leaves[:3], KEY), note(leaves, NEXT)])
    report = verify(parts._replace(keys=[KEY.vkey, NEXT.vkey]).pack(tmp_path / "bundle.zip"))
    assert report.exit_code == 1
    assert "checkpoint of size 8" in report.findings[0]


def test_a_key_is_not_trusted_below_its_own_announcement(tmp_path: Path) -> None:
    """The first checkpoint over the announcement needs the old key's signature, too."""
    parts, leaves = rotated()
    notes = [parts.notes[0], note(leaves[:6], NEXT), parts.notes[2]]
    assert verify(parts._replace(notes=notes).pack(tmp_path / "bundle.zip"), keys=[KEY.vkey]).exit_code == 1


def test_an_older_checkpoint_that_the_auditor_kept_is_compared(tmp_path: Path) -> None:
    entries = many(9)
    leaves = [leaf(entry) for entry in entries]
    bundle = build(entries, sizes=[4]).pack(tmp_path / "bundle.zip")
    kept = notes_file(tmp_path / "kept.txt", note(leaves[:2]), note(leaves[:4]), note(leaves))
    assert verify(bundle, keys=[KEY.vkey], checkpoints=[kept]).exit_code == 0


def test_a_newer_checkpoint_shows_that_a_bundle_was_rolled_back(tmp_path: Path) -> None:
    leaves = [leaf(entry) for entry in many(9)]
    kept = notes_file(tmp_path / "kept.txt", note(leaves))
    report = verify(build(many(7)).pack(tmp_path / "bundle.zip"), checkpoints=[kept])
    assert (report.exit_code, len(report.findings)) == (2, 1)
    assert report.findings[0].startswith("rolled back:")


def test_another_history_of_the_same_length_is_told_from_the_kept_one(tmp_path: Path) -> None:
    leaves = [leaf(entry) for entry in [*many(4), b'{"another":"entry"}', *many(9)[5:]]]
    kept = notes_file(tmp_path / "kept.txt", note(leaves[:4]), note(leaves[:7]))
    report = verify(build(many(9)).pack(tmp_path / "bundle.zip"), checkpoints=[kept])
    assert (report.exit_code, report.findings) == (1, ["tampered: from index 4 to 6: not what was signed"])


def test_a_kept_checkpoint_that_ends_within_a_tile_cannot_be_compared(tmp_path: Path) -> None:
    entries = many(8)
    kept = notes_file(tmp_path / "kept.txt", note([leaf(entry) for entry in entries[:6]]))
    partial = build(entries, shown=[0], delivery_id="gordackdelivery-1")
    report = verify(partial.pack(tmp_path / "bundle.zip"), checkpoints=[kept])
    assert (report.exit_code, len(report.findings)) == (2, 1)
    assert report.findings[0].startswith("incomplete:")


@pytest.mark.parametrize("signer", [NEXT, Signer(b"first", origin="other")], ids=["another key", "another ledger"])
def test_a_kept_checkpoint_that_is_not_this_ledgers_is_misuse(tmp_path: Path, signer: Signer) -> None:
    entries = many(8)
    kept = notes_file(tmp_path / "kept.txt", note([leaf(entry) for entry in entries[:3]], signer, origin=signer.origin))
    assert verify(build(entries).pack(tmp_path / "bundle.zip"), checkpoints=[kept]).exit_code == 3


def test_a_single_record_is_proven_by_a_small_bundle(tmp_path: Path) -> None:
    entries = many(999)
    parts = build(entries, sizes=[500], shown=[0, 501, 502], delivery_id="gordackdelivery-1")
    assert len(parts.lines) < 30
    report = verify(parts.pack(tmp_path / "bundle.zip"), keys=[KEY.vkey])
    assert (report.exit_code, report.findings) == (0, [])
    assert any("behind node lines" in line for line in report.remarks)


def test_what_is_hidden_is_missed_where_the_whole_ledger_is_claimed(tmp_path: Path) -> None:
    entries = many(9)
    report = verify(build(entries, shown=[0, 1, 2, 5, 6, 7, 8]).pack(tmp_path / "bundle.zip"))
    assert (report.exit_code, len(report.findings)) == (2, 1)
    assert report.findings[0].startswith("incomplete: index 3:")


@pytest.mark.slow
def test_500_clean_bundles_raise_no_alarm(tmp_path: Path) -> None:
    draw = random.Random(2026)
    alarms = []
    for number in range(500):
        entries = many(draw.randrange(120))
        sizes = draw.sample(range(len(entries) + 1), min(len(entries), draw.randrange(4)))
        parts = build(entries, sizes=sizes)
        if number % 3 == 0:
            parts = build([*loop().values(), *many(2 * draw.randrange(45) + 1, first=2)[1:]], sizes=sizes[:1])
        elif number % 3 == 1 and entries:
            # A part shows the lines of a delivery all together or not at all: they are at 2n - 1 and 2n.
            shown = [index for n in draw.sample(range(1, 60), 9) for index in (2 * n - 1, 2 * n)]
            parts = build(entries, sizes=sizes, shown={0, *shown} & {*range(len(entries))}, delivery_id="several")
        alarms += verify(parts.pack(tmp_path / "bundle.zip"), keys=[KEY.vkey]).findings
    assert alarms == []


# --- Hostile files ---


def overlong(files: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"ledger.txt": b"entry 0 " + b"a" * (64 << 20)}


def deep(files: dict[str, bytes]) -> dict[str, bytes]:
    """Correctly hashed and signed, but deeper than any parser likes."""
    entry = b"[" * 1_000_000
    return files_from(entry)


def long_number(files: dict[str, bytes]) -> dict[str, bytes]:
    return files_from(b'{"session_id":' + b"9" * 3_000_000 + b"}")


def odd_types(files: dict[str, bytes]) -> dict[str, bytes]:
    body = {"created_at": 7, "session_id": [], "metadata_kind": {}, "record": None}
    return files_from(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def unhashable_ids(files: dict[str, bytes]) -> dict[str, bytes]:
    body = json.loads(loop()["first sending"])
    body["record"]["event_id"], body["record"]["run_id"] = {"a": []}, [1]
    return files_from(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def lone_surrogate(files: dict[str, bytes]) -> dict[str, bytes]:
    return files_from(b'{"session_id":"\\ud800"}')


def files_from(entry: bytes) -> dict[str, bytes]:
    parts = build([entry])
    return {
        "bundle.json": json.dumps(parts.claims).encode(),
        "ledger.txt": b"".join(parts.lines),
        "checkpoints.txt": "".join(f"{each}\n" for each in parts.notes).encode(),
        "keys.txt": f"{KEY.vkey}\n".encode(),
    }


HOSTILE: list[tuple[Callable[[dict[str, bytes]], dict[str, bytes]], int]] = [
    (overlong, 1),
    (deep, 1),
    (long_number, 1),
    (odd_types, 1),
    (unhashable_ids, 1),
    (lone_surrogate, 1),
    (lambda files: files | {"ledger.txt": b"\xff\xfe\n" * 9}, 1),
    (lambda files: files | {"ledger.txt": b"entry " + b"9" * 1_000_000 + b" x y\n"}, 1),
    (lambda files: files | {"ledger.txt": b"node 0 99999999999 " + base64.b64encode(bytes(32)) + b"\n"}, 1),
    (lambda files: files | {"ledger.txt": b"\n" * 9_000_000}, 1),
    (lambda files: files | {"checkpoints.txt": b"\xff\xfe"}, 1),
    (lambda files: files | {"checkpoints.txt": b""}, 1),
    (lambda files: files | {"keys.txt": b""}, 1),
    (lambda files: files | {"keys.txt": b"a+b+c"}, 1),
    (lambda files: files | {"bundle.json": b"{}"}, 3),
    (lambda files: files | {"bundle.json": b"[" * 1_000_000}, 3),
    (lambda files: files | {"bundle.json": b" " * (100 << 20)}, 3),
    (lambda files: files | {"bundle.json": files["bundle.json"].replace(b".v1", b".v2")}, 3),
    (lambda files: {name: data for name, data in files.items() if name != "ledger.txt"}, 3),
    (lambda files: {name: data for name, data in files.items() if name != "keys.txt"}, 3),
    (lambda files: {}, 3),
]


@pytest.mark.parametrize(("change", "code"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_gets_a_code_and_a_line(
    tmp_path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]], code: int
) -> None:
    files = change(files_of(build(many(5)), tmp_path / "clean.zip"))
    report = verify(packed(files, tmp_path / "bundle.zip"))
    assert report.exit_code == code
    assert report.findings[0].startswith("tampered: " if code == 1 else "misuse: ")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    files = files_of(build(many(5)), tmp_path / "clean.zip")
    with zipfile.ZipFile(packed(files, tmp_path / "bundle.zip"), "a") as bundle:
        bundle.writestr("ledger.txt", files["ledger.txt"])
    assert verify(tmp_path / "bundle.zip").exit_code == 3


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_than_deflate_is_refused_before_it_is_unpacked(tmp_path: Path, packing: int) -> None:
    files = files_of(build(many(5)), tmp_path / "clean.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w", packing) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    assert verify(tmp_path / "bundle.zip").exit_code == 3


def test_encrypted_and_damaged_files_are_misuse(tmp_path: Path) -> None:
    data = build(many(50)).pack(tmp_path / "clean.zip").read_bytes()
    encrypted = bytearray(data)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(signature), data):
            encrypted[found.start() + flags] |= 1
    ledger = data.index(b"ledger.txt")
    damaged = data[: ledger + 300] + bytes(200) + data[ledger + 500 :]
    for name, changed in {"encrypted": bytes(encrypted), "damaged": damaged, "cut": data[:-30]}.items():
        (tmp_path / name).write_bytes(changed)
        assert verify(tmp_path / name).exit_code == 3, name


def test_any_flipped_byte_of_the_file_ends_in_a_verdict(tmp_path: Path) -> None:
    data = build(many(20)).pack(tmp_path / "clean.zip").read_bytes()
    draw = random.Random(5)
    for _ in range(300):
        at = draw.randrange(len(data))
        changed = io.BytesIO(data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :])
        (tmp_path / "bundle.zip").write_bytes(changed.getvalue())
        # A verifier may see the fault in a line or in the zip around it, so only this one is asked.
        assert verify_evidence.verify(tmp_path / "bundle.zip").exit_code in {0, 1, 3}


def test_a_finding_repeats_nothing_that_a_bundle_says(tmp_path: Path) -> None:
    body = json.loads(loop()["first sending"])
    body["record"]["event_id"] = "\x1b[2Jhttps://secret.invalid"
    body["session_id"] = body["record"]["event_id"]
    files = files_from(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
    report = verify(packed(files, tmp_path / "bundle.zip"))
    assert "secret" not in f"{report}"
    assert os.fspath(tmp_path) not in f"{report}"
