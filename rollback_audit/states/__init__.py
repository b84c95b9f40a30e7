"""Every stored word of the system, in one leaf package.

The values are what the database holds and what the wire shows. A move that `MOVES` does not list is forbidden; the
diagrams in docs/states.md are checked against it.
"""

from rollback_audit.states.connectors import Category, CircuitState, ConnectorStanding, RepeatCheck
from rollback_audit.states.delivery import (
    FAILURE_CLASS,
    AttemptState,
    DeliveryState,
    FailureClass,
    FailureKind,
    Outcome,
)
from rollback_audit.states.evidence import (
    KEPT_FOR_EVER,
    KIND_PREFIX,
    METADATA_SCHEMA_VERSION,
    OUTSTANDING,
    PRODUCT,
    SCHEMA_PREFIX,
    AcknowledgementState,
    AlertLevel,
    HoldScope,
    LedgerFault,
    MetadataKind,
    Source,
)
from rollback_audit.states.moves import MOVES
from rollback_audit.states.people import ROLE_PERMISSIONS, Permission, Role
from rollback_audit.states.recovery import (
    ClosureState,
    EscalationAcknowledgementState,
    EscalationLevel,
    HealthAlertState,
    HealthCode,
    RecoveryState,
    ReportRisk,
)
from rollback_audit.states.retry import (
    Action,
    ApprovalAction,
    ApprovalState,
    FourEyes,
    ReasonCode,
    RetryAcknowledgementState,
)
from rollback_audit.states.runs import (
    DriftField,
    FollowUpApproval,
    ResultState,
    RunMode,
    RunState,
    SkipReason,
    StopReason,
)

__all__ = [
    "FAILURE_CLASS",
    "KEPT_FOR_EVER",
    "KIND_PREFIX",
    "METADATA_SCHEMA_VERSION",
    "MOVES",
    "OUTSTANDING",
    "PRODUCT",
    "ROLE_PERMISSIONS",
    "SCHEMA_PREFIX",
    "AcknowledgementState",
    "Action",
    "AlertLevel",
    "ApprovalAction",
    "ApprovalState",
    "AttemptState",
    "Category",
    "CircuitState",
    "ClosureState",
    "ConnectorStanding",
    "DeliveryState",
    "DriftField",
    "EscalationAcknowledgementState",
    "EscalationLevel",
    "FailureClass",
    "FailureKind",
    "FollowUpApproval",
    "FourEyes",
    "HealthAlertState",
    "HealthCode",
    "HoldScope",
    "LedgerFault",
    "MetadataKind",
    "Outcome",
    "Permission",
    "ReasonCode",
    "RecoveryState",
    "RepeatCheck",
    "ReportRisk",
    "ResultState",
    "RetryAcknowledgementState",
    "Role",
    "RunMode",
    "RunState",
    "SkipReason",
    "Source",
    "StopReason",
]
