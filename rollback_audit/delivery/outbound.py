"""What is checked of a request before a connection is looked for. No sockets here."""

import re
from dataclasses import dataclass
from functools import lru_cache

from rollback_audit.delivery.addresses import may_dial
from rollback_audit.delivery.contract import Egress, WireRequest

HTTPS_PORTS = frozenset({443, 6514, 8088, 8443, 9200})
PLAIN_PORTS = HTTPS_PORTS | {80}
PORTS = range(1, 65_536)
STREAM_PORTS = frozenset({6514})
METHODS = frozenset({"POST", "PUT", "PATCH"})
ASKING_METHODS = METHODS | {"GET"}

# Stricter than RFC 3986, so that libcurl cannot read another host out of a URL than we do.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>[/?][!$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]*)?"
)
_STREAM_URL = re.compile(
    r"(?P<scheme>tls|tcp)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?/?"
)
_LITERAL = re.compile(r"\[.*\]|[0-9]{1,3}(\.[0-9]{1,3}){3}")
_DEFAULT_PORTS = {"https": 443, "http": 80, "tls": 6514, "tcp": 601}
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL that decide where it leads. `host` keeps the brackets of an IPv6 literal."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where one connector's requests may connect to. `name` is to be looked up first; empty for a literal address."""

    name: str
    port: int
    allow_networks: tuple[str, ...]

    def permits(self, address: str, port: int) -> bool:
        """Whether the address and port that are about to be dialled, or already are, belong to this route."""
        return port == self.port and _may_dial(address, self.allow_networks)


_may_dial = lru_cache(maxsize=4096)(lambda address, listed: may_dial(address, allow_networks=listed))


def parse_url(url: str) -> Address | None:
    """The URL's scheme, host and port; None unless it is a plain ASCII http(s) URL without userinfo or fragment."""
    return _address(_URL.fullmatch(url))


def parse_stream_url(url: str) -> Address | None:
    """The same of a `tls://` or `tcp://` address, which has neither path nor query."""
    return _address(_STREAM_URL.fullmatch(url))


def _address(match: re.Match[str] | None) -> Address | None:
    if match is None:
        return None
    port = int(match["port"] or _DEFAULT_PORTS[match["scheme"]])
    return Address(scheme=match["scheme"], host=match["host"], port=port) if port in PORTS else None


def allowed_ports(scheme: str, egress: Egress) -> frozenset[int]:
    """The ports that this egress allows for the scheme; none for plain http or TCP that is not allowed."""
    if (scheme == "http" and not egress.allow_plain_http) or (scheme == "tcp" and not egress.allow_plain_tcp):
        return frozenset()
    if scheme in {"tls", "tcp"}:
        return STREAM_PORTS | set(egress.allow_ports)
    return (HTTPS_PORTS if scheme == "https" else PLAIN_PORTS) | set(egress.allow_ports)


@lru_cache(maxsize=1024)
def route_for(url: str, egress: Egress) -> Route | None:
    """Where requests to this URL may go; None where the URL itself is forbidden."""
    address = parse_url(url)
    if address is None or address.port not in allowed_ports(address.scheme, egress):
        return None
    return _route(address, egress)


def stream_route_for(url: str, egress: Egress) -> tuple[Address, Route] | None:
    """Where a stream to this URL leads and may go; None where the URL itself is forbidden."""
    address = parse_stream_url(url)
    if address is None or address.port not in allowed_ports(address.scheme, egress):
        return None
    return address, _route(address, egress)


def _route(address: Address, egress: Egress) -> Route:
    name = "" if _LITERAL.fullmatch(address.host) else address.host
    return Route(name=name, port=address.port, allow_networks=egress.allow_networks)


def header_lines(request: WireRequest) -> list[str] | None:
    """The request's headers as libcurl takes them; None where one could break out of its line or is not ASCII."""
    # libcurl reads "Name:" as "leave this header out", and "Name;" as an empty one.
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in request.headers]
    joined = "".join(lines)
    return lines if joined.isascii() and joined.isprintable() else None


def is_header(name: str, value: str) -> bool:
    """Whether this is one well-formed header of printable ASCII (RFC 9110, 5.1), and cannot become two."""
    return bool(_HEADER_NAME.fullmatch(name)) and value.isascii() and value.isprintable() and bool(value.strip())
