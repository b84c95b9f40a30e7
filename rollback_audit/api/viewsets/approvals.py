"""Approval of live retries: ask for it, look at what was asked, decide."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples, links
from rollback_audit.api.answers import ApprovalDecisionAnswer, ApprovalPlanAnswer
from rollback_audit.api.filters import EntryFilters
from rollback_audit.api.pagination import ShallowPagination
from rollback_audit.api.serializers.approvals import (
    ApprovalDecisionCreateSerializer,
    ApprovalPlanCreateSerializer,
    key_of,
)
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import approval_entries, approvals
from rollback_audit.models import ApprovalPlanEntry
from rollback_audit.records.approvals import ApprovalEntryRecord, ApprovalPlanRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


class ApprovalPlans(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.REQUEST_APPROVAL}

    @extend_schema(
        summary="Ask for approval of a plan's due decisions",
        request=ApprovalPlanCreateSerializer,
        responses={200: shows(ApprovalPlanAnswer)},
        examples=examples.APPROVAL_PLAN,
    )
    def create(self, request: Request) -> Response:
        body = self.read(ApprovalPlanCreateSerializer)
        return self.once(lambda: self._ask(body))

    def _ask(self, body: Mapping[str, Any]) -> Response:
        policy = body.get("approval_policy") or {}
        plan, metadata = approvals.request_approval(
            actor=self.actor,
            retry_plan_id=body["retry_plan_id"] or None,
            require_retry_ack=policy.get("require_retry_ack", True),
            generated_by=body["generated_by"],
        )
        return answered(
            ApprovalPlanAnswer(plan=links.with_rest_of_approval_plan(plan), metadata=metadata, actor=self.signed_in)
        )

    @extend_schema(summary="An approval plan with its first 1,000 entries", responses={200: shows(ApprovalPlanRecord)})
    def retrieve(self, request: Request, approval_plan_id: str) -> Response:
        plan = approvals.read_approval_plan(actor=self.actor, approval_plan_id=approval_plan_id)
        return answered(links.with_rest_of_approval_plan(plan))


class ApprovalPlanEntries(EvidenceViewSet):
    filterset_class = EntryFilters
    pagination_class = ShallowPagination
    listing = "approval-plan-entries"
    page_schema_version = f"{SCHEMA_PREFIX}-retry-execution-approval-entry-list.v1"
    page_ascending = True

    def get_queryset(self) -> QuerySet[ApprovalPlanEntry]:
        return ApprovalPlanEntry.objects.select_related("approval_plan", "decision__plan", "decision__delivery").filter(
            approval_plan__approval_plan_id=self.kwargs.get("approval_plan_id")
        )

    @extend_schema(
        summary="The entries of an approval plan, in the plan's order", responses=shows(ApprovalEntryRecord)(many=True)
    )
    def list(self, request: Request, approval_plan_id: str) -> Response:
        approvals.read_approval_plan(actor=self.actor, approval_plan_id=approval_plan_id, most=0)
        return self.page_all(approval_entries.records)


class ApprovalDecisions(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.APPROVE_RETRY}

    @extend_schema(
        summary="Approve, deny, defer or expire one entry, or all",
        request=ApprovalDecisionCreateSerializer,
        responses={200: shows(ApprovalDecisionAnswer)},
        examples=examples.APPROVAL_DECISION,
    )
    def create(self, request: Request, approval_plan_id: str) -> Response:
        body = self.read(ApprovalDecisionCreateSerializer)
        return self.once(lambda: self._decide(approval_plan_id, body))

    def _decide(self, approval_plan_id: str, body: Mapping[str, Any]) -> Response:
        key = key_of(body)
        answer = approvals.decide(
            actor=self.actor,
            approval_plan_id=approval_plan_id,
            key=key,
            approval_state=body["approval_state"],
            external_ref=body["external_ref"],
            notes=body["notes"],
            approved_by=body["approved_by"],
            expires_in_minutes=body["expires_in_minutes"],
        )
        return answered(
            ApprovalDecisionAnswer(
                decision=answer.decisions[0] if key else None,
                decisions=answer.decisions,
                decision_count=answer.decision_count,
                metadata=answer.metadata,
                actor=self.signed_in,
            )
        )
