"""Worker health: how it stands, the alerts that told of it, and people's words on them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples
from rollback_audit.api.answers import HealthAlertAcknowledgementAnswer, HealthAlertDeliveryAnswer
from rollback_audit.api.filters import HealthAlertFilters
from rollback_audit.api.serializers.health import (
    EXPECTED,
    STALE,
    HealthAlertAcknowledgementSerializer,
    HealthAlertDeliverySerializer,
    terms_of,
    yardstick_of,
)
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import alert_words, alerts, health, present_alerts, queries
from rollback_audit.engine.health import LONGEST_MINUTES, USUAL, Yardstick
from rollback_audit.models import HealthAlert
from rollback_audit.records.alerts import HealthAlertDashboardRecord, HealthAlertRecord, WorkerHealthRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission

_MINUTES = {"type": "integer", "minimum": 1, "maximum": LONGEST_MINUTES}


class WorkerHealth(EvidenceViewSet):
    def query_names(self) -> set[str]:
        return set(Yardstick._fields)

    @extend_schema(
        summary="How the retry worker stands, and what is wrong; writes nothing",
        parameters=[
            OpenApiParameter("expected_interval_minutes", _MINUTES, description=EXPECTED),
            OpenApiParameter(
                "stale_metadata_minutes", {**_MINUTES, "default": USUAL.stale_metadata_minutes}, description=STALE
            ),
        ],
        responses={200: shows(WorkerHealthRecord)},
    )
    def retrieve(self, request: Request) -> Response:
        by = Yardstick(
            expected_interval_minutes=self._minutes("expected_interval_minutes", default=0) or None,
            stale_metadata_minutes=self._minutes("stale_metadata_minutes", default=USUAL.stale_metadata_minutes),
        )
        return answered(health.read_health(actor=self.actor, by=by))

    def _minutes(self, name: str, *, default: int) -> int:
        return self.whole(name, default=default, least=1, most=LONGEST_MINUTES)


class WorkerHealthAlerts(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"deliver": Permission.DELIVER_EVIDENCE}
    filterset_class = HealthAlertFilters
    listing = "worker-health-alerts"
    page_schema_version = f"{SCHEMA_PREFIX}-worker-health-alert-list.v1"

    def get_queryset(self) -> QuerySet[HealthAlert]:
        return queries.health_alerts()

    @extend_schema(
        summary="The alerts, one for each time a condition held", responses=shows(HealthAlertRecord)(many=True)
    )
    def list(self, request: Request) -> Response:
        return self.page(present_alerts.alert)

    @extend_schema(
        summary="Tell what is wrong and what has ended, once for each window",
        request=HealthAlertDeliverySerializer,
        responses={200: shows(HealthAlertDeliveryAnswer)},
        examples=examples.HEALTH_ALERT_DELIVERY,
    )
    def deliver(self, request: Request) -> Response:
        body = self.read(HealthAlertDeliverySerializer)
        return self.once(lambda: self._deliver(body))

    def _deliver(self, body: Mapping[str, Any]) -> Response:
        answer = alerts.deliver_alerts(actor=self.actor, terms=terms_of(body), by=yardstick_of(body))
        sent = answer.sent
        return answered(
            HealthAlertDeliveryAnswer(
                health=answer.health,
                plan=answer.plan,
                plan_metadata=answer.plan_metadata,
                suppressed=answer.plan is None,
                suppressed_count=answer.suppressed_count,
                delivery_plan=sent.delivery_plan if sent else None,
                delivery=sent.delivery if sent else None,
                metadata=sent.metadata if sent else None,
                delivery_metadata=sent.delivery_metadata if sent else [],
                success=sent.success if sent else True,
                actor=self.signed_in,
            )
        )


class WorkerHealthAcknowledgements(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.ACKNOWLEDGE_ALERT}

    @extend_schema(
        summary="Answer an alert, or every alert of a package by its health_id",
        request=HealthAlertAcknowledgementSerializer,
        responses={200: shows(HealthAlertAcknowledgementAnswer)},
        examples=examples.HEALTH_ALERT_ACKNOWLEDGEMENT,
    )
    def create(self, request: Request, alert_id: str) -> Response:
        body = self.read(HealthAlertAcknowledgementSerializer)
        return self.once(lambda: self._acknowledge(alert_id, body))

    def _acknowledge(self, alert_id: str, body: Mapping[str, Any]) -> Response:
        stored = alert_words.acknowledge_alert(actor=self.actor, named=alert_id, **body)
        records, lines = [record for record, _ in stored], [line for _, line in stored]
        return answered(
            HealthAlertAcknowledgementAnswer(
                acknowledgement=records[0],
                acknowledgements=records,
                metadata=lines[0],
                acknowledgement_metadata=lines,
                actor=self.signed_in,
            )
        )


class WorkerHealthAlertDashboard(EvidenceViewSet):
    @extend_schema(
        summary="The alerts in numbers, with the ten newest", responses={200: shows(HealthAlertDashboardRecord)}
    )
    def retrieve(self, request: Request) -> Response:
        return answered(alert_words.alert_dashboard(actor=self.actor))
