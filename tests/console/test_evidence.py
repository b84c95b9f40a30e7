"""The ledger's seal, a line's proof, checkpoints to keep, and evidence to take along."""

import html
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from rollback_audit.admin.shown import ListPage
from rollback_audit.engine import checkpoints, clock, ledger, plans, sequencer, worker
from rollback_audit.engine.actors import actor_for
from rollback_audit.models import Connector, EvidenceEntry, LedgerCheckpoint
from rollback_audit.states import MetadataKind, Role
from tests import factories
from tests.console.conftest import SignedIn

pytestmark = pytest.mark.django_db
LEDGER = "/console/ledger/"
BUNDLE = "/console/evidence/bundle/"
DELIVERY, AUDIT = "gordackdelivery-1", "gordackaudit-1"


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: LazySettings) -> None:
    factories.ledger_files(settings, tmp_path)


@pytest.fixture
def auditor(signed_in: SignedIn) -> Client:
    return signed_in("ada", Role.AUDITOR)


@pytest.fixture
def lines(db: None) -> list[str]:
    """Three lines about one delivery, without a place yet."""
    names = [f"gordledger-{number}" for number in range(3)]
    ledger.append(
        ledger.row(
            MetadataKind.AUDIT_PACKAGE,
            session_id=name,
            signer="rita",
            at=clock.now(),
            record={},
            audit_id=AUDIT,
            delivery_id=DELIVERY,
        )
        for name in names
    )
    return names


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def bundle(client: Client, query: str = "") -> zipfile.ZipFile:
    answer = cast("StreamingHttpResponse", client.get(BUNDLE + query))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert "no-store" in answer["Cache-Control"]
    return zipfile.ZipFile(io.BytesIO(answer.getvalue()))


def scope_of(found: zipfile.ZipFile) -> dict[str, str]:
    scope = json.loads(found.read("bundle.json"))["scope"]
    return {name: value for name, value in scope.items() if value}


def test_before_the_first_checkpoint_the_ledger_says_what_to_start(auditor: Client, lines: list[str]) -> None:
    shown = text(auditor, LEDGER)
    assert "Nothing is signed yet" in shown
    assert "<code>cavra worker</code>" in shown
    assert "3 lines wait for a place" in shown
    assert BUNDLE not in shown
    assert "No checkpoint yet" in text(auditor, "/console/checkpoints/")
    refused = auditor.get(BUNDLE)
    assert refused.status_code == 409
    assert "start a worker" in refused.content.decode()


def test_a_line_waits_for_its_place_then_for_a_checkpoint_then_is_proven(auditor: Client, lines: list[str]) -> None:
    address = f"{LEDGER}{lines[1]}/"
    assert "none yet: a worker gives it one" in text(auditor, address)
    sequencer.sequence_all()
    assert "no checkpoint yet" in text(auditor, address)
    size = checkpoints.sign_everything().tree_size
    shown = text(auditor, address)
    assert reverse("console:checkpoint", args=[size]) in shown
    assert "Audit path: 2 hashes" in shown
    assert f"{BUNDLE}?session_id={lines[1]}" in shown
    assert scope_of(bundle(auditor, f"?session_id={lines[1]}")) == {"session_id": lines[1]}


def test_the_ledger_shows_how_far_it_is_signed(auditor: Client, lines: list[str]) -> None:
    checkpoint = checkpoints.record(checkpoints.sign_everything())
    shown = text(auditor, LEDGER)
    assert f"{checkpoint.tree_size} lines</a>, signed" in shown
    assert f'title="{checkpoint.root_hash}"' in shown
    assert "1 key</summary>" in shown
    assert "python -I verify_evidence.py BUNDLE.zip" in shown
    assert reverse("console:evidence-verifier") in shown


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ("", {}),
        (f"delivery_id={DELIVERY}", {"delivery_id": DELIVERY}),
        (f"audit_id={AUDIT}", {"audit_id": AUDIT}),
        (f"audit_id={AUDIT}&delivery_id={DELIVERY}&age=24h", {"delivery_id": DELIVERY}),
        ("metadata_kind=worker-run-queued", {}),
    ],
)
def test_what_is_filtered_is_what_the_button_downloads(
    auditor: Client, lines: list[str], query: str, scope: dict[str, str]
) -> None:
    checkpoints.sign_everything()
    wanted = "".join(f"?{name}={value}" for name, value in scope.items())
    assert f'href="{BUNDLE}{wanted}"' in text(auditor, f"{LEDGER}?{query}")
    assert scope_of(bundle(auditor, wanted)) == scope


def test_a_filter_of_time_downloads_what_happened_since(auditor: Client, lines: list[str]) -> None:
    checkpoints.sign_everything()
    answer = auditor.get(f"{LEDGER}?age=1h")
    seal = answer.context["page"].seal
    wanted = f"?since={quote(seal.value, safe='')}"
    assert f'href="{BUNDLE}{wanted}"' in answer.content.decode()
    found = bundle(auditor, wanted)
    assert json.loads(found.read("bundle.json"))["entry_count"] == len(lines) + 1
    assert datetime.fromisoformat(scope_of(found)["since"]) == datetime.fromisoformat(seal.value)


def test_a_checkpoint_can_be_read_as_it_was_signed(auditor: Client, lines: list[str]) -> None:
    signed = checkpoints.sign_everything()
    assert reverse("console:checkpoint", args=[signed.tree_size]) in text(auditor, "/console/checkpoints/")
    shown = text(auditor, reverse("console:checkpoint", args=[signed.tree_size]))
    assert signed.note in html.unescape(shown)
    assert auditor.get(reverse("console:checkpoint", args=[signed.tree_size + 1])).status_code == 404
    assert auditor.get(f"/console/checkpoints/{'9' * 40}/").status_code == 404


def test_a_checkpoint_is_found_by_its_size_and_by_its_root(auditor: Client, lines: list[str]) -> None:
    signed = checkpoints.record(checkpoints.sign_everything())
    for wanted in (str(signed.tree_size), signed.root_hash):
        answer = auditor.get(reverse("console:find"), {"id": wanted})
        assert answer["Location"] == reverse("console:checkpoint", args=[signed.tree_size])
    for wanted in ("4711", "9" * 18, "9" * 19, "٣", "AAAA", "A" * 43 + "="):
        assert auditor.get(reverse("console:find"), {"id": wanted})["Location"] == reverse("console:overview")


def test_checkpoints_are_paged_by_size(auditor: Client) -> None:
    LedgerCheckpoint.objects.bulk_create(
        LedgerCheckpoint(tree_size=size, root_hash=bytes(32), note="", signed_at=clock.now()) for size in range(1, 121)
    )
    first: ListPage = auditor.get("/console/checkpoints/").context["page"]
    assert [row.number for row in first.rows] == list(range(120, 70, -1))
    second: ListPage = auditor.get(f"/console/checkpoints/?before={first.older}").context["page"]
    assert [row.number for row in second.rows] == list(range(70, 20, -1))
    back: ListPage = auditor.get(f"/console/checkpoints/?after={second.newer}").context["page"]
    assert back.rows == first.rows


@pytest.mark.parametrize("query", ["delivery=a", "nope=1", "since=yesterday", "audit_id=a&delivery_id=b", "a=%00"])
def test_an_address_that_names_no_part_does_not_give_the_whole(auditor: Client, lines: list[str], query: str) -> None:
    checkpoints.sign_everything()
    refused = auditor.get(f"{BUNDLE}?{query}")
    assert refused.status_code == 400
    assert "Nothing was changed." in refused.content.decode()


def test_deliveries_runs_and_packages_offer_their_evidence(
    signed_in: SignedIn, auditor: Client, configure: Callable[..., None]
) -> None:
    configure(siem=9)
    failed = factories.failed(Connector.objects.get())
    maker = actor_for(factories.person("rita", Role.RELEASE_MANAGER))
    plan, _ = plans.plan_retry(actor=maker)
    run = worker.start_run(
        actor=maker, request=worker.RunRequest(retry_plan_id=plan.retry_plan_id, plan_digest=plan.plan_digest)
    ).run
    checkpoints.sign_everything()
    for address, wanted in (
        (reverse("console:delivery", args=[failed.delivery_id]), f"?delivery_id={failed.delivery_id}"),
        (reverse("console:run", args=[run.run_id]), f"?run_id={run.run_id}"),
        (f"/console/packages/{failed.audit_id}/", f"?audit_id={failed.audit_id}"),
    ):
        for role in Role:
            assert f'href="{BUNDLE}{wanted}"' in text(signed_in(f"one-{role}", role), address)
    assert scope_of(bundle(auditor, f"?run_id={run.run_id}")) == {"run_id": run.run_id}


@pytest.mark.parametrize("role", list(Role))
def test_every_role_takes_evidence_along_and_its_verifier_finds_it_intact(
    signed_in: SignedIn, lines: list[str], role: Role, tmp_path: Path
) -> None:
    checkpoints.sign_everything()
    before = EvidenceEntry.objects.count()
    client = signed_in(f"one-{role}", role)
    answer = cast("StreamingHttpResponse", client.get(BUNDLE))
    (tmp_path / "bundle.zip").write_bytes(answer.getvalue())
    verifier = cast("StreamingHttpResponse", client.get(reverse("console:evidence-verifier")))
    (tmp_path / "verify_evidence.py").write_bytes(verifier.getvalue())
    command = [sys.executable, "-I", "verify_evidence.py", "bundle.zip"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stdout
    assert EvidenceEntry.objects.count() == before


@pytest.mark.parametrize("name", ["evidence-bundle", "evidence-verifier"])
def test_evidence_is_for_whoever_may_look_and_only_by_get(client: Client, auditor: Client, name: str) -> None:
    address = reverse(f"console:{name}")
    assert client.get(address).status_code == 302
    client.force_login(factories.person("nobody", None))
    assert client.get(address).status_code == 302
    assert auditor.post(address).status_code == 405


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=yesterday", 400),
        ("delivery_id=a&audit_id=b", 400),
        ("delivery_id=%00", 400),
        ("session_id=" + "x" * 65, 400),
        ("session_id=no-such-id", 404),
        ("run_id=no-such-id", 404),
        ("delivery_id=no-such-id", 404),
    ],
)
def test_what_no_bundle_can_be_about_is_said_calmly(auditor: Client, lines: list[str], query: str, status: int) -> None:
    checkpoints.sign_everything()
    assert auditor.get(f"{BUNDLE}?{query}").status_code == status
