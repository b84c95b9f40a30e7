"""What every answer has in common: its correlation id, and a line in the log where it is no success."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from rollback_audit import correlation

logger = logging.getLogger(__name__)

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SERVER_ERROR = 500
_REFUSAL = 400

Answering = Callable[[HttpRequest], HttpResponseBase]


class CorrelationMiddleware:
    """The first of all, so that whatever is said of a request, it is said under its id."""

    def __init__(self, get_response: Answering) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with correlation.fresh() as correlation_id:
            answer = self._get_response(request)
            if answer.status_code >= _REFUSAL:
                _tell(request, answer.status_code)
        answer[correlation.HEADER] = correlation_id
        return answer


def _tell(request: HttpRequest, status_code: int) -> None:
    """Method, route and status: never the address, which may hold what somebody pasted into it."""
    failed = status_code >= _SERVER_ERROR
    logger.log(
        logging.ERROR if failed else logging.INFO,
        "request_failed" if failed else "request_refused",
        extra={
            "method": request.method if request.method in _METHODS else "other",
            "route": request.resolver_match.view_name if request.resolver_match else "none",
            "status_code": status_code,
        },
    )
