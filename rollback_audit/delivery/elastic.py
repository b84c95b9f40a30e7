"""Elasticsearch and OpenSearch, by the bulk API.

Source: Elasticsearch API reference, "Bulk index or delete documents", "Search" and "Common options" (filter_path); the
OpenSearch documentation's "Bulk" is the same in all that is used here. The document's `_id` is the delivery's
idempotency key and the action is `create`, which refuses an id that is there already: repeats are dropped, and such a
refusal confirms. A data stream keeps ids apart for each backing index, so after a rollover `create` alone would let a
repeat in; an attempt in doubt therefore asks first, by an `ids` query over the whole data stream.

`index` names an index, an alias or a data stream. What came before the last refresh is all that a search sees; what
came after it is still in the index that `create` writes to.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.credentials import basic, require_one_way
from rollback_audit.delivery.fields import fields_of
from rollback_audit.delivery.statuses import CONFIRMED, is_success, verdict_for
from rollback_audit.states import Category, FailureKind, RepeatCheck

PROVIDER = "elastic"
CATEGORY = Category.SIEM
DROPS_REPEATS = True
ASKS_BY = RepeatCheck.BY_KEY
MAX_BODY_BYTES = 10_000_000  # http.max_content_length: 100 MB by default, 10 MB on the smaller hosted ones

SECRETS: tuple[str, ...] = ("api_key", "token", "user", "password")
OPTIONS: Mapping[str, type] = {"index": str}

# Only what is judged comes back, so that the answer stays small.
BULK_PATH = "/_bulk?filter_path=errors,items.*.status,items.*.error.type"
SEARCH_PATH = "/_search?filter_path=timed_out,hits.total.value&allow_partial_search_results=false"
NOT_FOUND = 404
HELD = Verdict(failure_kind=None, already_held=True)
_REJECTED = Verdict(failure_kind=FailureKind.ANSWER_REJECTED)
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]{0,254}")

# Errors of one document that say more than the status they come with.
_VERDICTS: dict[str, Verdict] = {
    "version_conflict_engine_exception": HELD,
    "es_rejected_execution_exception": Verdict(FailureKind.RATE_LIMITED),
    "rejected_execution_exception": Verdict(FailureKind.RATE_LIMITED),  # OpenSearch's name for it
    "circuit_breaking_exception": Verdict(FailureKind.RATE_LIMITED),
    "cluster_block_exception": Verdict(FailureKind.UNAVAILABLE),  # a full disk, or an index made read-only
    "unavailable_shards_exception": Verdict(FailureKind.UNAVAILABLE),
    "process_cluster_event_timeout_exception": Verdict(FailureKind.UNAVAILABLE),
    "index_not_found_exception": Verdict(FailureKind.ADDRESS_UNKNOWN),
    "index_closed_exception": Verdict(FailureKind.ADDRESS_UNKNOWN),
    "security_exception": Verdict(FailureKind.CREDENTIAL_REFUSED),
}

# The question was refused, not the event: no reason to give the event up.
_QUESTION_VERDICTS: dict[int, Verdict] = {400: _REJECTED}


def check(settings: ConnectorSettings) -> None:
    """An index, and one way to sign in."""
    if not _INDEX.fullmatch(str(settings.options.get("index", ""))):
        raise ConfigurationProblem("index", "is required: the lower-case name of an index, alias or data stream")
    require_one_way(settings, "api_key", "token", "password")
    if "?" in settings.url:
        raise ConfigurationProblem("url", "must be the cluster's base, without a query")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """One `create` action and its document, in the fields of the Elastic Common Schema; the event under `cavra`."""
    document = {
        "@timestamp": envelope.occurred_at.isoformat(),
        "event": {
            "id": envelope.event_id,
            "action": envelope.event_type,
            "kind": "event",
            "module": "cavra",
            "dataset": "cavra.evidence",
        },
        "labels": {"idempotency_key": envelope.idempotency_key},
    }
    action = _json({"create": {"_id": envelope.idempotency_key}})
    return _post(
        settings,
        BULK_PATH,
        content_type="application/x-ndjson",
        body=b'%b\n%b,"cavra":%b}\n' % (action, _json(document)[:-1], envelope.event),
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """The bulk API answers 200 whatever becomes of a document: its own status and error decide."""
    if not is_success(status_code):
        return verdict_for(status_code)
    item = _created(fields_of(body))
    status, error = item.get("status"), item.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    if isinstance(kind, str) and kind in _VERDICTS:
        return _VERDICTS[kind]
    if type(status) is not int:
        return _REJECTED
    if is_success(status):
        return CONFIRMED if error is None else _REJECTED
    return verdict_for(status)


def question(settings: ConnectorSettings, envelope: Envelope, *, receipt: int | None) -> WireRequest:
    """How many documents have the id."""
    query = {"query": {"ids": {"values": [envelope.idempotency_key]}}, "size": 0, "track_total_hits": True}
    return _post(settings, SEARCH_PATH, content_type="application/json", body=_json(query))


def holding(status_code: int, body: bytes, envelope: Envelope) -> Verdict | None:
    """Held by any document with the id; absent where there is none, or no such index yet."""
    if status_code == NOT_FOUND:
        return None
    if not is_success(status_code):
        return _QUESTION_VERDICTS.get(status_code, verdict_for(status_code))
    answer = fields_of(body)
    hits = answer.get("hits")
    total = hits.get("total") if isinstance(hits, dict) else None
    count = total.get("value") if isinstance(total, dict) else None
    if type(count) is not int or answer.get("timed_out") is not False:
        return _REJECTED
    return HELD if count else None


def _post(settings: ConnectorSettings, path: str, *, content_type: str, body: bytes) -> WireRequest:
    return WireRequest(
        method="POST",
        url=f"{settings.url.rstrip('/')}/{settings.options['index']}{path}",
        headers=(("Authorization", _authorization(settings)), ("Content-Type", content_type), *settings.headers),
        body=body,
    )


def _authorization(settings: ConnectorSettings) -> str:
    if "api_key" in settings.secrets:
        return f"ApiKey {settings.secrets['api_key']}"
    if "token" in settings.secrets:
        return f"Bearer {settings.secrets['token']}"
    return basic(settings.secrets["user"], settings.secrets["password"])


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _created(answer: dict[str, Any]) -> dict[str, Any]:
    """What became of the one document; empty where the answer does not say."""
    items = answer.get("items")
    item = items[0] if isinstance(items, list) and len(items) == 1 else None
    created = item.get("create") if isinstance(item, dict) else None
    return created if isinstance(created, dict) else {}
