from dataclasses import dataclass
from datetime import datetime

from rollback_audit.states import Category, CircuitState, ConnectorStanding, FailureKind, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorRecord:
    """A connector without its address and secrets. `problem` names the configuration key at fault, never its value."""

    name: str
    provider: str
    category: Category
    standing: ConnectorStanding
    problem: str | None
    held_since: datetime | None
    circuit: CircuitState
    circuit_until: datetime | None
    drops_repeats: bool
    revision: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorTestRecord:
    """What became of a harmless test event sent to one connector."""

    name: str
    provider: str
    succeeded: bool
    outcome: Outcome
    failure_kind: FailureKind | None
    status_code: int | None
    duration_ms: int
    tested_at: datetime
