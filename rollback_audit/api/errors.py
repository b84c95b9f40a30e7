"""What went wrong, as a client sees it: one JSON form, stable codes, and nothing of what was sent in."""

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from rollback_audit import correlation, errors
from rollback_audit.api.parsers import BodyTooLarge
from rollback_audit.engine.idempotency import KeyReused

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
WHOLE_BODY = "body"

_STATUS: dict[type[errors.CavraError], int] = {
    errors.InvalidInput: 400,
    errors.NotAllowed: 403,
    errors.UnknownRecord: 404,
    errors.StateForbids: 409,
    KeyReused: 422,
    errors.StoreUnavailable: 503,
}
# REST framework's own words repeat methods and media types as they were sent.
_DETAIL: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "Sign in, or send a token: Authorization: Bearer cavra_…",
    exceptions.AuthenticationFailed: "The token is unknown, expired or revoked.",
    exceptions.NotFound: "Nothing is here.",
    exceptions.MethodNotAllowed: "This address does not take that method.",
    exceptions.UnsupportedMediaType: "Bodies are application/json.",
    exceptions.Throttled: "Too many requests.",
}
_UNEXPECTED: dict[str, Any] = {"detail": "Something went wrong here; the log has it.", "code": "internal_error"}
_BROKEN_REQUEST = (BadRequest, DataError, MultiPartParserError, SuspiciousOperation, UnreadablePostError)


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's exception handler: every exception of a view becomes an answer here."""
    known = _translated(exc)
    if isinstance(known, errors.CavraError):
        return _from_engine(known)
    if isinstance(known, exceptions.APIException):
        return _from_framework(known)
    log.error("unexpected error", exc_info=exc)
    return _answer(500, **_UNEXPECTED)


def _translated(exc: Exception) -> Exception:
    """Django's and the database's exceptions as ours or REST framework's."""
    match exc:
        case OperationalError() | InterfaceError():
            log.warning("database unavailable", exc_info=exc)
            return errors.StoreUnavailable("The database does not answer. Try again.")
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return BodyTooLarge()
        case _ if isinstance(exc, _BROKEN_REQUEST):
            return exceptions.ParseError("The request could not be read.")
    return exc


def _answer(status: int, *, headers: Mapping[str, str] | None = None, **body: Any) -> Response:
    return Response(_named(body), status=status, headers=dict(headers or {}))


def _named(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with the id by which the log knows of it."""
    return {**body, "correlation_id": correlation.current()}


def _from_engine(exc: errors.CavraError) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(exc, kind)), 409)
    extra: dict[str, Any] = {"errors": exc.fields} if isinstance(exc, errors.InvalidInput) else {}
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(exc, errors.StoreUnavailable) else {}
    return _answer(status, headers=headers, detail=exc.detail, code=exc.code, **extra)


def _from_framework(exc: exceptions.APIException) -> Response:
    if isinstance(exc, exceptions.ValidationError):
        fields: dict[str, list[str]] = {}
        for name, message in _flat(exc.detail):
            fields.setdefault(name or WHOLE_BODY, []).append(message)
        return _answer(400, detail="Some fields were refused.", code="invalid", errors=fields)
    headers = {}
    if header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    detail = _DETAIL.get(type(exc), str(exc.detail))
    return _answer(exc.status_code, headers=headers, detail=detail, code=exc.default_code)


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested errors as pairs of `routes.3.provider` and a message."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(inner, path if name == "non_field_errors" else f"{path}.{name}".strip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _flat(inner, f"{path}.{index}".strip(".") if isinstance(inner, dict | list) else path)
    else:
        yield path, str(detail)


@csrf_exempt
def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Every address below /runtime/ that no route takes; Django's `handler404` elsewhere."""
    if not _is_ours(request):
        return defaults.page_not_found(request, exception=Http404())
    body = {"detail": _DETAIL[exceptions.NotFound], "code": exceptions.NotFound.default_code}
    return JsonResponse(_named(body), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`: what is refused before a view is found, such as a strange Host."""
    if not _is_ours(request):
        return defaults.bad_request(request, exception)
    return JsonResponse(_named({"detail": "The request could not be read.", "code": "bad_request"}), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: what breaks outside of the views."""
    return JsonResponse(_named(_UNEXPECTED), status=500) if _is_ours(request) else defaults.server_error(request)


def _is_ours(request: HttpRequest) -> bool:
    return f"{request.path}/".startswith("/runtime/")
