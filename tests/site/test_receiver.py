"""The demo's receiver is a real server with a record of its own."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from cavra_site import receiver


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    with receiver.server(port=0, folder=tmp_path) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


def send(
    address: tuple[str, int], method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post_webhook(address: tuple[str, int], key: str) -> int:
    return send(address, "POST", receiver.WEBHOOK_PATH, b"{}", {"webhook-id": key})[0]


def test_it_begins_in_an_outage_and_records_what_it_turned_away(address: tuple[str, int]) -> None:
    assert post_webhook(address, "key-1") == 503
    record = json.loads(send(address, "GET", "/record")[1])
    assert record["mood"] == "outage"
    assert record["keys"] == {"key-1": {"arrived": 1, "taken": 0}}


def test_its_own_button_ends_the_outage_and_the_repeat_is_taken(address: tuple[str, int]) -> None:
    post_webhook(address, "key-1")
    assert b'action="/recover"' in send(address, "GET", "/")[1]
    assert send(address, "POST", "/recover")[0] == 303
    assert post_webhook(address, "key-1") == 200
    assert json.loads(send(address, "GET", "/record")[1])["keys"] == {"key-1": {"arrived": 2, "taken": 1}}
    assert b'action="/outage"' in send(address, "GET", "/")[1]


def test_another_button_takes_it_through_its_course_of_refusals(address: tuple[str, int]) -> None:
    met = []
    for _ in receiver.Mood:
        met.append(post_webhook(address, "key-1"))
        assert send(address, "POST", "/next")[0] == 303
    assert met == [503, 429, 401, 200]
    arrivals = json.loads(send(address, "GET", "/record")[1])["arrivals"]
    assert [arrival["refused_with"] for arrival in arrivals] == [503, 429, 401, None]
    assert post_webhook(address, "key-1") == 503


def test_when_it_is_too_busy_it_says_when_to_come_back(address: tuple[str, int], tmp_path: Path) -> None:
    receiver.Record(tmp_path).mood = receiver.Mood.BUSY
    connection = http.client.HTTPConnection(*address, timeout=5)
    connection.request("POST", receiver.WEBHOOK_PATH, b"{}")
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.headers["Retry-After"]) == (429, str(receiver.RETRY_AFTER_SECONDS))
    connection.close()


def test_a_command_elsewhere_ends_the_outage_too(address: tuple[str, int], tmp_path: Path) -> None:
    receiver.Record(tmp_path).mood = receiver.Mood.WORKING
    assert post_webhook(address, "key-1") == 200
    receiver.Record(tmp_path).mood = receiver.Mood.OUTAGE
    assert post_webhook(address, "key-2") == 503


def test_the_collector_reads_the_key_from_the_indexed_fields(address: tuple[str, int], tmp_path: Path) -> None:
    receiver.Record(tmp_path).mood = receiver.Mood.WORKING
    body = json.dumps({"event": {}, "fields": {"idempotency_key": "key-9"}}).encode()
    status, answer = send(address, "POST", receiver.COLLECTOR_PATH, body)
    assert (status, json.loads(answer)["code"]) == (200, 0)
    assert receiver.Record(tmp_path).arrivals()[0].idempotency_key == "key-9"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"fields": 1}', b"\xff"])
def test_a_body_it_cannot_read_is_recorded_without_a_key(address: tuple[str, int], tmp_path: Path, body: bytes) -> None:
    assert send(address, "POST", receiver.COLLECTOR_PATH, body)[0] == 503
    assert receiver.Record(tmp_path).arrivals()[0].idempotency_key == ""


def test_other_paths_are_not_found_and_a_key_cannot_write_html(address: tuple[str, int]) -> None:
    assert send(address, "GET", "/other")[0] == 404
    assert send(address, "POST", "/other")[0] == 404
    post_webhook(address, "<script>")
    assert b"<script>" not in send(address, "GET", "/")[1]
