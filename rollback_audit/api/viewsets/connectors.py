"""The connectors: how they stand, a harmless test of one, and the end of a hold."""

from collections.abc import Mapping
from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api import examples
from rollback_audit.api.answers import ConnectorAnswer, ConnectorTestAnswer
from rollback_audit.api.filters import ConnectorFilters
from rollback_audit.api.serializers.connectors import ConnectorTestSerializer
from rollback_audit.api.serializers.reasons import ReasonSerializer
from rollback_audit.api.serializers.records import shows
from rollback_audit.api.viewsets.base import EvidenceViewSet, answered
from rollback_audit.engine import connectors, queries
from rollback_audit.models import Connector
from rollback_audit.records.connectors import ConnectorRecord
from rollback_audit.states import SCHEMA_PREFIX, Permission


class Connectors(EvidenceViewSet):
    needs: ClassVar[Mapping[str, Permission]] = {
        "test": Permission.EDIT_CONNECTORS,
        "release": Permission.EDIT_CONNECTORS,
    }
    filterset_class = ConnectorFilters
    listing = "connectors"
    page_schema_version = f"{SCHEMA_PREFIX}-connector-list.v1"
    page_key = "name"
    page_ascending = True

    def get_queryset(self) -> QuerySet[Connector]:
        return queries.connectors()

    @extend_schema(
        summary="The connectors and how they stand, without addresses", responses=shows(ConnectorRecord)(many=True)
    )
    def list(self, request: Request) -> Response:
        return self.page(connectors.record)

    @extend_schema(
        summary="Send one harmless event the way evidence goes; a confirmed one ends the connector's hold",
        request=ConnectorTestSerializer,
        responses={200: shows(ConnectorTestAnswer)},
        examples=examples.CONNECTOR_TEST,
    )
    def test(self, request: Request, name: str) -> Response:
        timeout_seconds = self.read(ConnectorTestSerializer)["timeout_seconds"]
        return self.once(lambda: self._test(name, timeout_seconds))

    @extend_schema(
        summary="End a connector's hold, so that its deliveries may be planned again",
        request=ReasonSerializer,
        responses={200: shows(ConnectorAnswer)},
        examples=examples.CONNECTOR_RELEASE,
    )
    def release(self, request: Request, name: str) -> Response:
        reason = self.read(ReasonSerializer)["reason"]
        return self.once(lambda: self._release(name, reason))

    def _test(self, name: str, timeout_seconds: float) -> Response:
        found = connectors.test(actor=self.actor, name=name, timeout_seconds=timeout_seconds)
        return answered(ConnectorTestAnswer(test=found, success=found.succeeded, actor=self.signed_in))

    def _release(self, name: str, reason: str) -> Response:
        row = connectors.release(actor=self.actor, name=name, reason=reason)
        return answered(ConnectorAnswer(connector=row, actor=self.signed_in))
