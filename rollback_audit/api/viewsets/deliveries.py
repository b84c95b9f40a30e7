"""Audit packages and their deliveries: make and send one, look at how deliveries stand."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples, samples
from rollback_audit.api.answers import AuditDeliveryAnswer, AuditPackageAnswer
from rollback_audit.api.filters import DeliveryFilters
from rollback_audit.api.serializers.drills import AuditDeliverySerializer, AuditPackageCreateSerializer
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import deliveries, packages, present, queries
from rollback_audit.engine.packages import AuditFilters
from rollback_audit.models import Delivery
from rollback_audit.records.deliveries import DeliveryDetailRecord, DeliveryRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


def _filters(body: Mapping[str, Any]) -> AuditFilters:
    return AuditFilters(schedule_id=body["schedule_id"], provider=body["provider"], owner=body["owner"])


class AuditPackages(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.DELIVER_EVIDENCE}

    @extend_schema(
        summary="Package the acknowledgements of drills",
        request=AuditPackageCreateSerializer,
        responses={200: shows(AuditPackageAnswer)},
        examples=examples.AUDIT_PACKAGE,
    )
    def create(self, request: Request) -> Response:
        body = self.read(AuditPackageCreateSerializer)
        return self.once(lambda: self._package(body))

    def _package(self, body: Mapping[str, Any]) -> Response:
        package, metadata = packages.create_audit_package(
            actor=self.actor, filters=_filters(body), generated_by=body["generated_by"]
        )
        return answered(AuditPackageAnswer(audit_package=package, metadata=metadata, actor=self.signed_in))


class AuditDeliveries(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.DELIVER_EVIDENCE}

    @extend_schema(
        summary="Package the acknowledgements and deliver the package (Deliver Ack Audit)",
        request=AuditDeliverySerializer,
        responses={200: shows(AuditDeliveryAnswer)},
        examples=examples.AUDIT_DELIVERY,
    )
    def create(self, request: Request) -> Response:
        body = self.read(AuditDeliverySerializer)
        return self.once(lambda: self._deliver(body))

    def _deliver(self, body: Mapping[str, Any]) -> Response:
        answer = deliveries.deliver_audit(
            actor=self.actor,
            filters=_filters(body),
            delivery_provider=body["delivery_provider"],
            cadence=body["cadence"],
            schedule_ref=body["schedule_ref"],
            next_delivery_at=body["next_delivery_at"],
            timeout_seconds=body["timeout_seconds"],
            generated_by=body["generated_by"],
        )
        return answered(
            AuditDeliveryAnswer(
                audit_package=answer.audit_package,
                audit_metadata=answer.audit_metadata,
                delivery_plan=answer.delivery_plan,
                plan_metadata=answer.plan_metadata,
                delivery=answer.delivery,
                metadata=answer.metadata,
                delivery_metadata=answer.delivery_metadata,
                success=answer.success,
                actor=self.signed_in,
            )
        )


class Deliveries(EvidenceViewSet):
    filterset_class = DeliveryFilters
    listing = "deliveries"
    page_schema_version = f"{SCHEMA_PREFIX}-delivery-list.v1"

    def get_queryset(self) -> QuerySet[Delivery]:
        return queries.deliveries()

    def query_names(self) -> set[str]:
        return {"provider"} if self.action == "retrieve" else super().query_names()

    @extend_schema(
        summary="Deliveries as they stand, one for each package and connector",
        examples=samples.DELIVERIES,
        responses=shows(DeliveryRecord)(many=True),
    )
    def list(self, request: Request) -> Response:
        return self.page(present.delivery)

    @extend_schema(
        summary="A delivery id with its plan, and each connector's delivery and attempts",
        responses={200: shows(DeliveryDetailRecord)},
        parameters=[OpenApiParameter("provider", str, description="Only this connector's.")],
    )
    def retrieve(self, request: Request, delivery_id: str) -> Response:
        provider = self.narrowed_to("provider")
        return answered(deliveries.read_delivery(actor=self.actor, delivery_id=delivery_id, provider=provider))
