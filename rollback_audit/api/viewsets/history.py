"""The history of every record, and the dashboards drawn from it."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import samples, totals
from rollback_audit.api.filters import HistoryFilters
from rollback_audit.api.pagination import ShallowPagination
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import dashboards, ledger, queries
from rollback_audit.models import EvidenceEntry
from rollback_audit.records.dashboards import DrillDashboardRecord
from rollback_audit.records.history import HistoryRow
from rollback_audit.records.runs import WorkerDashboardRecord


class History(EvidenceViewSet):
    filterset_class = HistoryFilters
    pagination_class = ShallowPagination
    listing = "history"
    page_schema_version = "cavra.go-backend-pilot.rollback-drill-notification-history.v1"

    def get_queryset(self) -> QuerySet[EvidenceEntry]:
        return queries.history()

    def count(self, queryset: QuerySet[EvidenceEntry]) -> int:
        return totals.of_ledger(queryset)

    @extend_schema(
        summary="The history of every record, newest first",
        examples=samples.HISTORY,
        responses=shows(HistoryRow)(many=True),
    )
    def list(self, request: Request) -> Response:
        return self.page(ledger.read)


class WorkerDashboard(EvidenceViewSet):
    @extend_schema(
        summary="The retry worker in numbers, with its newest runs",
        examples=samples.DASHBOARD,
        responses={200: shows(WorkerDashboardRecord)},
    )
    def retrieve(self, request: Request) -> Response:
        return answered(dashboards.worker_dashboard(actor=self.actor))


class DrillDashboard(EvidenceViewSet):
    @extend_schema(
        summary="The drills, their acknowledgements and their audit deliveries in numbers",
        responses={200: shows(DrillDashboardRecord)},
    )
    def retrieve(self, request: Request) -> Response:
        return answered(dashboards.drill_dashboard(actor=self.actor))
