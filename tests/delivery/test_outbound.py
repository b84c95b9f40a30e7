"""Schemes and ports: what is allowed of itself, and what a connector has to list."""

import pytest

from rollback_audit.delivery.contract import Egress
from rollback_audit.delivery.outbound import route_for, stream_route_for

HTTPS = {443, 6514, 8088, 8443, 9200}
ALL = range(1, 65_536)


def open_ports(scheme: str, egress: Egress) -> set[int]:
    """Every port that a URL of this scheme may name."""
    find = stream_route_for if scheme in {"tls", "tcp"} else route_for
    # Not by the cached door: it would forget everything else.
    find = getattr(find, "__wrapped__", find)
    return {port for port in ALL if find(f"{scheme}://receiver.example:{port}/", egress)}


@pytest.mark.parametrize(
    ("scheme", "egress", "ports"),
    [
        ("https", Egress(), HTTPS),
        ("https", Egress(allow_ports=(1, 80)), HTTPS | {1, 80}),
        ("http", Egress(), set()),
        ("http", Egress(allow_ports=(8080,)), set()),
        ("http", Egress(allow_plain_http=True), HTTPS | {80}),
        ("http", Egress(allow_plain_http=True, allow_ports=(8080,)), HTTPS | {80, 8080}),
        ("tls", Egress(), {6514}),
        ("tls", Egress(allow_ports=(10_514,)), {6514, 10_514}),
        ("tcp", Egress(allow_plain_http=True), set()),
        ("tcp", Egress(allow_plain_tcp=True), {6514}),
        ("tcp", Egress(allow_plain_tcp=True, allow_ports=(601,)), {6514, 601}),
    ],
)
def test_these_ports_and_no_others_are_open(scheme: str, egress: Egress, ports: set[int]) -> None:
    assert open_ports(scheme, egress) == ports


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://receiver.example/", "receiver.example"),
        ("https://Receiver.Example./", "Receiver.Example."),
        ("https://127.1/", "127.1"),
        ("https://0x7f000001/", "0x7f000001"),
        ("https://8.8.8.8/", ""),
        ("https://[2606:4700::1111]/", ""),
    ],
)
def test_only_a_literal_address_needs_no_look_up(url: str, name: str) -> None:
    route = route_for(url, Egress())
    assert route is not None
    assert route.name == name
