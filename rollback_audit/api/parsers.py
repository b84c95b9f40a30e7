"""Bodies: JSON objects of at most one MiB, read strictly."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = "The body is over 1 MiB."


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length_required"
    default_detail = "This server does not read chunked bodies: send a Content-Length."


def bound(request: Request) -> None:
    """Refuse a body that is too large before it is read, and take a chunked one, which has no length.

    Django and REST framework treat a body without a length as empty: `{"dry_run": true}` sent in chunks would be lost
    without a word. A server that marks the end of its input (PEP 3333 leaves that open) is read directly.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META:
        request._stream = _chunks(request.META)  # type: ignore[assignment]
        return
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length[:20]) > MAX_BYTES:
        raise BodyTooLarge


def _chunks(environ: Mapping[str, Any]) -> IO[bytes] | None:
    if not environ.get("wsgi.input_terminated"):
        raise LengthRequired
    try:
        body = environ["wsgi.input"].read(MAX_BYTES + 1)
    except Exception:
        # Each server has its own errors for broken chunks.
        raise ParseError("The body could not be read.") from None
    if len(body) > MAX_BYTES:
        raise BodyTooLarge
    return BytesIO(body) if body else None


class StrictJsonParser(BaseParser):
    """RFC 8259 without its liberties: UTF-8, one object, no key twice, no NaN, at most 20 levels."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            text = stream.read().decode()
            value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
        except (OSError, RecursionError, ValueError):
            raise ParseError("The body is not valid JSON.") from None
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        _check_depth(value)
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ParseError("The body has a key twice.")
    return value


def _no_constant(_: str) -> None:
    raise ParseError("NaN and Infinity are not JSON.")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _children(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in inner if isinstance(item, dict | list)]
