"""Any OpenTelemetry receiver, by OTLP/HTTP logs.

Source: OTLP specification 1.10, "OTLP/HTTP" (request, response, failures, JSON Protobuf encoding); message types of the
official package opentelemetry-proto. The protocol knows no repeats and collectors pass on whatever they take: repeats
are not dropped. The attribute `cavra.idempotency_key` lets a back end drop them.

Only 429, 502, 503 and 504 may be tried again; the specification forbids it for every other error, 500 included.

`url` is the collector's base (`https://host:4318`) or its full address; a path is kept as it is. Ports 4317 and 4318
want `allow_ports`.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings, Envelope, Verdict, WireRequest
from rollback_audit.delivery.statuses import CONFIRMED, is_error, is_success, verdict_for
from rollback_audit.delivery.urls import with_path
from rollback_audit.states import Category, FailureKind

PROVIDER = "otlp"
CATEGORY = Category.SIEM
DROPS_REPEATS = False
MAX_BODY_BYTES = 4_000_000  # what receivers take by default: 4 MiB by gRPC's old rule, 20 MiB in newer collectors

SECRETS: tuple[str, ...] = ("token", "api_key")
OPTIONS: Mapping[str, type] = {
    "encoding": str,
    "service_name": str,
    "authorization_scheme": str,
    "api_key_header": str,
}

LOGS_PATH = "/v1/logs"
CONTENT_TYPES = {"json": "application/json", "protobuf": "application/x-protobuf"}
SERVICE_NAME = "cavra"
SCOPE = "cavra.rollback_audit"

# The statuses of the specification. What waits for a person may be tried again once that person has mended it.
_KINDS: dict[int, FailureKind] = {
    HTTPStatus.UNAUTHORIZED: FailureKind.CREDENTIAL_REFUSED,
    HTTPStatus.FORBIDDEN: FailureKind.CREDENTIAL_REFUSED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: FailureKind.CREDENTIAL_REFUSED,
    HTTPStatus.NOT_FOUND: FailureKind.ADDRESS_UNKNOWN,
    HTTPStatus.GONE: FailureKind.ADDRESS_UNKNOWN,
    HTTPStatus.TOO_MANY_REQUESTS: FailureKind.RATE_LIMITED,
    HTTPStatus.BAD_GATEWAY: FailureKind.GATEWAY_FAILED,
    HTTPStatus.SERVICE_UNAVAILABLE: FailureKind.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: FailureKind.GATEWAY_FAILED,
}


def check(settings: ConnectorSettings) -> None:
    if _encoding(settings) not in CONTENT_TYPES:
        raise ConfigurationProblem("encoding", f"must be one of {', '.join(CONTENT_TYPES)}")
    if "token" in settings.secrets and str(settings.options.get("api_key_header")).lower() == "authorization":
        raise ConfigurationProblem("api_key_header", "is the header that the token goes into")


def build(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> WireRequest:
    """One log record, whose body is the event's canonical JSON as text."""
    encoding = _encoding(settings)
    headers = [("Content-Type", CONTENT_TYPES[encoding])]
    if "token" in settings.secrets:
        scheme = settings.options.get("authorization_scheme", "Bearer")
        headers.append(("Authorization", f"{scheme} {settings.secrets['token']}"))
    if "api_key" in settings.secrets:
        headers.append((str(settings.options.get("api_key_header", "X-API-Key")), settings.secrets["api_key"]))
    message = _message(settings, envelope, now=now)
    if encoding == "json":
        body = json_format.MessageToJson(message, indent=None, use_integers_for_enums=True).encode()
    else:
        body = message.SerializeToString(deterministic=True)
    return WireRequest(
        method="POST",
        url=with_path(settings.url, LOGS_PATH),
        headers=(*headers, *settings.headers),
        body=body,
    )


def judge(status_code: int, body: bytes) -> Verdict:
    """A 2xx counts unless it says that the record was rejected, which must not be sent again.

    One that is no answer of the protocol, such as a proxy's page, leaves open what became of the event.
    """
    if is_error(status_code):
        return Verdict(failure_kind=_KINDS.get(status_code, FailureKind.PAYLOAD_REFUSED))
    if not is_success(status_code):
        return verdict_for(status_code)
    answer = _response(body)
    if answer is None:
        return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)
    rejected = answer.partial_success.rejected_log_records
    return CONFIRMED if rejected == 0 else Verdict(failure_kind=FailureKind.PAYLOAD_REFUSED)


def _encoding(settings: ConnectorSettings) -> str:
    return str(settings.options.get("encoding", "protobuf"))


def _message(settings: ConnectorSettings, envelope: Envelope, *, now: datetime) -> ExportLogsServiceRequest:
    record = LogRecord(
        time_unix_nano=_nanoseconds(envelope.occurred_at),
        observed_time_unix_nano=_nanoseconds(now),
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        event_name=envelope.event_type,
        body=AnyValue(string_value=envelope.event.decode()),
        attributes=[
            _attribute("cavra.event_id", envelope.event_id),
            _attribute("cavra.idempotency_key", envelope.idempotency_key),
        ],
    )
    service_name = str(settings.options.get("service_name", SERVICE_NAME))
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=[_attribute("service.name", service_name)]),
                scope_logs=[ScopeLogs(scope=InstrumentationScope(name=SCOPE), log_records=[record])],
            )
        ]
    )


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _nanoseconds(moment: datetime) -> int:
    """Exact: a float of seconds has no room for nanoseconds."""
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _response(body: bytes) -> ExportLogsServiceResponse | None:
    """The answer, in whichever encoding it came; None where it is neither. An empty body is a full success."""
    answer = ExportLogsServiceResponse()
    try:
        answer.ParseFromString(body)
    except DecodeError:
        try:
            json_format.Parse(body, answer)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError):
            return None
    return answer
