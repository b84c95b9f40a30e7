"""The moves that states may make: what is not listed is forbidden."""

from enum import StrEnum

from rollback_audit.states.connectors import CircuitState
from rollback_audit.states.delivery import AttemptState, DeliveryState
from rollback_audit.states.recovery import HealthAlertState, RecoveryState
from rollback_audit.states.runs import ResultState, RunState

MOVES: dict[type[StrEnum], frozenset[tuple[StrEnum, StrEnum]]] = {
    DeliveryState: frozenset(
        {
            (DeliveryState.SENDING, DeliveryState.DELIVERED),
            (DeliveryState.SENDING, DeliveryState.FAILED),
            (DeliveryState.FAILED, DeliveryState.SENDING),
            (DeliveryState.FAILED, DeliveryState.CLOSED),
            (DeliveryState.CLOSED, DeliveryState.FAILED),
        }
    ),
    AttemptState: frozenset({(AttemptState.SENDING, AttemptState.SETTLED)}),
    CircuitState: frozenset(
        {
            (CircuitState.CLOSED, CircuitState.OPEN),
            (CircuitState.OPEN, CircuitState.HALF_OPEN),
            (CircuitState.OPEN, CircuitState.CLOSED),
            (CircuitState.HALF_OPEN, CircuitState.CLOSED),
            (CircuitState.HALF_OPEN, CircuitState.OPEN),
        }
    ),
    RunState: frozenset(
        {
            (RunState.QUEUED, RunState.RUNNING),
            (RunState.QUEUED, RunState.ABORTED),
            (RunState.RUNNING, RunState.COMPLETED),
            (RunState.RUNNING, RunState.ABORTED),
            (RunState.RUNNING, RunState.ABANDONED),
        }
    ),
    RecoveryState: frozenset({(RecoveryState.OPEN, RecoveryState.CLOSED), (RecoveryState.CLOSED, RecoveryState.OPEN)}),
    HealthAlertState: frozenset({(HealthAlertState.OPEN, HealthAlertState.RECOVERED)}),
    ResultState: frozenset(
        {
            (ResultState.REMAINING, ResultState.SENDING),
            (ResultState.REMAINING, ResultState.SKIPPED),
            (ResultState.SENDING, ResultState.DELIVERED),
            (ResultState.SENDING, ResultState.FAILED),
            (ResultState.SENDING, ResultState.UNKNOWN),
        }
    ),
}
