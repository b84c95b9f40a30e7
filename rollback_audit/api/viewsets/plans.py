"""Retry plans: make one, look at them and their decisions, review a decision, try another policy on what has failed."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples, links, samples
from rollback_audit.api.answers import BackTestAnswer, RetryAcknowledgementAnswer, RetryPlanAnswer
from rollback_audit.api.filters import DecisionFilters, PlanFilters
from rollback_audit.api.serializers.plans import (
    BackTestSerializer,
    RetryAcknowledgementCreateSerializer,
    RetryPlanCreateSerializer,
    policy_of,
)
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import backtests, plans, present, queries, reviews
from rollback_audit.engine.reviews import DecisionKey
from rollback_audit.models import RetryDecision, RetryPlan
from rollback_audit.records.plans import RetryDecisionRecord, RetryPlanRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


class RetryPlans(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.PLAN_RETRY}
    filterset_class = PlanFilters
    listing = "retry-plans"
    page_schema_version = f"{SCHEMA_PREFIX}-retry-plan-list.v1"

    def get_queryset(self) -> QuerySet[RetryPlan]:
        return queries.plans()

    @extend_schema(
        summary="Plan retries of failed deliveries",
        request=RetryPlanCreateSerializer,
        responses={200: shows(RetryPlanAnswer)},
        examples=examples.RETRY_PLAN,
    )
    def create(self, request: Request) -> Response:
        body = self.read(RetryPlanCreateSerializer)
        return self.once(lambda: self._plan(body))

    def _plan(self, body: Mapping[str, Any]) -> Response:
        plan, metadata = plans.plan_retry(
            actor=self.actor,
            policy=policy_of(body),
            source=body["source"],
            provider=body["provider"],
            generated_by=body["generated_by"],
        )
        return answered(RetryPlanAnswer(plan=links.with_rest_of_plan(plan), metadata=metadata, actor=self.signed_in))

    @extend_schema(
        summary="List retry plans, without their decisions",
        examples=samples.PLANS,
        responses=shows(RetryPlanRecord)(many=True),
    )
    def list(self, request: Request) -> Response:
        return self.page(lambda row: links.with_rest_of_plan(present.plan(row)))

    @extend_schema(
        summary="A retry plan with its first 1,000 decisions",
        examples=samples.PLAN,
        responses={200: shows(RetryPlanRecord)},
    )
    def retrieve(self, request: Request, retry_plan_id: str) -> Response:
        plan = plans.read_plan(actor=self.actor, retry_plan_id=retry_plan_id)
        return answered(links.with_rest_of_plan(plan))


class RetryPlanDecisions(EvidenceViewSet):
    filterset_class = DecisionFilters
    listing = "retry-plan-decisions"
    page_schema_version = f"{SCHEMA_PREFIX}-retry-decision-list.v1"
    page_key = "ordinal"
    page_ascending = True

    def get_queryset(self) -> QuerySet[RetryDecision]:
        return queries.decisions().filter(plan__retry_plan_id=self.kwargs.get("retry_plan_id"))

    @extend_schema(
        summary="The decisions of a retry plan, in the plan's order",
        examples=samples.DECISIONS,
        responses=shows(RetryDecisionRecord)(many=True),
    )
    def list(self, request: Request, retry_plan_id: str) -> Response:
        plans.read_plan(actor=self.actor, retry_plan_id=retry_plan_id, most=0)
        return self.page(present.decision)


class RetryPolicyBackTests(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.PLAN_RETRY}

    @extend_schema(
        summary="Replay past failures through another retry policy. Writes nothing",
        request=BackTestSerializer,
        responses={200: shows(BackTestAnswer)},
        examples=examples.BACK_TEST,
    )
    def create(self, request: Request) -> Response:
        body = self.read(BackTestSerializer)
        return self.once(lambda: self._back_test(body))

    def _back_test(self, body: Mapping[str, Any]) -> Response:
        record = backtests.back_test(
            actor=self.actor,
            policy=policy_of(body),
            since=body["since"],
            source=body["source"],
            provider=body["provider"],
        )
        return answered(BackTestAnswer(back_test=record, metadata=None, actor=self.signed_in))


class RetryAcknowledgements(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.REVIEW_RETRY}

    @extend_schema(
        summary="Review one decision of a retry plan",
        request=RetryAcknowledgementCreateSerializer,
        responses={200: shows(RetryAcknowledgementAnswer)},
        examples=examples.RETRY_ACKNOWLEDGEMENT,
    )
    def create(self, request: Request, retry_plan_id: str) -> Response:
        body = self.read(RetryAcknowledgementCreateSerializer)
        return self.once(lambda: self._acknowledge(retry_plan_id, body))

    def _acknowledge(self, retry_plan_id: str, body: Mapping[str, Any]) -> Response:
        acknowledgement, metadata = reviews.acknowledge_retry(
            actor=self.actor,
            retry_plan_id=retry_plan_id,
            key=DecisionKey(body["delivery_id"], body["audit_id"], body["provider"]),
            acknowledgement_state=body["acknowledgement_state"],
            external_ref=body["external_ref"],
            notes=body["notes"],
            acknowledged_by=body["acknowledged_by"],
        )
        return answered(
            RetryAcknowledgementAnswer(acknowledgement=acknowledgement, metadata=metadata, actor=self.signed_in)
        )
