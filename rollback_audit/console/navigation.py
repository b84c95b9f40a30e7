"""Where the console leads: one list, drawn by the layout."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. `name` is an address's name."""

    label: str
    name: str


def _list(label: str, model: str) -> Place:
    return Place(label, f"admin:rollback_audit_{model}_changelist")


PLACES: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("", (Place("Overview", "console:overview"), Place("Health", "console:health"))),
    (
        "Delivery",
        (
            _list("Deliveries", "delivery"),
            _list("Attempts", "deliveryattempt"),
            _list("Packages", "evidencepackage"),
            _list("Delivery plans", "deliveryplan"),
            _list("Connectors", "connector"),
        ),
    ),
    (
        "Retry",
        (
            _list("Retry plans", "retryplan"),
            _list("Decisions", "retrydecision"),
            _list("Reviews", "retryacknowledgement"),
            _list("Approval plans", "approvalplan"),
            _list("Approvals", "approvaldecision"),
            _list("Worker runs", "workerrun"),
            _list("Results", "workerresult"),
            _list("Runs by connector", "runlane"),
            _list("Worker schedules", "workerschedule"),
        ),
    ),
    (
        "Recovery",
        (
            _list("Recoveries", "recovery"),
            _list("Playbooks", "recoveryplaybook"),
            _list("Closures", "recoveryclosure"),
            _list("Escalations", "recoveryescalation"),
            _list("Escalation words", "escalationacknowledgement"),
        ),
    ),
    (
        "Reports",
        (
            Place("Executive report", "console:executive-report"),
            _list("Stored reports", "executivereport"),
        ),
    ),
    (
        "Drills",
        (
            _list("Schedules", "drillschedule"),
            _list("Routes", "drillroute"),
            _list("Acknowledgements", "drillacknowledgement"),
        ),
    ),
    (
        "Health",
        (
            _list("Alerts", "healthalert"),
            _list("Alert acknowledgements", "healthalertacknowledgement"),
        ),
    ),
    (
        "Evidence",
        (
            _list("Ledger", "evidenceentry"),
            _list("Checkpoints", "ledgercheckpoint"),
            _list("Legal holds", "legalhold"),
        ),
    ),
)
