"""The `cavra` verbs, as an operator's shell sees them."""

import io
import json
import stat
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django_q.models import Schedule
from pytest_django.fixtures import Settings

from cavra_site import demo, env, keys
from rollback_audit.engine import accounts, connectors, tokens
from rollback_audit.models import DrillSchedule, WorkerRun, WorkerSchedule
from rollback_audit.states import Role
from tests.site.shell import cavra


def said(*arguments: str, **options: object) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def give_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.django_db
def test_a_token_is_printed_alone_and_stands_for_its_user() -> None:
    token = said("token", "create", "--user", "robot", "--role", "auditor")
    assert token.count("\n") == 1
    user = tokens.user_for(token.strip())
    assert user is not None
    assert (user.username, user.groups.get().name) == ("robot", "auditor")


@pytest.mark.django_db
@pytest.mark.parametrize("days", ["0", "-1", "99999999"])
def test_a_token_that_never_expires_is_refused(days: str) -> None:
    with pytest.raises(CommandError, match=r"^days: "):
        said("token", "create", "--user", "robot", "--role", "auditor", f"--days={days}")


@pytest.mark.django_db
def test_a_user_is_made_with_the_password_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    give_input(monkeypatch, "correct horse battery\n")
    assert said("user", "create", "--user", "alice", "--role", "soc_analyst") == ""
    assert get_user_model().objects.get(username="alice").check_password("correct horse battery")


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["", "short\n", "alice-alice\n", "123456789012\n"])
def test_a_password_that_is_easily_guessed_makes_no_user(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    give_input(monkeypatch, password)
    with pytest.raises(CommandError, match=r"^password: "):
        said("user", "create", "--user", "alice", "--role", "auditor")
    assert not accounts.exists("alice")


@pytest.mark.django_db
def test_planning_prints_a_plan_and_a_run_is_dry_unless_told_otherwise() -> None:
    assert json.loads(said("plan"))["decision_count"] == 0
    run = json.loads(said("run"))
    assert (run["dry_run"], run["state"]) == (True, "completed")


@pytest.mark.django_db
def test_a_live_run_wants_a_reason() -> None:
    with pytest.raises(CommandError, match=r"^reason: "):
        said("run", "--execute")
    assert not WorkerRun.objects.exists()


@pytest.mark.django_db
def test_a_live_run_is_paused_resumed_and_aborted_with_a_reason() -> None:
    run_id = json.loads(said("run", "--execute", "--reason", "It is back."))["run_id"]
    assert WorkerRun.objects.get().state == "queued"
    with pytest.raises(CommandError, match="--reason"):
        said("run", "pause", run_id)
    paused = json.loads(said("run", "pause", run_id, "--reason", "They asked us to wait."))
    assert paused["pause_reason"] == "They asked us to wait."
    with pytest.raises(CommandError, match="paused already"):
        said("run", "pause", run_id, "--reason", "Again.")
    assert json.loads(said("run", "resume", run_id, "--reason", "Go on."))["paused_at"] is None
    assert json.loads(said("run", "abort", run_id, "--reason", "Enough."))["state"] == "aborted"
    with pytest.raises(CommandError, match="finished"):
        said("run", "resume", run_id, "--reason", "Once more.")
    with pytest.raises(CommandError, match="No worker run"):
        said("run", "abort", "gordackworker-0", "--reason", "No such run.")
    assert WorkerRun.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["before", "after"])
def test_changing_a_run_wants_the_permission_of_whoever_is_named(place: str) -> None:
    tokens.create(username="robot", role=Role.AUDITOR)
    run_id = json.loads(said("run", "--execute", "--reason", "It is back."))["run_id"]
    named, change = ["--user", "robot"], ["pause", run_id, "--reason", "Wait."]
    with pytest.raises(CommandError, match="permission"):
        said("run", *(named + change if place == "before" else change + named))


@pytest.mark.django_db
def test_somebody_without_the_permission_runs_nothing() -> None:
    tokens.create(username="robot", role=Role.AUDITOR)
    with pytest.raises(CommandError, match="permission"):
        said("run", "--user", "robot")
    with pytest.raises(CommandError, match="No such user"):
        said("run", "--user", "nobody-here")


@pytest.mark.django_db
def test_connectors_says_so_when_there_are_none_and_refuses_an_unknown_name() -> None:
    assert said("connectors").startswith("No connector is configured.")
    with pytest.raises(CommandError, match="No connector"):
        said("connectors", "test", "nothing")


@pytest.mark.django_db
def test_migrating_twice_installs_the_schedules_once_and_leaves_others_alone() -> None:
    other = Schedule.objects.create(name="somebody-else-s", func="math.floor")
    for _ in range(2):
        call_command("migrate", verbosity=0)
    assert Schedule.objects.filter(name="cavra-sweep").count() == 1
    assert WorkerSchedule.objects.count() == 1
    assert Schedule.objects.filter(pk=other.pk).exists()


def test_demo_connectors_point_at_the_receiver_and_keep_their_secrets_in_files(tmp_path: Path) -> None:
    path = tmp_path / env.DEMO_CONNECTORS
    for _ in range(2):
        demo.write_connectors(path, home=tmp_path, receiver_port=8001)
    text = path.read_text()
    files = list((tmp_path / demo.SECRETS_FOLDER).iterdir())
    assert len(files) == 2
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text() not in text


@pytest.mark.django_db(transaction=True)
def test_the_demo_s_evidence_is_seeded_once_through_the_engine(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / env.DEMO_CONNECTORS
    demo.write_connectors(path, home=tmp_path, receiver_port=9)
    settings.CAVRA_CONNECTOR_CONFIG = path
    # The process remembers the configuration it read.
    monkeypatch.setattr(connectors._known, "configuration", None)
    call_command("migrate", verbosity=0)
    assert set(demo.make_identities()) == {demo.username(role) for role in Role}
    assert demo.make_identities() == {}
    assert demo.seed() is True
    count = DrillSchedule.objects.count()
    assert count > 0
    assert demo.seed() is False
    assert DrillSchedule.objects.count() == count


@pytest.mark.slow
def test_a_setting_nobody_knows_stops_the_command_with_one_line(tmp_path: Path) -> None:
    done = cavra("check", home=tmp_path, CAVRA_PROT="hunter2")
    assert done.returncode == 1
    assert done.stderr == "cavra: CAVRA_PROT: no such setting (docs/settings.md lists them all)\n"
    assert done.stdout == ""


@pytest.mark.slow
def test_migrate_makes_the_state_folder_and_the_key_and_a_token_can_be_had(tmp_path: Path) -> None:
    home = tmp_path / "state"
    assert cavra("migrate", "--verbosity", "0", home=home).returncode == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600
    done = cavra("token", "create", "--user", "robot", "--role", "auditor", home=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("cavra_")


@pytest.mark.slow
def test_a_site_without_a_key_is_told_to_migrate(tmp_path: Path) -> None:
    done = cavra("plan", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "cavra: CAVRA_SECRET_KEY_FILE: there is no key yet; cavra migrate makes one\n"


@pytest.mark.slow
def test_a_database_that_was_never_migrated_is_one_line_and_not_a_traceback(tmp_path: Path) -> None:
    keys.ensure(tmp_path / "secret_key")
    done = cavra("plan", home=tmp_path, CAVRA_DATABASE_URL=f"sqlite:///{tmp_path}/none.sqlite3")
    assert done.returncode == 1
    assert "cavra migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_evidence_is_held_listed_released_and_pruned_from_the_terminal() -> None:
    placed = json.loads(said("hold", "place", "--everything", "--reason", "Case 4711."))
    assert (placed["scope"], placed["subject_id"], placed["released_at"]) == ("everything", None, None)
    assert [hold["hold_id"] for hold in json.loads(said("hold", "list"))] == [placed["hold_id"]]
    released = json.loads(said("hold", "release", placed["hold_id"], "--reason", "Case 4711 is closed."))
    assert released["release_reason"] == "Case 4711 is closed."
    assert json.loads(said("hold", "list")) == []
    assert len(json.loads(said("hold", "list", "--all"))) == 1
    found = json.loads(said("prune", "--older-than", "30"))
    assert (found["dry_run"], found["pruned_count"]) == (True, 0)
    with pytest.raises(CommandError, match=r"^reason: "):
        said("prune", "--older-than", "30", "--execute")
    with pytest.raises(CommandError, match=r"^older_than_days: "):
        said("prune", "--older-than", "29")
    with pytest.raises(CommandError, match="No audit has this id"):
        said("hold", "place", "--audit", "gordackaudit-0", "--reason", "Case 4711.")
