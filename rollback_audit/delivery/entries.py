"""One connector's table of keys, read strictly into `ConnectorSettings`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rollback_audit.delivery.addresses import may_dial, networks
from rollback_audit.delivery.contract import ConfigurationProblem, Connector, ConnectorSettings, Egress, Limits
from rollback_audit.delivery.outbound import PORTS, Address, allowed_ports, is_header, parse_stream_url, parse_url
from rollback_audit.delivery.registry import ADDRESSED, CONNECTORS, STREAMING
from rollback_audit.delivery.sources import SourceReader

_SECRET_WORD = re.compile(
    r"token|secret|passw|authorization|credential|cookie|signature|(?:^|[^a-z])(?:sig|auth)(?:$|[^a-z])|key$", re.I
)
_SECRET_VALUE = re.compile(r"(?:bearer|basic|splunk|token|genie-?key)\s+\S", re.I)
# What the client or the connector writes itself; two of one kind are read differently by different receivers.
_OWN_HEADERS = frozenset(
    {"connection", "content-length", "content-type", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)


class _Entry:
    """Takes keys out of the table one by one; what is left over is unknown."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._left = dict(values)

    def take(self, key: str, kind: type, *, default: Any = None) -> Any:
        value = self._left.pop(key, default)
        # `type` and not isinstance: True is an int to Python and not to us.
        if value is not default and type(value) is not kind:
            raise ConfigurationProblem(key, f"must be {_KIND_NAMES[kind]}")
        if kind is str and value is not default and (not value or not value.isprintable()):
            raise ConfigurationProblem(key, "must be text without control characters, and not empty")
        return value

    def take_number(self, key: str) -> float | None:
        value = self._left.pop(key, None)
        if value is not None and type(value) not in {int, float}:
            raise ConfigurationProblem(key, "must be a number")
        return None if value is None else float(value)

    def take_list(self, key: str, kind: type) -> tuple[Any, ...]:
        values = self.take(key, list, default=())
        if any(type(value) is not kind for value in values):
            raise ConfigurationProblem(key, f"must be a list, each of them {_KIND_NAMES[kind]}")
        return tuple(values)

    def take_secret(self, key: str, *, reader: SourceReader) -> str | None:
        """The value that `{key}_env` or `{key}_file` names; None where neither is there."""
        env, file = f"{key}_env", f"{key}_file"
        variable, name = self.take(env, str), self.take(file, str)
        if variable is not None and name is not None:
            raise ConfigurationProblem(file, f"stands beside {env}; use one of them")
        if variable is not None:
            return reader.secret_from_env(variable, key=env)
        return None if name is None else reader.secret_from_file(name, key=file)

    def refuse_rest(self, *, secrets: tuple[str, ...]) -> None:
        for key in self._left:
            if key in secrets:
                raise ConfigurationProblem(key, f"is a literal secret; use {key}_env or {key}_file")
            if _SECRET_WORD.search(str(key)):
                raise ConfigurationProblem(str(key), "is not a key of this provider, and secrets do not belong here")
            raise ConfigurationProblem(str(key), "is not a key of this provider")


_KIND_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def settings_from(
    name: str, values: Mapping[str, Any], *, reader: SourceReader
) -> tuple[ConnectorSettings, str | None]:
    """The connector's settings, their `digest` still empty, and the digests of its certificate files if it has any.

    Raises ConfigurationProblem for the first thing that is wrong.
    """
    entry = _Entry(values)
    provider = entry.take("provider", str, default=name)
    connector = _connector_of(provider)
    enabled = entry.take("enabled", bool, default=True)
    ca_name = entry.take("ca_file", str)
    ca_path, trust = reader.bundle(ca_name, key="ca_file") if ca_name else (None, None)
    egress = _egress(entry, ca_file=ca_path)
    if provider in STREAMING:
        egress, certificates = _stream_egress(entry, egress, reader=reader)
        trust = ",".join((trust or "", *certificates))
    options = _options(entry, connector)
    own = ADDRESSED[provider].address(options) if provider in ADDRESSED else None
    url = _url(
        entry,
        egress=egress,
        reader=reader,
        secret="url" in connector.SECRETS,
        own=own,
        streaming=provider in STREAMING,
    )
    secrets = {key: entry.take_secret(key, reader=reader) for key in connector.SECRETS}
    headers = _headers(entry.take("headers", dict, default={}))
    limits = _limits(entry)
    entry.refuse_rest(secrets=connector.SECRETS)
    settings = ConnectorSettings(
        name=name,
        provider=provider,
        enabled=enabled,
        url=url,
        secrets=MappingProxyType({key: value for key, value in secrets.items() if value is not None}),
        options=MappingProxyType(options),
        headers=headers,
        egress=egress,
        digest="",
        limits=limits,
    )
    connector.check(settings)
    return settings, trust


def _connector_of(provider: str) -> Connector:
    if provider not in CONNECTORS:
        raise ConfigurationProblem("provider", f"must be one of {', '.join(sorted(CONNECTORS))}")
    return CONNECTORS[provider]


def _egress(entry: _Entry, *, ca_file: str | None) -> Egress:
    allow_networks = entry.take_list("allow_networks", str)
    try:
        networks(allow_networks)
    except ValueError:
        raise ConfigurationProblem("allow_networks", "must be networks such as 10.0.0.0/8, without host bits") from None
    allow_ports = entry.take_list("allow_ports", int)
    if any(port not in PORTS for port in allow_ports):
        raise ConfigurationProblem("allow_ports", "must be ports from 1 to 65535")
    return Egress(
        allow_networks=allow_networks,
        allow_ports=allow_ports,
        allow_plain_http=entry.take("allow_plain_http", bool, default=False),
        ca_file=ca_file,
    )


def _stream_egress(entry: _Entry, egress: Egress, *, reader: SourceReader) -> tuple[Egress, list[str]]:
    """The egress with what only streams have, and the digests of the client's certificate and key."""
    files: dict[str, tuple[str, str]] = {}
    for key, marker in (("client_cert_file", b"CERTIFICATE"), ("client_key_file", b"PRIVATE KEY")):
        name = entry.take(key, str)
        if name is not None:
            files[key] = reader.bundle(name, key=key, marker=marker)
    if "client_key_file" in files and "client_cert_file" not in files:
        raise ConfigurationProblem("client_cert_file", "is wanted beside client_key_file")
    streaming = replace(
        egress,
        allow_plain_tcp=entry.take("allow_plain_tcp", bool, default=False),
        allow_bare_close=entry.take("allow_bare_close", bool, default=False),
        client_cert_file=files["client_cert_file"][0] if "client_cert_file" in files else None,
        client_key_file=files["client_key_file"][0] if "client_key_file" in files else None,
    )
    return streaming, [digest for _, digest in files.values()]


def _address(url: str, *, streaming: bool) -> Address:
    found = parse_stream_url(url) if streaming else parse_url(url)
    if found is None:
        form = "tls://host:port or tcp://host:port" if streaming else "a plain ASCII http(s) URL"
        raise ConfigurationProblem("url", f"must be {form} without user, password or fragment")
    return found


def _url(entry: _Entry, *, egress: Egress, reader: SourceReader, secret: bool, own: str | None, streaming: bool) -> str:
    """The address, checked. `own`: the vendor's, where no key says otherwise."""
    literal, named = entry.take("url", str), entry.take_secret("url", reader=reader)
    if literal is None and named is None:
        literal = own
    if literal is not None and secret:
        raise ConfigurationProblem("url", "is a literal secret; use url_env or url_file")
    if (literal is None) == (named is None):
        raise ConfigurationProblem("url", "is wanted once: as url, url_env or url_file")
    url = str(literal or named)
    address = _address(url, streaming=streaming)
    if literal and any(_SECRET_WORD.search(name) for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)):
        raise ConfigurationProblem("url", "holds a literal secret in its query; use url_env or url_file")
    if address.scheme == "http" and not egress.allow_plain_http:
        raise ConfigurationProblem("url", "is plain http, which wants allow_plain_http")
    if address.scheme == "tcp" and not egress.allow_plain_tcp:
        raise ConfigurationProblem("url", "is plain TCP, which wants allow_plain_tcp")
    if address.port not in allowed_ports(address.scheme, egress):
        raise ConfigurationProblem("allow_ports", "does not list the url's port")
    host = address.host.strip("[]")
    if _is_literal(host) and not may_dial(host, allow_networks=egress.allow_networks):
        raise ConfigurationProblem("allow_networks", "does not open the url's address")
    return url


_BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_concurrency": (1, 10_000),
    "circuit_threshold": (1, 10_000),
    "circuit_window_seconds": (1, 86_400),
    "circuit_open_seconds": (1, 86_400),
}
_PACE = (0.01, 10_000.0)


def _limits(entry: _Entry) -> Limits:
    taken: dict[str, Any] = {key: entry.take(key, int) for key in _BOUNDS}
    for key, (least, most) in _BOUNDS.items():
        if taken[key] is not None and not least <= taken[key] <= most:
            raise ConfigurationProblem(key, f"must be from {least} to {most}")
    pace = entry.take_number("requests_per_second")
    if pace is not None and not _PACE[0] <= pace <= _PACE[1]:
        raise ConfigurationProblem("requests_per_second", f"must be from {_PACE[0]} to {_PACE[1]:.0f}")
    given = {key: value for key, value in taken.items() if value is not None}
    return Limits(requests_per_second=pace, **given)


def _options(entry: _Entry, connector: Connector) -> dict[str, object]:
    taken = {key: entry.take(key, kind) for key, kind in connector.OPTIONS.items()}
    options = {key: value for key, value in taken.items() if value is not None}
    if not is_header("Authorization", options.get("authorization_scheme", "-")):
        raise ConfigurationProblem("authorization_scheme", "must be ASCII text")
    if not is_header(options.get("api_key_header", "-"), "-"):
        raise ConfigurationProblem("api_key_header", "must be a header's name")
    return options


def _is_literal(host: str) -> bool:
    try:
        return bool(networks((host,)))
    except ValueError:
        return False


def _headers(values: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    for name, value in values.items():
        key = f"headers.{name}" if isinstance(name, str) and name.isprintable() else "headers"
        if not isinstance(name, str) or not isinstance(value, str) or not is_header(name, value):
            raise ConfigurationProblem(key, "must be a header's name and its text, without control characters")
        if _SECRET_WORD.search(name) or _SECRET_VALUE.match(value):
            raise ConfigurationProblem(key, "is a literal secret; use token_env, api_key_env or the like")
        if name.lower() in _OWN_HEADERS or name.lower().startswith("webhook-"):
            raise ConfigurationProblem(key, "is a header that the connector writes itself")
    if len({name.lower() for name in values}) < len(values):
        raise ConfigurationProblem("headers", "names the same header twice, in different letters")
    return tuple(sorted(values.items()))
