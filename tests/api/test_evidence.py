"""What the ledger proves over HTTP: its seal, places, growth, and bundles that check out on a machine without us."""

import base64
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from django.conf import LazySettings
from django.http import StreamingHttpResponse
from rest_framework.test import APIClient

from rollback_audit.engine import checkpoints, clock, ledger_keys, retention, sequencer
from rollback_audit.evidence import merkle, notes
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint
from rollback_audit.states import Role
from tests import factories
from tests.api.doors import B, E, World
from tests.api.test_pages import write_lines
from tests.engine.conftest import People

pytestmark = pytest.mark.django_db


def downloaded(client: APIClient, query: str = "") -> tuple[str, bytes]:
    """The name and the bytes of a bundle."""
    answer = cast("StreamingHttpResponse", client.get(f"{E}/bundle{query}"))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    return answer["Content-Disposition"], answer.getvalue()


def verified(folder: Path, bundle: bytes, *more: str) -> subprocess.CompletedProcess[str]:
    """What the verifier inside the bundle says of it, alone in a folder with its Python isolated."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as held:
        verifier = held.read("verify_evidence.py")
    (folder / "bundle.zip").write_bytes(bundle)
    (folder / "verify_evidence.py").write_bytes(verifier)
    command = [sys.executable, "-I", "verify_evidence.py", "bundle.zip", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def entries_of(bundle: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as held:
        return [line for line in held.read("ledger.txt").decode().splitlines() if line.startswith("entry ")]


def test_the_ledger_says_how_far_it_is_signed_and_what_waits(owner: APIClient, world: World) -> None:
    sealed = owner.get(f"{E}/ledger").json()
    assert sealed["checkpoint"]["tree_size"] == sealed["tree_size"] == world.tree_size
    assert (sealed["unsequenced_count"], sealed["unsigned_count"]) == (0, 0)
    assert [key["vkey"] for key in sealed["keys"]] == [str(found.key) for found in ledger_keys.announced()]
    write_lines(3)
    assert owner.get(f"{E}/ledger").json()["unsequenced_count"] == 3
    sequencer.sequence_all()
    assert owner.get(f"{E}/ledger").json()["unsigned_count"] == 3


def test_checkpoints_are_listed_newest_first_and_read_by_size(owner: APIClient, world: World) -> None:
    write_lines(2)
    newer = checkpoints.sign_everything()
    page = owner.get(f"{E}/checkpoints?limit=1").json()
    assert [item["tree_size"] for item in page["items"]] == [newer.tree_size]
    (older,) = owner.get(page["next"]).json()["items"]
    assert older == owner.get(f"{E}/checkpoints/{world.tree_size}").json()
    assert notes.read(older["note"]).is_signed_by(ledger_keys.announced()[0].key)
    assert owner.get(f"{E}/checkpoints", {"until": "2001-01-01T00:00:00Z"}).json()["total"] == 0


@pytest.mark.parametrize("size", ["0", "999999", "9" * 30, "9" * 5000, "-1", "1.5", "%00", "٣"])
def test_a_checkpoint_of_a_size_that_was_not_signed_is_not_found(owner: APIClient, world: World, size: str) -> None:
    answer = owner.get(f"{E}/checkpoints/{size}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_line_is_proven_against_the_newest_checkpoint(owner: APIClient, world: World) -> None:
    proof = owner.get(f"{E}/entries/{world.session_id}/proof").json()
    body = EvidenceEntry.objects.get(entry_id=world.session_id).body
    assert proof["leaf_hash"] == base64.b64encode(merkle.leaf_hash(body.encode())).decode()
    assert merkle.verify_inclusion(
        proof["index"],
        proof["checkpoint"]["tree_size"],
        leaf=base64.b64decode(proof["leaf_hash"]),
        proof=[base64.b64decode(found) for found in proof["audit_path"]],
        expected_root=base64.b64decode(proof["checkpoint"]["root_hash"]),
    )


def test_a_pruned_line_is_found_by_its_id_and_proven(
    owner: APIClient, world: World, later: Callable[[timedelta], None], people: People, tmp_path: Path
) -> None:
    write_lines(1)
    line = EvidenceEntry.objects.latest("pk").entry_id
    checkpoints.sign_everything()
    before = owner.get(f"{E}/entries/{line}/proof").json()
    later(timedelta(days=60))
    owner.post(f"{E}/holds/{world.hold_id}/release", {"reason": "Over."})
    retention.prune(actor=people("olga", Role.PLATFORM_OWNER), older_than_days=30, reason="Over.", dry_run=False)
    assert not EvidenceEntry.objects.filter(entry_id=line).exists()
    after = owner.get(f"{E}/entries/{line}/proof").json()
    assert after.pop("pruned_at")
    before.pop("pruned_at")
    assert after == before
    _, bundle = downloaded(owner, f"?session_id={line}")
    assert verified(tmp_path, bundle).returncode == 0


def test_growth_is_proven_between_two_sizes(owner: APIClient, world: World) -> None:
    write_lines(5)
    newer = checkpoints.sign_everything()
    answer = owner.get(f"{E}/consistency?old_size={world.tree_size}&new_size={newer.tree_size}").json()
    assert answer["new_root"] == base64.b64encode(bytes(newer.root_hash)).decode()
    assert merkle.verify_consistency(
        world.tree_size,
        newer.tree_size,
        old_root=base64.b64decode(answer["old_root"]),
        new_root=base64.b64decode(answer["new_root"]),
        proof=[base64.b64decode(found) for found in answer["proof"]],
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", {"old_size", "new_size"}),
        ("old_size=1", {"new_size"}),
        ("old_size=0&new_size=1", {"old_size"}),
        ("old_size=2&new_size=1", {"new_size"}),
        ("old_size=1&new_size=999999999", {"new_size"}),
        ("old_size=1&new_size=9999999999", {"new_size"}),
        ("old_size=1&old_size=1&new_size=1", {"old_size"}),
        ("old_size=one&new_size=1", {"old_size"}),
    ],
)
def test_sizes_that_the_ledger_never_had_are_refused(
    owner: APIClient, world: World, query: str, named: set[str]
) -> None:
    answer = owner.get(f"{E}/consistency?{query}")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == named


@pytest.mark.parametrize(
    "scope", ["", "delivery_id={delivery_id}", "audit_id={audit_id}", "run_id={run_id}", "session_id={session_id}"]
)
def test_a_bundle_checks_out_without_us(owner: APIClient, world: World, tmp_path: Path, scope: str) -> None:
    before = EvidenceEntry.objects.count(), LedgerCheckpoint.objects.count()
    ids = {name: getattr(world, name) for name in World.__slots__}
    name, bundle = downloaded(owner, f"?{scope.format(**ids)}")
    assert name == f'attachment; filename="cavra-evidence-{world.tree_size}.zip"'
    key = str(ledger_keys.announced()[0].key)
    said = verified(tmp_path, bundle, "--key", key)
    assert said.returncode == 0, said.stdout
    assert (len(entries_of(bundle)) == world.tree_size) is (scope == "")
    assert (EvidenceEntry.objects.count(), LedgerCheckpoint.objects.count()) == before


def test_a_bundle_of_one_line_is_that_line_and_the_keys(owner: APIClient, world: World) -> None:
    _, bundle = downloaded(owner, f"?session_id={world.session_id}")
    assert len(entries_of(bundle)) == 2


def test_a_bundle_may_begin_at_a_moment(
    owner: APIClient, world: World, later: Callable[[timedelta], None], tmp_path: Path
) -> None:
    later(timedelta(days=1))
    since = clock.now().isoformat().replace("+", "%2B")
    write_lines(2)
    checkpoints.sign_everything()
    _, bundle = downloaded(owner, f"?since={since}")
    assert len(entries_of(bundle)) == 3
    assert verified(tmp_path, bundle).returncode == 0


def kept(*, sizes: int) -> list[str]:
    """The notes that somebody kept of a ledger that grew on."""
    found = []
    for _ in range(sizes):
        write_lines(1)
        found.append(checkpoints.sign_everything().note)
    return found


@pytest.mark.parametrize("sizes", [1, 10])
@pytest.mark.parametrize("scope", [{}, {"session_id": "{session_id}"}])
def test_a_bundle_can_be_compared_with_checkpoints_that_somebody_kept(
    owner: APIClient, world: World, tmp_path: Path, sizes: int, scope: dict[str, str]
) -> None:
    text = notes.file_text(kept(sizes=sizes))
    # The bundle itself has the newest ten.
    kept(sizes=11)
    named = {name: value.format(session_id=world.session_id) for name, value in scope.items()}
    _, bundle = downloaded(owner, f"?{urlencode({'checkpoints': text, **named})}")
    (tmp_path / "kept.txt").write_text(text)
    said = verified(tmp_path, bundle, "--checkpoints", "kept.txt")
    assert said.returncode == 0, said.stdout
    assert f"{sizes} given ones" in said.stdout


def another_ledger() -> str:
    key = notes.SigningKey.draw("another-ledger")
    return notes.sign(notes.Checkpoint(key.name, 1, bytes(32)), [key])


def newer_than_this() -> str:
    key = notes.SigningKey.draw(ledger_keys.announced()[0].key.name)
    return notes.sign(notes.Checkpoint(key.name, 999_999, bytes(32)), [key])


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "\n\n",
        lambda: "hello",
        lambda: "hello\n\nhello",
        lambda: "\0",
        lambda: "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        lambda: notes.file_text([*kept(sizes=1), "hello"]),
        lambda: kept(sizes=1)[0].replace("\n", "\r\n"),
        lambda: notes.file_text(kept(sizes=11)),
        lambda: "x" * 7000,
        another_ledger,
        newer_than_this,
    ],
)
def test_what_is_no_checkpoint_of_this_ledger_is_refused(
    owner: APIClient, world: World, make: Callable[[], str]
) -> None:
    answer: Any = owner.get(f"{E}/bundle", {"checkpoints": make()})
    assert answer.status_code == 400, answer
    assert set(answer.json()["errors"]) == {"checkpoints"}


def test_a_changed_bundle_is_found_out(owner: APIClient, world: World, tmp_path: Path) -> None:
    _, bundle = downloaded(owner)
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as held, zipfile.ZipFile(changed, "w") as forged:
        for name in held.namelist():
            forged.writestr(name, held.read(name).replace(b'"release_manager"', b'"platform_owner_"'))
    said = verified(tmp_path, changed.getvalue())
    assert said.returncode == 1
    assert said.stdout.startswith("tampered:")


@pytest.mark.parametrize(
    ("query", "status", "names"),
    [
        ("delivery_id=no-such-id", 404, "not_found"),
        ("audit_id=no-such-id", 404, "not_found"),
        ("run_id=no-such-id", 404, "not_found"),
        ("session_id=no-such-id", 404, "not_found"),
        ("session_id=a&delivery_id=b", 400, "delivery_id session_id"),
        ("since=yesterday", 400, "since"),
        ("since=2026-01-01T00:00:00", 400, "since"),
        ("since=2026-01-01T00:00:00Z&run_id=a", 400, "run_id since"),
        ("delivery_id=", 400, "delivery_id"),
        ("delivery_id=%00", 400, "delivery_id"),
        ("delivery_id=a&delivery_id=b", 400, "delivery_id"),
        ("checkpoints=a&checkpoints=b", 400, "checkpoints"),
        ("run_id=" + "x" * 65, 400, "run_id"),
        ("session_id=ghp_0123456789abcdefghijABCDEFGHIJ456789", 400, "session_id"),
    ],
)
def test_what_no_bundle_can_be_about_is_refused(
    owner: APIClient, world: World, query: str, status: int, names: str
) -> None:
    answer: Any = owner.get(f"{E}/bundle?{query}")
    assert answer.status_code == status, answer
    body = answer.json()
    assert body["code"] == names if status == 404 else set(body["errors"]) <= set(names.split())


def test_before_any_checkpoint_every_route_says_so(owner: APIClient, settings: LazySettings, tmp_path: Path) -> None:
    factories.ledger_files(settings, tmp_path)
    write_lines(2)
    sealed = owner.get(f"{E}/ledger").json()
    assert (sealed["checkpoint"], sealed["keys"], sealed["unsequenced_count"]) == (None, [], 2)
    assert owner.get(f"{E}/checkpoints").json()["items"] == []
    line = owner.get(B).json()["items"][0]["session_id"]
    proof = owner.get(f"{E}/entries/{line}/proof").json()
    assert (proof["index"], proof["checkpoint"], proof["audit_path"]) == (None, None, [])
    assert owner.get(f"{E}/consistency?old_size=1&new_size=2").status_code == 400
    refused = owner.get(f"{E}/bundle")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_signed")
    assert cast("StreamingHttpResponse", owner.get(f"{E}/verify_evidence.py")).getvalue()


def test_the_verifier_is_the_very_file(owner: APIClient, world: World) -> None:
    answer = cast("StreamingHttpResponse", owner.get(f"{E}/verify_evidence.py"))
    assert answer["Content-Disposition"] == 'attachment; filename="verify_evidence.py"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    source = Path(__file__).parents[2] / "rollback_audit" / "evidence" / "verify_evidence.py"
    assert answer.getvalue() == source.read_bytes()
