"""A client, and one exchange sent with it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import Egress, Send, Settlement, Step, WireRequest
from rollback_audit.delivery.statuses import verdict_for
from tests.receivers import egress_to

Post = Callable[..., Settlement[Any]]


@pytest.fixture
def client() -> Iterator[Client[Any]]:
    with Client[Any]() as client:
        yield client


def send_to(url: str, egress: Egress, **changes: Any) -> Send[Any]:
    """One POST of a small body; `headers`, `body` and `method` go into the request, the rest into the Send."""
    request = WireRequest(
        method=changes.pop("method", "POST"),
        url=url,
        headers=changes.pop("headers", (("Content-Type", "application/json"),)),
        body=changes.pop("body", b'{"sum":1}'),
    )
    judge = changes.pop("judge", lambda status_code, body: verdict_for(status_code))
    given: dict[str, Any] = {"key": "k", "timeout_seconds": 5.0, **changes}
    return Send(step=Step(request=request, judge=judge), egress=egress, **given)


@pytest.fixture
def post(client: Client[Any]) -> Post:
    """Send one exchange to a port of this machine (or to a `url`) and give back what became of it."""

    def post(port: int, *, url: str | None = None, egress: Egress | None = None, **changes: Any) -> Settlement[Any]:
        send = send_to(f"http://127.0.0.1:{port}/hook" if url is None else url, egress or egress_to(port), **changes)
        (settlement,) = client.send_all([send])
        return settlement

    return post
