"""What the engine and a connector say to each other. No database, no sockets; all values frozen."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from rollback_audit.states import FAILURE_CLASS, Category, FailureClass, FailureKind, Outcome, RepeatCheck

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


# A method of ours: the body goes out as it is over TLS (`tls://host:port`) or plain TCP (`tcp://host:port`), and the
# connection's orderly end is the answer.
STREAM = "STREAM"


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request or STREAM, ready to send. Holds secrets: never stored, logged or shown."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Egress:
    """Where a connector may connect to, beside public addresses on the default ports, and whom it trusts there.

    The last four are for streams (`STREAM`) only.
    """

    allow_networks: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()
    allow_plain_http: bool = False
    ca_file: str | None = None
    allow_plain_tcp: bool = False
    allow_bare_close: bool = False
    client_cert_file: str | None = None
    client_key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a connector may be driven, over all workers. Not part of what is approved: they change nothing sent.

    The circuit opens after `circuit_threshold` failures within the window, and is probed after `circuit_open_seconds`.
    """

    requests_per_second: float | None = None
    max_concurrency: int | None = None
    circuit_threshold: int = 5
    circuit_window_seconds: int = 60
    circuit_open_seconds: int = 60


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
    limits: Limits = Limits()


def limits_of(settings: ConnectorSettings | None) -> Limits:
    """A connector's limits; the usual ones where this process has no settings for it."""
    return settings.limits if settings else Limits()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a complete answer means: confirmed, or a failure of one kind.

    `already_held` says that the receiver was asked and has the event from an earlier try: this one sent nothing.
    `receipt` is the number by which the receiver can be asked about the event later, where it gave one.
    """

    failure_kind: FailureKind | None
    already_held: bool = False
    receipt: int | None = None

    @property
    def confirmed(self) -> bool:
        return self.failure_kind is None


class Phase(Enum):
    """What one request of an exchange is for, and so what its failure means for the whole.

    A failed PREPARE (sign-in, question) means that nothing was sent. After EVENT the request carried the event. A
    CONFIRM that ends without a word leaves the outcome unknown: the receiver has the event and did not say the last.
    """

    PREPARE = auto()
    EVENT = auto()
    CONFIRM = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One request of an exchange, and how its answer is judged: to a verdict, or to the step that follows.

    The client waits `after_seconds` before it; the exchange's deadline covers all steps together. Of PREPARE steps
    that name the same `shared` thing (a sign-in) one is on the wire at a time; the others wait for it and open anew.
    `receipt` is what the exchange settles with where this step does not bring a better one.
    """

    request: "WireRequest"
    judge: "Judge"
    phase: Phase = Phase.EVENT
    after_seconds: float = 0.0
    shared: str = ""
    receipt: int | None = None


Judge = Callable[[int, bytes], "Verdict | Step"]


@dataclass(frozen=True, slots=True)
class Settlement(Generic[KeyT]):
    """What became of one exchange.

    `retry_after_seconds` counts from the moment the answer arrived; `duration_ms` from submission. `already_held` and
    `receipt` are the verdict's.
    """

    key: KeyT
    outcome: Outcome
    failure_kind: FailureKind | None
    status_code: int | None
    retry_after_seconds: int | None
    duration_ms: int
    already_held: bool = False
    receipt: int | None = None

    @property
    def failure_class(self) -> FailureClass | None:
        return None if self.failure_kind is None else FAILURE_CLASS[self.failure_kind]


@dataclass(frozen=True, slots=True)
class Send(Generic[KeyT]):
    """One exchange to drive, from its first step.

    `timeout_seconds` bounds the whole exchange, name look-up included. Once `start_by` (time.monotonic) has passed, the
    exchange is not begun and settles as not_sent / lease_lost: the sender no longer owns the delivery. `reopen` gives
    the first step anew to an exchange that waited for another one's shared step.
    """

    key: KeyT
    step: Step
    egress: Egress
    timeout_seconds: float
    start_by: float | None = None
    reopen: Callable[[], Step] | None = None


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


class Addressed(Protocol):
    """A vendor with an address of its own, so that `url` may be left out. Named in registry.ADDRESSED."""

    def address(self, options: Mapping[str, object]) -> str:
        """Where to send without a `url`. Raises ConfigurationProblem for an option that names no such place."""


class Asking(Protocol):
    """A receiver that can be asked whether it already holds an event. Named in registry.ASKING.

    `ASKS_BY` is BY_KEY where the idempotency key is enough, BY_RECEIPT where only what it answered before will do.
    """

    ASKS_BY: RepeatCheck

    def question(self, settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest | None:
        """The request that asks; None where there is nothing to ask by (no receipt was ever given)."""

    def holding(self, status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
        """Held (a verdict with `already_held`), or None: absent, send it. A failure: nobody can tell, send nothing."""


class SigningIn(Protocol):
    """A receiver that wants a short-lived token first. Named in registry.SIGNING_IN."""

    def sign_in(self, settings: ConnectorSettings) -> WireRequest:
        """The request for a token."""

    def token(self, status_code: int, body: bytes) -> tuple[str, int] | Verdict:
        """The token and the seconds it lasts, or why there is none. `build` finds it as secret `access_token`."""


class Confirming(Protocol):
    """A receiver that accepts first and confirms later. Named in registry.CONFIRMING.

    Its `judge` answers an accepted event with a confirmed verdict that carries a receipt.
    """

    def wanted(self, settings: ConnectorSettings) -> bool:
        """Whether these settings want the last word. An accepted event without a receipt is then unknown."""

    def confirmation(self, settings: ConnectorSettings, envelope: Envelope, *, receipt: int) -> WireRequest:
        """The request that asks whether the event is there for good."""

    def confirmed(self, status_code: int, body: bytes, *, receipt: int) -> Verdict | None:
        """The last word, or None: not yet, ask again."""


class ConfigurationProblem(Exception):
    """A connector's configuration is unusable. Names the key, never the value."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class PayloadTooLarge(Exception):
    """The event is over the vendor's limit and is refused before sending."""
