"""The steps of an exchange with a receiver that wants more than the event.

In order, where the connector can do it: sign in, ask whether the event is held already, send it, wait for the last
word. Only the event's own step decides about refusal; what comes before can only prevent it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

from rollback_audit.delivery.contract import (
    Asking,
    Confirming,
    Connector,
    ConnectorSettings,
    Envelope,
    Judge,
    PayloadTooLarge,
    Phase,
    SigningIn,
    Step,
    Verdict,
    WireRequest,
)
from rollback_audit.delivery.statuses import is_success
from rollback_audit.delivery.tokens import TOKENS
from rollback_audit.states import FailureKind

# Between one question for the last word and the next.
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 10.0
GROWTH = 1.5


def checked_request(
    connector: Connector, settings: ConnectorSettings, envelope: Envelope, *, now: datetime
) -> WireRequest:
    """The request that carries the envelope. Raises PayloadTooLarge over the vendor's limit."""
    request = connector.build(settings, envelope, now=now)
    if len(request.body) > connector.MAX_BODY_BYTES:
        raise PayloadTooLarge
    return request


@dataclass(frozen=True, slots=True)
class Course:
    """One envelope's way to one connector. What the connector cannot do is None; `asking` also where nobody doubts.

    `receipt` is what an earlier try was given.
    """

    connector: Connector
    signing_in: SigningIn | None
    asking: Asking | None
    confirming: Confirming | None
    settings: ConnectorSettings
    envelope: Envelope
    now: datetime
    receipt: int | None

    def opening(self) -> Step:
        """The first step. Raises PayloadTooLarge, so that nobody signs in for nothing."""
        if self.signing_in is None:
            return self._question(self.settings)
        token = TOKENS.find(self.settings.digest)
        if token is not None:
            return self._question(self._with_token(token))
        checked_request(self.connector, self._with_token(""), self.envelope, now=self.now)
        return self._sign_in(self.signing_in)

    def _sign_in(self, signing_in: SigningIn) -> Step:
        return Step(
            request=signing_in.sign_in(self.settings),
            judge=partial(self._signed_in, signing_in),
            phase=Phase.PREPARE,
            shared=self.settings.digest,
            receipt=self.receipt,
        )

    def _signed_in(self, signing_in: SigningIn, status_code: int, body: bytes) -> Verdict | Step:
        found = signing_in.token(status_code, body)
        if isinstance(found, Verdict):
            return found
        token, lasts_seconds = found
        TOKENS.keep(self.settings.digest, token, lasts_seconds=lasts_seconds)
        return self._question(self._with_token(token), is_fresh=True)

    def _question(self, settings: ConnectorSettings, *, is_fresh: bool = False) -> Step:
        """Ask first, where there is something to ask; else send."""
        event = self._event(settings, is_fresh=is_fresh)
        if self.asking is None:
            return event
        request = self.asking.question(settings, self.envelope, receipt=self.receipt)
        if request is None:
            return event
        judge = partial(self._answered, self.asking, event)
        return Step(
            request=request,
            judge=self._renewing(judge, settings, is_fresh=is_fresh),
            phase=Phase.PREPARE,
            receipt=self.receipt,
        )

    def _answered(self, asking: Asking, event: Step, status_code: int, body: bytes) -> Verdict | Step:
        held = asking.holding(status_code, body, self.envelope)
        return event if held is None else held

    def _event(self, settings: ConnectorSettings, *, is_fresh: bool) -> Step:
        judge: Judge = self.connector.judge
        if self.confirming is not None and self.confirming.wanted(settings):
            judge = partial(self._sent, self.confirming, settings)
        return Step(
            request=checked_request(self.connector, settings, self.envelope, now=self.now),
            judge=self._renewing(judge, settings, is_fresh=is_fresh),
        )

    def _sent(
        self, confirming: Confirming, settings: ConnectorSettings, status_code: int, body: bytes
    ) -> Verdict | Step:
        verdict = self.connector.judge(status_code, body)
        if not (verdict.confirmed and is_success(status_code)):
            return verdict
        if verdict.receipt is None:
            return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)
        request = confirming.confirmation(settings, self.envelope, receipt=verdict.receipt)
        return _poll(confirming, request, verdict.receipt, FIRST_WAIT_SECONDS)

    def _renewing(self, judge: Judge, settings: ConnectorSettings, *, is_fresh: bool) -> Judge:
        """The judge, and a new sign-in where a kept token has come to be refused. Once: a fresh one is not renewed."""
        if self.signing_in is None:
            return judge
        signing_in, token = self.signing_in, settings.secrets["access_token"]

        def judged(status_code: int, body: bytes) -> Verdict | Step:
            if status_code == HTTPStatus.UNAUTHORIZED:
                TOKENS.forget(self.settings.digest, token)
                if not is_fresh:
                    return self._sign_in(signing_in)
            return judge(status_code, body)

        return judged

    def _with_token(self, token: str) -> ConnectorSettings:
        secrets: Mapping[str, str] = MappingProxyType({**self.settings.secrets, "access_token": token})
        return replace(self.settings, secrets=secrets)


def _poll(confirming: Confirming, request: WireRequest, receipt: int, after_seconds: float) -> Step:
    """Ask for the last word after a while; and again, after longer, for as long as the deadline lets us."""

    def judged(status_code: int, body: bytes) -> Verdict | Step:
        word = confirming.confirmed(status_code, body, receipt=receipt)
        if word is not None:
            return word
        return _poll(confirming, request, receipt, min(after_seconds * GROWTH, LONGEST_WAIT_SECONDS))

    return Step(request=request, judge=judged, phase=Phase.CONFIRM, after_seconds=after_seconds, receipt=receipt)
