"""Recovery of connectors: playbooks, the recoveries they open, words on them, and the report."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples
from rollback_audit.api.answers import RecoveryClosureAnswer, RecoveryPlaybookAnswer, RetryRecoveryReportAnswer
from rollback_audit.api.filters import RecoveryClosureFilters, RecoveryFilters, RecoveryPlaybookFilters
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.serializers.recoveries import (
    RecoveryClosureCreateSerializer,
    RecoveryPlaybookCreateSerializer,
)
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import clock, present_recoveries, queries, recoveries, recovery_reports
from rollback_audit.engine.recoveries import Closing
from rollback_audit.models import Recovery, RecoveryClosure, RecoveryPlaybook
from rollback_audit.planning.recovery import DEFAULT_SLO_MINUTES
from rollback_audit.records.recoveries import RecoveryClosureRecord, RecoveryPlaybookRecord, RecoveryRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


class RecoveryPlaybooks(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.OPEN_RECOVERY}
    filterset_class = RecoveryPlaybookFilters
    listing = "recovery-playbooks"
    page_schema_version = f"{SCHEMA_PREFIX}-connector-recovery-playbook-list.v1"

    def get_queryset(self) -> QuerySet[RecoveryPlaybook]:
        return queries.recovery_playbooks().prefetch_related("entries__recovery")

    @extend_schema(
        summary="What to do about connectors that fail; opens or updates their recoveries",
        request=RecoveryPlaybookCreateSerializer,
        responses={200: shows(RecoveryPlaybookAnswer)},
        examples=examples.RECOVERY_PLAYBOOK,
    )
    def create(self, request: Request) -> Response:
        body = self.read(RecoveryPlaybookCreateSerializer)
        return self.once(lambda: self._make(body))

    def _make(self, body: Mapping[str, Any]) -> Response:
        playbook, metadata = recoveries.make_playbook(actor=self.actor, **body)
        return answered(RecoveryPlaybookAnswer(playbook=playbook, metadata=metadata, actor=self.signed_in))

    @extend_schema(summary="Recovery playbooks, newest first", responses=shows(RecoveryPlaybookRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(lambda row: present_recoveries.playbook(row, row.entries.all()))

    @extend_schema(summary="A recovery playbook", responses={200: shows(RecoveryPlaybookRecord)})
    def retrieve(self, request: Request, playbook_id: str) -> Response:
        return answered(recoveries.read_playbook(actor=self.actor, playbook_id=playbook_id))


class RecoveryClosures(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.CLOSE_RECOVERY}
    filterset_class = RecoveryClosureFilters
    listing = "recovery-closures"
    page_schema_version = f"{SCHEMA_PREFIX}-connector-recovery-closure-list.v1"

    def get_queryset(self) -> QuerySet[RecoveryClosure]:
        return queries.recovery_closures().filter(playbook__playbook_id=self.kwargs.get("playbook_id"))

    @extend_schema(
        summary="Say a word on a recovery: close it, leave it open, or reopen it",
        request=RecoveryClosureCreateSerializer,
        responses={200: shows(RecoveryClosureAnswer)},
        examples=examples.RECOVERY_CLOSURE,
    )
    def create(self, request: Request, playbook_id: str) -> Response:
        body = self.read(RecoveryClosureCreateSerializer)
        return self.once(lambda: self._close(playbook_id, body))

    def _close(self, playbook_id: str, body: Mapping[str, Any]) -> Response:
        said = {name: value for name, value in body.items() if name != "provider"}
        closure, recovery, metadata = recoveries.close(
            actor=self.actor, playbook_id=playbook_id, provider=body["provider"], closing=Closing(**said)
        )
        return answered(
            RecoveryClosureAnswer(closure=closure, recovery=recovery, metadata=metadata, actor=self.signed_in)
        )

    @extend_schema(
        summary="The words said under a playbook, newest first", responses=shows(RecoveryClosureRecord)(many=True)
    )
    def list(self, request: Request, playbook_id: str) -> Response:
        recoveries.find_playbook(playbook_id)
        return self.page(present_recoveries.closure)


class Recoveries(EvidenceViewSet):
    filterset_class = RecoveryFilters
    listing = "recoveries"
    page_schema_version = f"{SCHEMA_PREFIX}-connector-recovery-list.v1"

    def get_queryset(self) -> QuerySet[Recovery]:
        return queries.recoveries()

    @extend_schema(summary="Recoveries, newest first", responses=shows(RecoveryRecord)(many=True))
    def list(self, request: Request) -> Response:
        now = clock.now()
        return self.page(lambda row: present_recoveries.recovery(row, now=now))

    @extend_schema(summary="A recovery as it stands now", responses={200: shows(RecoveryRecord)})
    def retrieve(self, request: Request, recovery_id: str) -> Response:
        return answered(recoveries.read_recovery(actor=self.actor, recovery_id=recovery_id))


class RetryRecoveryReport(EvidenceViewSet):
    def query_names(self) -> set[str]:
        return {"recovery_slo_minutes", "generated_by"}

    @extend_schema(
        summary="Live retries and recoveries in numbers",
        responses={200: shows(RetryRecoveryReportAnswer)},
        parameters=[
            OpenApiParameter(
                "recovery_slo_minutes",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": recovery_reports.MOST_SLO_MINUTES,
                    "default": DEFAULT_SLO_MINUTES,
                },
                description="How long a recovery may take, from its first failure on.",
            ),
            OpenApiParameter("generated_by", str, description="A label for the report."),
        ],
    )
    def retrieve(self, request: Request) -> Response:
        report = recovery_reports.retry_recovery_report(
            actor=self.actor,
            recovery_slo_minutes=self.whole(
                "recovery_slo_minutes", default=DEFAULT_SLO_MINUTES, least=1, most=recovery_reports.MOST_SLO_MINUTES
            ),
            generated_by=self.narrowed_to("generated_by", most=128),
        )
        return answered(RetryRecoveryReportAnswer(report=report, metadata=None, actor=self.signed_in))
