"""rsyslog and syslog-ng take our messages over TLS, and write down what they understood."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rollback_audit.delivery import registry
from rollback_audit.delivery.client import Client
from rollback_audit.delivery.contract import ConnectorSettings, Send, Settlement
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.certificates import Issued
from tests.delivery.conformance.case import ENVELOPE, KEY, NOW
from tests.receivers_real.conftest import Connector
from tests.receivers_real.installed import debian_packages, free_port, running
from tests.waiting import within

pytestmark = [pytest.mark.receivers, pytest.mark.timeout(600)]  # of which most is installing

RSYSLOG = r"""
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{trusted}"
       defaultNetstreamDriverCertFile="{server}" defaultNetstreamDriverKeyFile="{server}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="understood" type="string"
         string="%pri% %timereported:::date-rfc3339% %app-name% %msgid%\n%structured-data%\n%msg%\n")
action(type="omfile" file="{written}" template="understood")
"""
SYSLOG_NG = r"""
@version: 3.35
@module afsocket
@module affile
@module syslogformat
options {{ frac-digits(6); log-msg-size(65536); use-dns(no); time-zone("UTC"); }};
source taken {{
    syslog(ip("127.0.0.1") port({port}) transport("tls")
           tls(key-file("{server}") cert-file("{server}") peer-verify(optional-untrusted)));
}};
destination written {{
    file("{written}" template("${{PRI}} ${{ISODATE}} ${{PROGRAM}} ${{MSGID}}\n${{SDATA}}\n${{MSG}}\n"));
}};
log {{ source(taken); destination(written); }};
"""


class Syslog(NamedTuple):
    """A running server: where it listens, whom it trusts to vouch for it, and what it has written."""

    port: int
    trusted: Path
    written: Path


Starting = Callable[[str, Path, Path, int], AbstractContextManager[None]]


@contextmanager
def rsyslog(configuration: str, folder: Path, files: Path, port: int) -> Iterator[None]:
    path = folder / "rsyslog.conf"
    path.write_text(configuration)
    libraries = files / "usr/lib/x86_64-linux-gnu"
    command = (files / "usr/sbin/rsyslogd", "-n", "-f", path, "-i", folder / "pid", "-M", libraries / "rsyslog")
    with running(*command, port=port, environ={**os.environ, "LD_LIBRARY_PATH": str(libraries)}):
        yield


@contextmanager
def syslog_ng(configuration: str, folder: Path, files: Path, port: int) -> Iterator[None]:
    path = folder / "syslog-ng.conf"
    path.write_text(configuration)
    own = files / "usr/lib/syslog-ng"
    libraries = ":".join(str(one) for one in (own, files / "usr/lib/x86_64-linux-gnu", files / "lib/x86_64-linux-gnu"))
    states = (f"--persist-file={folder}/persist", f"--pidfile={folder}/pid", f"--control={folder}/control")
    command = (files / "usr/sbin/syslog-ng", "-F", "-f", path, f"--module-path={own / '3.38'}", *states)
    with running(*command, port=port, environ={**os.environ, "LD_LIBRARY_PATH": libraries}):
        yield


SERVERS: dict[str, tuple[str, Starting]] = {"rsyslog": (RSYSLOG, rsyslog), "syslog-ng": (SYSLOG_NG, syslog_ng)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debian_packages(tmp_path_factory.mktemp("debian"))


@pytest.fixture(params=sorted(SERVERS))
def syslog(request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> Iterator[Syslog]:
    configuration, starting = SERVERS[request.param]
    root, port = Issued.root(), free_port()
    trusted, server, written = root.trust_file(tmp_path), root.issue().chain_file(tmp_path), tmp_path / "written"
    text = configuration.format(folder=tmp_path, trusted=trusted, server=server, port=port, written=written)
    with starting(text, tmp_path, files, port):
        yield Syslog(port, trusted, written)


def carry(settings: ConnectorSettings) -> Settlement[Any]:
    step = registry.opening(settings, ENVELOPE, now=NOW)
    with Client[Any]() as client:
        (settlement,) = client.send_all([Send(key="k", step=step, egress=settings.egress, timeout_seconds=10)])
    return settlement


def test_a_syslog_server_understands_every_part_of_the_message(syslog: Syslog, connector: Connector) -> None:
    url = f"tls://127.0.0.1:{syslog.port}"
    settings = connector("syslog", port=syslog.port, url=url, ca_file=str(syslog.trusted), message_id="AUDIT")
    assert carry(settings).outcome is Outcome.CONFIRMED
    assert within(10, lambda: syslog.written.exists() and syslog.written.read_bytes().count(b"\n") > 2)
    head, data, message = syslog.written.read_text(encoding="utf-8").splitlines()
    assert head.replace("+00:00", "Z") == "109 2026-11-23T10:00:00.123456Z cavra AUDIT"
    assert f'idempotency_key="{KEY}"' in data
    assert f'event_type="{ENVELOPE.event_type}"' in data
    assert message.removeprefix("\ufeff") == ENVELOPE.event.decode()


def test_a_syslog_server_that_nobody_vouches_for_gets_nothing(syslog: Syslog, connector: Connector) -> None:
    settlement = carry(connector("syslog", port=syslog.port, url=f"tls://127.0.0.1:{syslog.port}"))
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED)
    assert not syslog.written.exists()
