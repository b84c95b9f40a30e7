"""Drills: their schedules, the notifications and routes these make, and people's words on the routes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples, links
from rollback_audit.api.answers import (
    BulkAcknowledgementAnswer,
    DrillAcknowledgementAnswer,
    DrillNotificationAnswer,
    DrillScheduleAnswer,
)
from rollback_audit.api.filters import RouteFilters, ScheduleFilters
from rollback_audit.api.serializers.drills import (
    AcknowledgementCreateSerializer,
    BulkAcknowledgementSerializer,
    DrillNotificationSerializer,
    DrillScheduleChangeSerializer,
    DrillScheduleCreateSerializer,
    words_of,
)
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import intake, present_drills, queries
from rollback_audit.errors import UnknownRecord
from rollback_audit.models import DrillRoute, DrillSchedule
from rollback_audit.records.drills import DrillRouteRecord, DrillScheduleRecord
from rollback_audit.states import Permission

_SCHEMA_PREFIX = "cavra.go-backend-pilot.rollback-drill"


class DrillSchedules(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {
        "create": Permission.EDIT_SCHEDULES,
        "partial_update": Permission.EDIT_SCHEDULES,
    }
    filterset_class = ScheduleFilters
    listing = "drill-schedules"
    page_schema_version = f"{_SCHEMA_PREFIX}-schedule-list.v1"

    def get_queryset(self) -> QuerySet[DrillSchedule]:
        return queries.schedules()

    @extend_schema(
        summary="Add a drill schedule",
        request=DrillScheduleCreateSerializer,
        responses={201: shows(DrillScheduleAnswer)},
        examples=examples.SCHEDULE,
    )
    def create(self, request: Request) -> Response:
        schedule = DrillScheduleRecord(**self.read(DrillScheduleCreateSerializer))
        return self.once(lambda: self._create(schedule))

    @extend_schema(summary="The drill schedules", responses=shows(DrillScheduleRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(present_drills.schedule)

    @extend_schema(summary="A drill schedule", responses={200: shows(DrillScheduleRecord)})
    def retrieve(self, request: Request, schedule_id: str) -> Response:
        row = self.get_queryset().filter(schedule_id=schedule_id).first()
        if row is None:
            raise UnknownRecord("No drill schedule with this id.")
        return answered(present_drills.schedule(row))

    @extend_schema(
        summary="Change a drill schedule; its routes stay as they were made",
        request=DrillScheduleChangeSerializer,
        responses={200: shows(DrillScheduleAnswer)},
        examples=examples.SCHEDULE_CHANGE,
    )
    def partial_update(self, request: Request, schedule_id: str) -> Response:
        changes = self.read(DrillScheduleChangeSerializer, partial=True)
        if not changes:
            raise ValidationError("Name at least one field to change.")
        record, metadata = intake.change_schedule(actor=self.actor, schedule_id=schedule_id, changes=changes)
        return answered(DrillScheduleAnswer(schedule=record, metadata=metadata, actor=self.signed_in))

    def _create(self, schedule: DrillScheduleRecord) -> Response:
        record, metadata = intake.save_schedule(actor=self.actor, schedule=schedule)
        return answered(
            DrillScheduleAnswer(schedule=record, metadata=metadata, actor=self.signed_in),
            status=201,
            location=links.schedule_path(record.schedule_id),
        )


class DrillNotifications(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {"create": Permission.DELIVER_EVIDENCE}

    @extend_schema(
        summary="Notify of drills that are due soon or stale, which makes the routes to acknowledge",
        request=DrillNotificationSerializer,
        responses={200: shows(DrillNotificationAnswer)},
        examples=examples.NOTIFICATION,
    )
    def create(self, request: Request) -> Response:
        body = self.read(DrillNotificationSerializer)
        return self.once(lambda: self._deliver(body))

    def _deliver(self, body: Mapping[str, Any]) -> Response:
        answer = intake.deliver_notifications(
            actor=self.actor,
            provider=body["provider"],
            schedule_id=body["schedule_id"],
            force=body["force"],
            timeout_seconds=body["timeout_seconds"],
            routing_policy=body.get("routing_policy"),
            generated_by=body["generated_by"],
        )
        return answered(
            DrillNotificationAnswer(
                plan=answer.plan,
                plan_metadata=answer.metadata,
                deliveries=answer.deliveries,
                metadata=answer.delivery_metadata,
                success=answer.success,
                event_id=answer.plan.plan_id,
                actor=self.signed_in,
            )
        )


class DrillRoutes(EvidenceViewSet):
    filterset_class = RouteFilters
    listing = "drill-routes"
    page_schema_version = f"{_SCHEMA_PREFIX}-route-list.v1"

    def get_queryset(self) -> QuerySet[DrillRoute]:
        return queries.routes()

    @extend_schema(summary="The routes that notifications made", responses=shows(DrillRouteRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(present_drills.route)


class DrillAcknowledgements(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {
        "create": Permission.ACKNOWLEDGE_DRILL,
        "bulk": Permission.ACKNOWLEDGE_DRILL,
    }

    @extend_schema(
        summary="Acknowledge, dismiss, escalate or resolve a schedule's route",
        request=AcknowledgementCreateSerializer,
        responses={200: shows(DrillAcknowledgementAnswer)},
        examples=examples.ACKNOWLEDGEMENT,
    )
    def create(self, request: Request, schedule_id: str) -> Response:
        body = self.read(AcknowledgementCreateSerializer)
        return self.once(lambda: self._acknowledge(schedule_id, body))

    @extend_schema(
        summary="Say up to 100 words, all or none",
        request=BulkAcknowledgementSerializer,
        responses={200: shows(BulkAcknowledgementAnswer)},
        examples=examples.BULK_ACKNOWLEDGEMENT,
    )
    def bulk(self, request: Request) -> Response:
        body = self.read(BulkAcknowledgementSerializer)
        return self.once(lambda: self._bulk(body))

    def _acknowledge(self, schedule_id: str, body: Mapping[str, Any]) -> Response:
        acknowledgement, metadata = intake.acknowledge(actor=self.actor, schedule_id=schedule_id, **body)
        return answered(
            DrillAcknowledgementAnswer(acknowledgement=acknowledgement, metadata=metadata, actor=self.signed_in)
        )

    def _bulk(self, body: Mapping[str, Any]) -> Response:
        stored = intake.acknowledge_bulk(
            actor=self.actor, routes=words_of(body), acknowledged_by=body["acknowledged_by"]
        )
        records = [record for record, _ in stored]
        return answered(
            BulkAcknowledgementAnswer(
                bulk_id=f"gordbulkack-{len(records)}-{records[0].acknowledgement_id}",
                acknowledgement_count=len(records),
                acknowledgements=records,
                metadata=[line for _, line in stored],
                actor=self.signed_in,
            )
        )
