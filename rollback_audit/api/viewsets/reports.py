"""Escalations of recoveries and executive reports: make them, send them, answer them, read what was sent."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples
from rollback_audit.api.answers import (
    EscalationAcknowledgementAnswer,
    EscalationDeliveryAnswer,
    EscalationPlanAnswer,
    ExecutiveReportAnswer,
    ReportDeliveryAnswer,
    ReportRunAnswer,
    of_delivery,
)
from rollback_audit.api.filters import EscalationAcknowledgementFilters, EscalationFilters, ReportFilters
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.serializers.reports import (
    EscalationAcknowledgementCreateSerializer,
    EscalationDeliverySerializer,
    EscalationPlanCreateSerializer,
    ReportDeliverySerializer,
    ReportRunCreateSerializer,
    policy_of,
    scope_of,
)
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import escalation_words, escalations, executive_reports, present_reports, queries
from rollback_audit.engine.executive_reports import DEFAULT_SCOPE, ReportScope
from rollback_audit.models import EscalationAcknowledgement, ExecutiveReport, RecoveryEscalation
from rollback_audit.records.escalations import (
    EscalationAcknowledgementRecord,
    EscalationDetailRecord,
    EscalationPlanRecord,
)
from rollback_audit.records.executive_reports import ReportRunDetailRecord, ReportRunRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


class RecoveryEscalations(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {
        "create": Permission.OPEN_RECOVERY,
        "deliver": Permission.DELIVER_EVIDENCE,
    }
    filterset_class = EscalationFilters
    listing = "recovery-escalations"
    page_schema_version = f"{SCHEMA_PREFIX}-recovery-escalation-list.v1"

    def get_queryset(self) -> QuerySet[RecoveryEscalation]:
        return queries.escalations()

    @extend_schema(
        summary="Package the open recoveries that are near or past their objective",
        request=EscalationPlanCreateSerializer,
        responses={200: shows(EscalationPlanAnswer)},
        examples=examples.ESCALATION_PLAN,
    )
    def create(self, request: Request) -> Response:
        body = self.read(EscalationPlanCreateSerializer)
        return self.once(lambda: self._plan(body))

    @extend_schema(
        summary="Send an escalation to connectors that work, once to each",
        request=EscalationDeliverySerializer,
        responses={200: shows(EscalationDeliveryAnswer)},
        examples=examples.ESCALATION_DELIVERY,
    )
    def deliver(self, request: Request, escalation_id: str) -> Response:
        body = self.read(EscalationDeliverySerializer)
        return self.once(lambda: self._deliver(escalation_id, body))

    @extend_schema(summary="Escalations, newest first", responses=shows(EscalationPlanRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(present_reports.escalation)

    @extend_schema(
        summary="An escalation with the words said of it and its deliveries",
        responses={200: shows(EscalationDetailRecord)},
    )
    def retrieve(self, request: Request, escalation_id: str) -> Response:
        return answered(escalations.read_escalation(actor=self.actor, plan_id=escalation_id))

    def _plan(self, body: Mapping[str, Any]) -> Response:
        plan, metadata = escalations.plan_escalation(
            actor=self.actor, policy=policy_of(body), provider=body["provider"], generated_by=body["generated_by"]
        )
        return answered(EscalationPlanAnswer(plan=plan, metadata=metadata, actor=self.signed_in))

    def _deliver(self, escalation_id: str, body: Mapping[str, Any]) -> Response:
        answer = escalations.deliver_escalation(
            actor=self.actor,
            plan_id=escalation_id,
            delivery_provider=body["delivery_provider"],
            timeout_seconds=body["timeout_seconds"],
            max_routes=body["max_routes"],
            generated_by=body["generated_by"],
        )
        return answered(EscalationDeliveryAnswer(plan=answer.plan, actor=self.signed_in, **of_delivery(answer.sent)))


class EscalationAcknowledgements(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.ACKNOWLEDGE_ALERT}
    filterset_class = EscalationAcknowledgementFilters
    listing = "escalation-acknowledgements"
    page_schema_version = f"{SCHEMA_PREFIX}-recovery-escalation-ack-list.v1"

    def get_queryset(self) -> QuerySet[EscalationAcknowledgement]:
        return queries.escalation_acknowledgements().filter(escalation__plan_id=self.kwargs.get("escalation_id"))

    @extend_schema(
        summary="Say a word on an escalation; the latest counts",
        request=EscalationAcknowledgementCreateSerializer,
        responses={200: shows(EscalationAcknowledgementAnswer)},
        examples=examples.ESCALATION_ACKNOWLEDGEMENT,
    )
    def create(self, request: Request, escalation_id: str) -> Response:
        body = self.read(EscalationAcknowledgementCreateSerializer)
        return self.once(lambda: self._acknowledge(escalation_id, body))

    @extend_schema(
        summary="The words said on an escalation, newest first",
        responses=shows(EscalationAcknowledgementRecord)(many=True),
    )
    def list(self, request: Request, escalation_id: str) -> Response:
        escalations.find(escalation_id)
        return self.page(present_reports.acknowledgement)

    def _acknowledge(self, escalation_id: str, body: Mapping[str, Any]) -> Response:
        acknowledgement, metadata = escalation_words.acknowledge_escalation(
            actor=self.actor, plan_id=escalation_id, **body
        )
        return answered(
            EscalationAcknowledgementAnswer(acknowledgement=acknowledgement, metadata=metadata, actor=self.signed_in)
        )


def _scope_parameter(name: str, most: int, description: str) -> OpenApiParameter:
    default = getattr(DEFAULT_SCOPE, name)
    return OpenApiParameter(
        name, {"type": "integer", "minimum": 1, "maximum": most, "default": default}, description=description
    )


class ExecutiveReports(EvidenceViewSet):
    """The report as it would be now."""

    def query_names(self) -> set[str]:
        return {"recovery_slo_minutes", "lookback_hours", "generated_by"}

    @extend_schema(
        summary="How delivery and recovery stand, for leaders; writes nothing",
        responses={200: shows(ExecutiveReportAnswer)},
        parameters=[
            _scope_parameter(
                "recovery_slo_minutes",
                escalations.LONGEST_SLO_MINUTES,
                "How long a recovery may take, from its first failure on.",
            ),
            _scope_parameter("lookback_hours", executive_reports.LONGEST_LOOKBACK_HOURS, "The hours it covers."),
            OpenApiParameter("generated_by", str, description="A label for the report."),
        ],
    )
    def retrieve(self, request: Request) -> Response:
        scope = ReportScope(
            recovery_slo_minutes=self.whole(
                "recovery_slo_minutes",
                default=DEFAULT_SCOPE.recovery_slo_minutes,
                least=1,
                most=escalations.LONGEST_SLO_MINUTES,
            ),
            lookback_hours=self.whole(
                "lookback_hours",
                default=DEFAULT_SCOPE.lookback_hours,
                least=1,
                most=executive_reports.LONGEST_LOOKBACK_HOURS,
            ),
        )
        report = executive_reports.executive_report(
            actor=self.actor, scope=scope, generated_by=self.narrowed_to("generated_by", most=128)
        )
        return answered(ExecutiveReportAnswer(report=report, metadata=None, actor=self.signed_in))


class ReportRuns(EvidenceViewSet):
    """Stored reports, one for each window."""

    needs: ClassVar[Mapping[str, Permission]] = {
        "create": Permission.OPEN_RECOVERY,
        "deliver": Permission.DELIVER_EVIDENCE,
    }
    filterset_class = ReportFilters
    listing = "executive-report-runs"
    page_schema_version = f"{SCHEMA_PREFIX}-recovery-executive-report-list.v1"

    def get_queryset(self) -> QuerySet[ExecutiveReport]:
        return queries.executive_reports()

    @extend_schema(
        summary="Store the report of the present window; a window has one",
        request=ReportRunCreateSerializer,
        responses={200: shows(ReportRunAnswer)},
        examples=examples.REPORT_RUN,
    )
    def create(self, request: Request) -> Response:
        body = self.read(ReportRunCreateSerializer)
        return self.once(lambda: self._store(body))

    @extend_schema(
        summary="Send a stored report to connectors that work, once to each",
        request=ReportDeliverySerializer,
        responses={200: shows(ReportDeliveryAnswer)},
        examples=examples.REPORT_DELIVERY,
    )
    def deliver(self, request: Request, report_id: str) -> Response:
        body = self.read(ReportDeliverySerializer)
        return self.once(lambda: self._deliver(report_id, body))

    @extend_schema(summary="Stored executive reports, newest first", responses=shows(ReportRunRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(present_reports.report_run)

    @extend_schema(
        summary="A stored executive report and its deliveries", responses={200: shows(ReportRunDetailRecord)}
    )
    def retrieve(self, request: Request, report_id: str) -> Response:
        return answered(executive_reports.read_report(actor=self.actor, run_id=report_id))

    def _store(self, body: Mapping[str, Any]) -> Response:
        stored = executive_reports.store_report(
            actor=self.actor,
            scope=scope_of(body),
            generated_by=body["generated_by"],
            **(body.get("schedule") or {}),
        )
        return answered(
            ReportRunAnswer(run=stored.run, metadata=stored.metadata, created=stored.created, actor=self.signed_in)
        )

    def _deliver(self, report_id: str, body: Mapping[str, Any]) -> Response:
        answer = executive_reports.deliver_report(
            actor=self.actor,
            run_id=report_id,
            delivery_provider=body["delivery_provider"],
            timeout_seconds=body["timeout_seconds"],
            generated_by=body["generated_by"],
        )
        return answered(ReportDeliveryAnswer(run=answer.run, actor=self.signed_in, **of_delivery(answer.sent)))
