"""Legal holds: what may not be pruned until somebody releases it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples
from rollback_audit.api.answers import LegalHoldAnswer
from rollback_audit.api.filters import LegalHoldFilters
from rollback_audit.api.serializers.reasons import ReasonSerializer
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.serializers.retention import HoldCreateSerializer
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import holds, queries
from rollback_audit.models import LegalHold
from rollback_audit.records.retention import LegalHoldRecord
from rollback_audit.states import Permission


class LegalHolds(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {
        "create": Permission.RETAIN_EVIDENCE,
        "release": Permission.RETAIN_EVIDENCE,
    }
    filterset_class = LegalHoldFilters
    listing = "legal-holds"
    page_schema_version = "cavra.go-backend-pilot.evidence-legal-hold-list.v1"

    def get_queryset(self) -> QuerySet[LegalHold]:
        return queries.legal_holds()

    @extend_schema(summary="Legal holds, newest first, released ones too", responses=shows(LegalHoldRecord)(many=True))
    def list(self, request: Request) -> Response:
        return self.page(holds.record)

    @extend_schema(summary="A legal hold as it stands", responses={200: shows(LegalHoldRecord)})
    def retrieve(self, request: Request, hold_id: str) -> Response:
        return answered(holds.read(actor=self.actor, hold_id=hold_id))

    @extend_schema(
        summary="Hold evidence back from pruning",
        request=HoldCreateSerializer,
        responses={200: shows(LegalHoldAnswer)},
        examples=examples.LEGAL_HOLD,
    )
    def create(self, request: Request) -> Response:
        body = self.read(HoldCreateSerializer)
        return self.once(lambda: self._place(body))

    def _place(self, body: Mapping[str, Any]) -> Response:
        hold, metadata = holds.place(actor=self.actor, **body)
        return answered(LegalHoldAnswer(hold=hold, metadata=metadata, actor=self.signed_in))

    @extend_schema(
        summary="Release a legal hold",
        request=ReasonSerializer,
        responses={200: shows(LegalHoldAnswer)},
        examples=examples.HOLD_RELEASE,
    )
    def release(self, request: Request, hold_id: str) -> Response:
        body = self.read(ReasonSerializer)
        return self.once(lambda: self._release(hold_id, body))

    def _release(self, hold_id: str, body: Mapping[str, Any]) -> Response:
        hold, metadata = holds.release(actor=self.actor, hold_id=hold_id, **body)
        return answered(LegalHoldAnswer(hold=hold, metadata=metadata, actor=self.signed_in))
