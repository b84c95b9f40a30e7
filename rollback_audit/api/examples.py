"""Examples of requests, as the description shows them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_KEY = {
    "provider": "splunk",
    "delivery_id": "gordackdelivery-0a1b2c3d4e5f6071",
    "audit_id": "gordackaudit-0a1b2c3d4e5f6071",
}


def _request(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


RETRY_PLAN = [
    _request("Everything, under the default policy", {}),
    _request(
        "One connector, under a policy of its own",
        {
            "generated_by": "nightly-review",
            "provider": "splunk",
            "retry_policy": {"max_retry_attempts": 5, "retry_delay_minutes": 30, "backoff_multiplier": 1.5},
        },
    ),
]
BACK_TEST = [
    _request(
        "Ask sooner and more often",
        {
            "since": "2026-01-01T00:00:00+00:00",
            "retry_policy": {"max_retry_attempts": 6, "retry_delay_minutes": 5},
        },
    ),
]
RETRY_ACKNOWLEDGEMENT = [
    _request("Accept", {**_KEY, "acknowledgement_state": "accepted", "external_ref": "CHG-1042"}),
]
WORKER_RUN = [
    _request("A dry run", {}),
    _request(
        "Live, exactly the plan that was approved",
        {
            "execute": True,
            "reason": "The receiver is back, CHG-1042.",
            "retry_plan_id": "gordackretry-0a1b2c3d4e5f6071",
            "plan_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "max_retry_deliveries": 100,
        },
    ),
]
PAUSE = [_request("Wait", {"reason": "The receiver's owner asked us to wait."})]
RESUME = [_request("Go on", {"reason": "The receiver's owner says go on."})]
ABORT = [_request("Stop", {"reason": "The receiver fails again."})]
CONNECTOR_TEST = [_request("One harmless event", {}), _request("With patience", {"timeout_seconds": 30})]
CONNECTOR_RELEASE = [_request("End the hold", {"reason": "The credential was replaced, INC-7."})]
APPROVAL_PLAN = [
    _request("The newest plan", {}),
    _request(
        "One plan, reviewed or not",
        {"retry_plan_id": "gordackretry-0a1b2c3d4e5f6071", "approval_policy": {"require_retry_ack": False}},
    ),
]
APPROVAL_DECISION = [
    _request("Approve one for an hour", {**_KEY, "approval_state": "approved", "expires_in_minutes": 60}),
    _request("Deny all", {"decisions": "all", "approval_state": "denied", "external_ref": "CHG-1042"}),
]
RECOVERY_PLAYBOOK = [
    _request("Connectors that failed twice today", {}),
    _request("Connectors that failed at all this week", {"min_failure_count": 1, "lookback_hours": 168}),
]
RECOVERY_CLOSURE = [
    _request(
        "Works again, and this delivery proves it",
        {
            "provider": "splunk",
            "closure_state": "resolved",
            "external_ref": "INC-7",
            "verification_refs": ["gordackdelivery-0a1b2c3d4e5f6071"],
        },
    ),
    _request(
        "It was not over", {"provider": "splunk", "closure_state": "reopened", "external_ref": "INC-7, refused again"}
    ),
]
HEALTH_ALERT_DELIVERY = [
    _request("To every connector that works", {}),
    _request(
        "To one, at most every four hours, of a worker that runs every hour",
        {"delivery_provider": "slack", "suppression_window_minutes": 240, "expected_interval_minutes": 60},
    ),
]
HEALTH_ALERT_ACKNOWLEDGEMENT = [
    _request("Seen", {"acknowledgement_state": "acknowledged", "external_ref": "INC-7"}),
]
SCHEDULE = [
    _request(
        "A drill every 30 days",
        {
            "schedule_id": "payments-rollback",
            "owner": "payments",
            "escalation_owner": "platform",
            "providers": ["splunk", "webhook"],
            "interval_days": 30,
            "next_due_at": "2026-12-01T09:00:00+00:00",
            "acknowledgement_minutes": 240,
        },
    ),
]
SCHEDULE_CHANGE = [_request("Put it off", {"next_due_at": "2026-12-08T09:00:00+00:00"})]
NOTIFICATION = [
    _request("All that are due", {}),
    _request("One, now", {"schedule_id": "payments-rollback", "force": True, "provider": "webhook"}),
]
ACKNOWLEDGEMENT = [
    _request("Acknowledge", {"provider": "splunk", "acknowledgement_state": "acknowledged", "external_ref": "INC-7"}),
]
BULK_ACKNOWLEDGEMENT = [
    _request(
        "Two words at once",
        {
            "acknowledgement_state": "resolved",
            "routes": [
                {"schedule_id": "payments-rollback", "provider": "splunk"},
                {"schedule_id": "payments-rollback", "provider": "webhook", "acknowledgement_state": "escalated"},
            ],
        },
    ),
]
AUDIT_PACKAGE = [_request("One owner's drills", {"owner": "payments"})]
AUDIT_DELIVERY = [
    _request("To every connector", {}),
    _request("One owner's drills to two connectors", {"owner": "payments", "delivery_provider": "splunk,webhook"}),
]
ESCALATION_PLAN = [
    _request("Everything near or past four hours", {}),
    _request("Only what is past an hour", {"recovery_slo_minutes": 60, "minimum_level": "breached"}),
]
ESCALATION_DELIVERY = [
    _request("To every connector that works", {}),
    _request("To one", {"delivery_provider": "splunk"}),
]
ESCALATION_ACKNOWLEDGEMENT = [
    _request("Take it", {"acknowledgement_state": "accepted", "external_ref": "INC-7"}),
]
REPORT_RUN = [
    _request("The last seven days, once a day", {}),
    _request("The last day, once an hour", {"lookback_hours": 24, "schedule": {"interval_minutes": 60}}),
]
REPORT_DELIVERY = [_request("To every connector that works", {})]
LEGAL_HOLD = [
    _request(
        "One audit, with its deliveries",
        {"scope": "audit", "subject_id": "gordackaudit-0a1b2c3d4e5f6071", "reason": "Case 4711."},
    ),
    _request("Everything", {"scope": "everything", "reason": "Case 4711."}),
]
HOLD_RELEASE = [_request("The case is over", {"reason": "Case 4711 is closed."})]
