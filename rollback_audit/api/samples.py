"""Examples of answers, made of the records themselves so that they cannot drift from them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample

from rollback_audit.api.answers import ActorRecord, WorkerRunAnswer
from rollback_audit.engine.ledger import jsonable
from rollback_audit.planning.retry import REASONS
from rollback_audit.records.deliveries import DeliveryRecord
from rollback_audit.records.evidence import (
    CheckpointRecord,
    EntryProofRecord,
    LedgerKeyRecord,
    LedgerStatusRecord,
)
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.plans import PLAN_CONTROLS, RetryDecisionRecord, RetryPlanRecord
from rollback_audit.records.runs import (
    RUN_CONTROLS,
    ConnectorReceiptRecord,
    RunSummaryRecord,
    WindowRecord,
    WorkerDashboardRecord,
    WorkerRunRecord,
)
from rollback_audit.states import (
    Action,
    AlertLevel,
    DeliveryState,
    FailureKind,
    MetadataKind,
    ReasonCode,
    RunState,
    SkipReason,
    Source,
    StopReason,
)

_FAILED_AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_DUE_AT = datetime(2026, 1, 31, 12, 15, tzinfo=UTC)
_NOW = datetime(2026, 1, 31, 12, 20, tzinfo=UTC)
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_DELIVERY_ID = "gordackdelivery-0a1b2c3d4e5f6071"
_AUDIT_ID = "gordackaudit-0a1b2c3d4e5f6071"
_EVENT_ID = "gordackevent-0a1b2c3d4e5f6071"

_DECISION = RetryDecisionRecord(
    delivery_id=_DELIVERY_ID,
    audit_id=_AUDIT_ID,
    provider="splunk",
    source=Source.ACKNOWLEDGEMENT_AUDIT,
    action=Action.RETRY,
    reason_code=ReasonCode.DUE,
    reason=REASONS[ReasonCode.DUE],
    retry_count=1,
    max_retry_attempts=3,
    retry_delay_minutes=15,
    latest_delivery_id=_DELIVERY_ID,
    latest_delivery_at=_FAILED_AT,
    next_retry_at=_DUE_AT,
    failed_status_codes=[503],
    attempt_number=2,
    request_digest=_DIGEST,
    decision_digest=_DIGEST,
)
_PLAN = RetryPlanRecord(
    retry_plan_id="gordackretry-0a1b2c3d4e5f6071",
    plan_digest=_DIGEST,
    generated_at=_NOW,
    generated_by="nightly-review",
    alert_level=AlertLevel.CRITICAL,
    decision_count=1,
    retryable_count=1,
    waiting_count=0,
    suppressed_count=0,
    max_retry_attempts=3,
    base_retry_delay_minutes=15,
    backoff_multiplier=2.0,
    max_delay_minutes=1440,
    jitter_ratio=0.0,
    allow_immediate_retry=False,
    retry_unknown_outcome=False,
    source=None,
    provider=None,
    controls=list(PLAN_CONTROLS),
    retry_decisions=[],
    decisions_next=None,
)
_RUN = WorkerRunRecord(
    run_id="gordackworker-0a1b2c3d4e5f6071",
    state=RunState.COMPLETED,
    generated_at=_NOW,
    generated_by="release_manager",
    dry_run=True,
    reason="",
    aborted_by=None,
    abort_reason=None,
    paused_by=None,
    pause_reason=None,
    paused_at=None,
    started_at=_NOW,
    completed_at=_NOW,
    schedule=WindowRecord(
        interval_minutes=60,
        window_start=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
        window_end=datetime(2026, 1, 31, 13, 0, tzinfo=UTC),
        enabled=True,
        cadence="every_60_minutes",
    ),
    summary=RunSummaryRecord(
        retry_plan_count=1,
        retryable_count=1,
        waiting_retry_count=0,
        suppressed_retry_count=0,
        selected_retry_count=1,
        approval_pending_count=0,
        over_limit_count=0,
        follow_up_action_count=1,
        delivered_count=0,
        failed_count=0,
        skipped_count=1,
        unknown_count=0,
        remaining_count=0,
    ),
    receipt=[],
    retry_plan=_PLAN,
    selected_retries=[],
    follow_up_actions=[],
    controls=list(RUN_CONTROLS),
)
_STOPPED_RUN = replace(
    _RUN,
    state=RunState.ABORTED,
    dry_run=False,
    generated_by="platform_owner",
    reason="The receiver is back, CHG-1042.",
    aborted_by="system",
    abort_reason="Every connector's part was stopped by its rule; the receipt says why.",
    summary=replace(
        _RUN.summary,
        retryable_count=12,
        selected_retry_count=12,
        follow_up_action_count=12,
        delivered_count=1,
        failed_count=5,
        skipped_count=6,
    ),
    receipt=[
        ConnectorReceiptRecord(
            provider="splunk",
            selected_count=12,
            delivered_count=1,
            failed_count=5,
            skipped_count=6,
            unknown_count=0,
            remaining_count=0,
            skip_reasons={SkipReason.RUN_ABORTED: 6},
            wave=2,
            wave_count=3,
            stop_reason=StopReason.CONSECUTIVE_FAILURES,
            stopped_at=_NOW,
        )
    ],
    retry_plan=replace(_PLAN, decision_count=12, retryable_count=12),
)
_DASHBOARD = WorkerDashboardRecord(
    generated_at=_NOW,
    run_count=1,
    dry_run_count=1,
    executed_count=0,
    retryable_count=1,
    selected_retry_count=1,
    delivered_count=0,
    failed_count=0,
    waiting_count=0,
    suppressed_count=0,
    approval_pending_count=1,
    last_dry_run_at=_NOW,
    last_executed_at=None,
    next_scheduled_at=datetime(2026, 1, 31, 12, 30, tzinfo=UTC),
    alert_level=AlertLevel.CRITICAL,
    latest=[_RUN],
)
_DELIVERY = DeliveryRecord(
    delivery_id=_DELIVERY_ID,
    audit_id=_AUDIT_ID,
    provider="splunk",
    source=Source.ACKNOWLEDGEMENT_AUDIT,
    event_id=_EVENT_ID,
    state=DeliveryState.FAILED,
    attempt_count=1,
    failure_count=1,
    failure_kind=FailureKind.UNAVAILABLE,
    failed_status_codes=[503],
    in_doubt=False,
    last_attempt_at=_FAILED_AT,
    last_failed_at=_FAILED_AT,
    not_before=None,
    blocked_by=None,
    due_at=_DUE_AT,
    delivered_at=None,
    created_at=_FAILED_AT,
)
_LINE = HistoryRow(
    session_id="gordledger-0a1b2c3d4e5f6071",
    created_at=_FAILED_AT,
    signer="release_manager",
    metadata_kind=MetadataKind.CONNECTOR_DELIVERY,
    connector_delivery_source=Source.ACKNOWLEDGEMENT_AUDIT,
    provider="splunk",
    audit_id=_AUDIT_ID,
    delivery_id=_DELIVERY_ID,
    event_id=_EVENT_ID,
    providers=["splunk"],
    failed_providers=["splunk"],
    status_codes=[503],
    attempt_count=1,
    delivery_success=False,
    record={"attempt_number": 1, "outcome": "answered_5xx", "failure_kind": "unavailable", "status_code": 503},
)

_ORIGIN = "cavra-rollback-audit/1f2e3d4c5b6a7988"
_ROOT = "sTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes="
_CHECKPOINT = CheckpointRecord(
    origin=_ORIGIN,
    tree_size=2,
    root_hash=_ROOT,
    note=(
        f"{_ORIGIN}\n2\n{_ROOT}\n\n"
        f"\N{EM DASH} {_ORIGIN} "
        "voWkA2D/uzj6wPMnwr9m7mFJnp3orzWYoYS4cQvB8AhiaVDc0d8RQzs9"
        "O5r0VOqoBM9B3ENTrI6ILHevJgfdvJT2awc=\n"
    ),
    signed_at=_NOW,
)
_LEDGER = LedgerStatusRecord(
    checkpoint=_CHECKPOINT,
    keys=[
        LedgerKeyRecord(
            key_id="be85a403",
            vkey=f"{_ORIGIN}+be85a403+AWOC+TMfJz0g8W676CB2GOkThhbbUNt7hjR/fk/URVVz",
            replaces=None,
        )
    ],
    tree_size=2,
    unsequenced_count=1,
    unsigned_count=0,
)
_PROOF = EntryProofRecord(
    session_id=_LINE.session_id,
    leaf_hash="V+s1YV1H807HFMrN9f10YIpejhAnJOgLJLKHwMJ7ajE=",
    index=1,
    audit_path=["Aippeebat6pa5MPl5F9+l3ESp+Y1k4INvsHsc4ok+Tw="],
    checkpoint=_CHECKPOINT,
)


def _answer(name: str, record: Any) -> list[OpenApiExample]:
    return [OpenApiExample(name, value=jsonable(record), response_only=True)]


DASHBOARD = _answer("One delivery is due", _DASHBOARD)
DECISIONS = _answer("Due", _DECISION)
DELIVERIES = _answer("Failed once", _DELIVERY)
HISTORY = _answer("An attempt that failed", _LINE)
LEDGER = _answer("All but the newest line is signed", _LEDGER)
PLAN = _answer("One delivery is due", _PLAN)
PLANS = _answer("A plan", _PLAN)
PROOF = _answer("Below a checkpoint of two lines", _PROOF)
RUN = _answer(
    "A live run that its stop rule ended",
    WorkerRunAnswer(
        run=_STOPPED_RUN,
        metadata=HistoryRow(
            session_id=_STOPPED_RUN.run_id,
            created_at=_NOW,
            signer="system",
            metadata_kind=MetadataKind.WORKER_RUN,
            decision_count=12,
            blocked_count=6,
            record={"run_id": _STOPPED_RUN.run_id, "state": "aborted"},
        ),
        retry_metadata=None,
        retry_results=[],
        actor=ActorRecord(actor="platform_owner", subject="user:1", groups=["platform_owner"]),
    ),
)
RUNS = _answer("A dry run", _RUN)
