"""What the engine and a connector say to each other. No database, no sockets; all values frozen."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from rollback_audit.states import FAILURE_CLASS, Category, FailureClass, FailureKind, Outcome

KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event on its way to one connector.

    `event` is canonical JSON (UTF-8) of the public-safe event; `idempotency_key` is equal on every try of a delivery.
    """

    event: bytes
    event_type: str
    event_id: str
    idempotency_key: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request, ready to send. Holds secrets: never stored, logged or shown."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Egress:
    """Where a connector may connect to, beside public addresses on the default ports."""

    allow_networks: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()
    allow_plain_http: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """One connector as configured, its secrets resolved. Lives in memory only.

    `digest` is a keyed digest of everything here: the database sees it and never what it covers.
    """

    name: str
    provider: str
    enabled: bool
    url: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    options: Mapping[str, object] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    egress: Egress
    digest: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a complete answer means: confirmed, or a failure of one kind."""

    failure_kind: FailureKind | None

    @property
    def confirmed(self) -> bool:
        return self.failure_kind is None


@dataclass(frozen=True, slots=True)
class Settlement(Generic[KeyT]):
    """What became of one exchange.

    `retry_after_seconds` counts from the moment the answer arrived; `duration_ms` from submission.
    """

    key: KeyT
    outcome: Outcome
    failure_kind: FailureKind | None
    status_code: int | None
    retry_after_seconds: int | None
    duration_ms: int

    @property
    def failure_class(self) -> FailureClass | None:
        return None if self.failure_kind is None else FAILURE_CLASS[self.failure_kind]


Judge = Callable[[int, bytes], Verdict]


@dataclass(frozen=True, slots=True)
class Send(Generic[KeyT]):
    """One exchange to drive.

    `timeout_seconds` bounds the whole exchange, name look-up included. Once `start_by` (time.monotonic) has passed, the
    exchange is not begun and settles as not_sent / lease_lost: the sender no longer owns the delivery.
    """

    key: KeyT
    request: WireRequest
    egress: Egress
    judge: Judge
    timeout_seconds: float
    start_by: float | None = None


class Connector(Protocol):
    """One provider: a small module of pure functions (the module itself is the object, so it has no `self`).

    `SECRETS` names the secrets it takes (`token` is configured as `token_env` or `token_file`), `OPTIONS` its other
    keys and their types. `check` says which of them it cannot do without.
    """

    PROVIDER: str
    CATEGORY: Category
    DROPS_REPEATS: bool
    MAX_BODY_BYTES: int
    SECRETS: tuple[str, ...]
    OPTIONS: Mapping[str, type]

    def check(self, settings: ConnectorSettings) -> None:
        """Raise ConfigurationProblem for a setting this provider needs and does not find."""

    def build(self, settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
        """The request that carries the envelope. Raises PayloadTooLarge over the vendor's limit."""

    def judge(self, status_code: int, body: bytes) -> Verdict:
        """What a complete answer means. `body` is at most 4 KiB and is dropped afterwards."""


class ConfigurationProblem(Exception):
    """A connector's configuration is unusable. Names the key, never the value."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class PayloadTooLarge(Exception):
    """The event is over the vendor's limit and is refused before sending."""
