"""The OpenAPI description, drawn from the code."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from rollback_audit.api.viewsets.base import EvidenceViewSet


@extend_schema(exclude=True)
class Description(EvidenceViewSet):
    """`GET openapi.json`."""

    def retrieve(self, request: Request) -> Response:
        return Response(described())


@cache
def described() -> dict[str, Any]:
    """The description as OpenAPI 3.1. It is the same for everybody and for as long as the process lives."""
    description: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return description
