"""Every route of the API: how it is asked, and what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_audit.states import Permission
from tests.receivers import RecordingReceiver

ROOT = "/runtime/go-pilot"
B = f"{ROOT}/rollback-drill-notifications"
A = f"{B}/acknowledgements/audit-delivery"
E = f"{ROOT}/evidence"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Ids of what there is."""

    schedule_id: str
    retry_plan_id: str
    plan_digest: str
    approval_plan_id: str
    playbook_id: str
    recovery_id: str
    escalation_id: str
    report_id: str
    run_id: str
    delivery_id: str
    audit_id: str
    alert_id: str
    hold_id: str
    # A line of the ledger, and the size of the checkpoint that covers it.
    session_id: str
    tree_size: int
    receiver: RecordingReceiver
    # The connector's.
    name: str = "webhook"

    @property
    def key(self) -> dict[str, str]:
        return {"delivery_id": self.delivery_id, "audit_id": self.audit_id, "provider": "webhook"}


Body = Callable[[World], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Door:
    """One method at one address. The address has the ids of a World as fields; `body` is the least that works."""

    method: str
    address: str
    permission: Permission = Permission.VIEW_EVIDENCE
    body: Body = lambda world: {}
    status: int = 200
    media_type: str = JSON

    def __str__(self) -> str:
        return f"{self.method} {self.address.removeprefix(ROOT)}"

    def at(self, world: World) -> str:
        return self.address.format(**{name: getattr(world, name) for name in World.__slots__})


def _new_schedule(world: World) -> dict[str, Any]:
    return {
        "schedule_id": "orders-rollback",
        "owner": "orders",
        "providers": ["webhook"],
        "interval_days": 30,
        "next_due_at": "2030-01-01T00:00:00+00:00",
    }


# Once, so that a request can be repeated word for word.
_YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


def _reason(world: World) -> dict[str, Any]:
    return {"reason": "A test."}


READS = [
    Door("GET", f"{ROOT}/openapi.json"),
    Door("GET", f"{A}/worker-runs"),
    Door("GET", f"{A}/worker-runs/{{run_id}}"),
    Door("GET", f"{A}/worker-runs/{{run_id}}/results"),
    Door("GET", f"{A}/worker-dashboard"),
    Door("GET", f"{A}/retry-plans"),
    Door("GET", f"{A}/retry-plans/{{retry_plan_id}}"),
    Door("GET", f"{A}/retry-plans/{{retry_plan_id}}/decisions"),
    Door("GET", f"{A}/retry-execution-approval-plans/{{approval_plan_id}}"),
    Door("GET", f"{A}/retry-execution-approval-plans/{{approval_plan_id}}/entries"),
    Door("GET", f"{A}/connector-recovery-playbooks"),
    Door("GET", f"{A}/connector-recovery-playbooks/{{playbook_id}}"),
    Door("GET", f"{A}/connector-recovery-playbooks/{{playbook_id}}/closures"),
    Door("GET", f"{A}/connector-recoveries"),
    Door("GET", f"{A}/connector-recoveries/{{recovery_id}}"),
    Door("GET", f"{A}/retry-recovery-report"),
    Door("GET", f"{A}/recovery-escalations"),
    Door("GET", f"{A}/recovery-escalations/{{escalation_id}}"),
    Door("GET", f"{A}/recovery-escalations/{{escalation_id}}/acknowledgements"),
    Door("GET", f"{A}/recovery-executive-report"),
    Door("GET", f"{A}/recovery-executive-report/schedule-runs"),
    Door("GET", f"{A}/recovery-executive-report/schedule-runs/{{report_id}}"),
    Door("GET", f"{A}/worker-health"),
    Door("GET", f"{A}/worker-health-alerts"),
    Door("GET", f"{A}/worker-health-alert-dashboard"),
    Door("GET", f"{A}/deliveries"),
    Door("GET", f"{A}/deliveries/{{delivery_id}}"),
    Door("GET", f"{A}/connectors"),
    Door("GET", f"{B}/schedules"),
    Door("GET", f"{B}/schedules/{{schedule_id}}"),
    Door("GET", f"{B}/routes"),
    Door("GET", B),
    Door("GET", f"{B}/dashboard"),
    Door("GET", f"{E}/ledger"),
    Door("GET", f"{E}/holds"),
    Door("GET", f"{E}/holds/{{hold_id}}"),
    Door("GET", f"{E}/checkpoints"),
    Door("GET", f"{E}/checkpoints/{{tree_size}}"),
    Door("GET", f"{E}/entries/{{session_id}}/proof"),
    # Wants two sizes; see tests/api/test_evidence.py.
    Door("GET", f"{E}/consistency", status=400),
    Door("GET", f"{E}/bundle", media_type="application/zip"),
    Door("GET", f"{E}/verify_evidence.py", media_type="text/x-python"),
]
POSTS = [
    Door("POST", f"{A}/retry-plan", Permission.PLAN_RETRY),
    Door("POST", f"{A}/retry-policy-back-test", Permission.PLAN_RETRY, lambda world: {"since": _YESTERDAY}),
    Door("POST", f"{A}/worker-run", Permission.RUN_DRY),
    Door(
        "POST",
        f"{A}/retry-plans/{{retry_plan_id}}/acknowledgements",
        Permission.REVIEW_RETRY,
        lambda world: world.key,
    ),
    Door("POST", f"{A}/retry-execution-approval-plan", Permission.REQUEST_APPROVAL),
    Door(
        "POST",
        f"{A}/retry-execution-approval-plans/{{approval_plan_id}}/decisions",
        Permission.APPROVE_RETRY,
        lambda world: world.key,
    ),
    Door("POST", f"{A}/connector-recovery-playbook", Permission.OPEN_RECOVERY),
    Door(
        "POST",
        f"{A}/connector-recovery-playbooks/{{playbook_id}}/closures",
        Permission.CLOSE_RECOVERY,
        lambda world: {"provider": "webhook", "closure_state": "deferred", "external_ref": "INC-7"},
    ),
    Door("POST", f"{A}/recovery-escalation-plan", Permission.OPEN_RECOVERY),
    Door("POST", f"{A}/recovery-escalations/{{escalation_id}}/acknowledgements", Permission.ACKNOWLEDGE_ALERT),
    Door("POST", f"{A}/recovery-executive-report/schedule-run", Permission.OPEN_RECOVERY),
    Door("POST", f"{A}/connectors/{{name}}/test", Permission.EDIT_CONNECTORS),
    Door("POST", f"{A}/connectors/{{name}}/release", Permission.EDIT_CONNECTORS, _reason),
    Door("POST", A, Permission.DELIVER_EVIDENCE),
    Door("POST", f"{B}/schedules", Permission.EDIT_SCHEDULES, _new_schedule, 201),
    Door("POST", f"{B}/deliver", Permission.DELIVER_EVIDENCE),
    Door(
        "POST",
        f"{B}/{{schedule_id}}/acknowledgements",
        Permission.ACKNOWLEDGE_DRILL,
        lambda world: {"provider": "webhook"},
    ),
    Door(
        "POST",
        f"{B}/acknowledgements/bulk",
        Permission.ACKNOWLEDGE_DRILL,
        lambda world: {"routes": [{"schedule_id": world.schedule_id, "provider": "webhook"}]},
    ),
    Door("POST", f"{B}/acknowledgements/audit-package", Permission.DELIVER_EVIDENCE),
    Door("POST", f"{A}/worker-health-alerts/deliver", Permission.DELIVER_EVIDENCE),
    Door("POST", f"{A}/worker-health-alerts/{{alert_id}}/acknowledgements", Permission.ACKNOWLEDGE_ALERT),
    Door(
        "POST",
        f"{E}/holds",
        Permission.RETAIN_EVIDENCE,
        lambda world: {"scope": "audit", "subject_id": world.audit_id, "reason": "A test."},
    ),
    Door("POST", f"{E}/holds/{{hold_id}}/release", Permission.RETAIN_EVIDENCE, _reason),
]
PATCH = Door("PATCH", f"{B}/schedules/{{schedule_id}}", Permission.EDIT_SCHEDULES, lambda world: {"interval_days": 7})
# Work only on a live run that has not finished; see `live_run`.
CHANGES = [
    Door("POST", f"{A}/worker-runs/{{run_id}}/{verb}", Permission.EXECUTE_RETRY, _reason, 409)
    for verb in ("pause", "resume", "abort")
]
# The only connector is the one that fails, so there is none to send these to; see tests/api/test_reports.py.
ESCALATE = Door("POST", f"{A}/recovery-escalations/{{escalation_id}}/deliver", Permission.DELIVER_EVIDENCE, status=409)
REPORT = Door(
    "POST",
    f"{A}/recovery-executive-report/schedule-runs/{{report_id}}/deliver",
    Permission.DELIVER_EVIDENCE,
    status=409,
)
WRITES = [*POSTS, PATCH, *CHANGES, ESCALATE, REPORT]
DOORS = [*READS, *WRITES]
