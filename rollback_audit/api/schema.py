"""How the description is drawn: what every route has in common is added here, once."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import uritemplate
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from rollback_audit.api.idempotency import HEADER
from rollback_audit.api.permissions import needed
from rollback_audit.api.serializers.body import Body

_REFUSALS = {
    400: "The input was refused; `errors` names each field.",
    401: "Not signed in.",
    403: "The permission is missing.",
    404: "No record with this id.",
    409: "The state of the record, or of the request with the same key, forbids it.",
    411: "The body has no length.",
    413: "The body is over 1 MiB.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was first used with another request.",
    429: "Too many requests.",
    503: "The database does not answer.",
}
_EVERYWHERE = (400, 401, 403, 429, 503)
_WITH_BODY = (409, 411, 413, 415)
_IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255},
    OpenApiParameter.HEADER,
    description="The same key with the same body returns the first answer and does nothing again.",
)
_PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N`: answer a live run once it has finished, or after N seconds, at most 60.",
)
_LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, description="The path of what was made.", response=[201, 202]
)
_REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    description="This is the first answer to the key, given again.",
    response=[200, 201, 202],
)
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="Seconds to wait.",
    response=[429, 503],
)
_CHALLENGE = OpenApiParameter(
    "WWW-Authenticate", str, OpenApiParameter.HEADER, description="How to sign in.", response=[401]
)
_RECORD_ID = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
# What a path may hold beside ids.
_IN_PATHS = {"tree_size": {"type": "integer", "minimum": 1}}


class RefusalSerializer(serializers.Serializer[Any]):
    """Every answer of 400 and above."""

    detail = serializers.CharField(help_text="What to do about it, for people.")
    code = serializers.CharField(help_text="Stable, for programs.")
    correlation_id = serializers.CharField(help_text="By which the log knows of it; the same as the header's.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by field, such as `routes.3.provider`; `body` and `query` are the whole of them.",
    )


class EvidenceSchema(AutoSchema):
    """Adds refusals, headers, tags and permissions to what drf-spectacular finds out."""

    view: Any

    def get_override_parameters(self) -> list[Any]:
        ids = [
            OpenApiParameter(name, _IN_PATHS.get(name, _RECORD_ID), OpenApiParameter.PATH)
            for name in uritemplate.variables(self.path)
        ]
        headers = [_RETRY_AFTER, _CHALLENGE]
        if self.method == "POST":
            headers += [_IDEMPOTENCY_KEY, _REPLAYED, _LOCATION]
        if self.view.action in self.view.may_wait:
            headers.append(_PREFER)
        return [*super().get_override_parameters(), *ids, *headers]

    def get_tags(self) -> list[str]:
        return [type(self.view).__name__]

    def get_description(self) -> str:  # type: ignore[override]
        return f"Needs the permission `{needed(self.view)}`."

    def get_operation_id(self) -> str:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self.view).__name__).lower()
        return f"{name}_{self.view.action}"

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction=direction)
        for code in self._refusals():
            refusal = OpenApiResponse(RefusalSerializer, description=_REFUSALS[code])
            bodies[str(code)] = self._get_response_for_code(refusal, str(code), direction=direction)  # type: ignore[no-untyped-call]
        return bodies

    def _refusals(self) -> list[int]:
        codes = [*_EVERYWHERE]
        if "{" in self.path:
            codes.append(404)
        if self.method in {"POST", "PATCH"}:
            codes += _WITH_BODY
        if self.method == "POST":
            codes.append(422)
        return sorted({*codes, *self._own_refusals()})

    def _own_refusals(self) -> frozenset[int]:
        # A POST names records in its body.
        return frozenset({404}) if self.method == "POST" else self.view.also_refuses

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, Body):
            schema["additionalProperties"] = False
            _add_aliases(schema["properties"], serializer.ALIASES)
        return schema


def _add_aliases(properties: dict[str, Any], aliases: Mapping[str, str]) -> None:
    for alias, name in aliases.items():
        described = {word: value for word, value in properties[name].items() if word != "default"}
        properties[alias] = {**described, "description": f"The same as {name}."}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "rollback_audit.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A token from `cavra token create`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "rollback_audit.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "cavra_session",
            "description": "The console's session; requests that change something need X-CSRFToken as well.",
        }


def without_slash(endpoints: list[tuple[str, str, str, Callable[..., Any]]]) -> list[Any]:
    """Preprocessing hook: an address is described once, not again with its trailing slash."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]
