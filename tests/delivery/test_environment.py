"""Whatever the environment says of proxies, roots, key logs and home folders: it does not bend an exchange."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollback_audit.delivery.contract import STREAM
from tests.delivery.certificates import Issued
from tests.delivery.posts import Target, sent
from tests.delivery.test_tls import context
from tests.receivers import RecordingReceiver

PERMISSIVE = """
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = everything
[everything]
MinProtocol = None
CipherString = ALL:eNULL:@SECLEVEL=0
Options = UnsafeLegacyRenegotiation
VerifyMode = Once
"""


class Place:
    """A root, servers that bear its certificates, a plain receiver, and a proxy that must stay unused."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        root = Issued.root()
        self.folder = folder
        self.trust = str(root.trust_file(folder))
        certificate = root.issue().chain_file(folder)
        self.plain = stack.enter_context(RecordingReceiver())
        self.proxy = stack.enter_context(RecordingReceiver())
        self.tls = self._serving(stack, context(certificate))
        self.old = self._serving(stack, context(certificate, newest=ssl.TLSVersion.TLSv1_1))

    def _serving(self, stack: ExitStack, server: ssl.SSLContext) -> RecordingReceiver:
        receiver = RecordingReceiver()
        receiver.serve_tls(server)
        return stack.enter_context(receiver)

    def environment(self) -> dict[str, str]:
        """Everything that is known to bend libcurl, OpenSSL or Python, set against us."""
        home, certificates = self.folder / "home", self.folder / "certificates"
        home.mkdir()
        certificates.mkdir()
        (home / ".netrc").write_text("machine 127.0.0.1 login someone password something\ndefault login a password b\n")
        (home / ".curlrc").write_text(f'insecure\nproxy = "http://127.0.0.1:{self.proxy.port}"\nlocation\n')
        (self.folder / "openssl.cnf").write_text(PERMISSIVE)
        proxy = f"http://127.0.0.1:{self.proxy.port}"
        proxies = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "ftp_proxy")
        return {
            **dict.fromkeys(proxies, proxy),
            "NO_PROXY": "",
            "no_proxy": "",
            "HOME": str(home),
            "CURL_HOME": str(home),
            "NETRC": str(home / ".netrc"),
            "XDG_CONFIG_HOME": str(home),
            "SSL_CERT_FILE": self.trust,
            "SSL_CERT_DIR": str(certificates),
            "CURL_CA_BUNDLE": self.trust,
            "REQUESTS_CA_BUNDLE": self.trust,
            "SSLKEYLOGFILE": str(self.folder / "keys.log"),
            "OPENSSL_CONF": str(self.folder / "openssl.cnf"),
            "PYTHONHTTPSVERIFY": "0",
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def test_a_hostile_environment_has_no_effect(place: Place) -> None:
    targets = [
        Target(place.plain.url, place.plain.port),
        Target(f"https://127.0.0.1:{place.tls.port}/", place.tls.port, place.trust),
        Target(f"https://127.0.0.1:{place.tls.port}/", place.tls.port),
        Target(f"tls://127.0.0.1:{place.tls.port}/", place.tls.port, None, STREAM),
        Target(f"https://127.0.0.1:{place.old.port}/", place.old.port, place.trust),
        Target(f"tls://127.0.0.1:{place.old.port}/", place.old.port, place.trust, STREAM),
    ]
    outcomes = sent(targets, place.environment())
    assert outcomes == ["confirmed", "confirmed", "tls_untrusted", "tls_untrusted", "tls_failed", "tls_failed"]
    assert place.proxy.connection_count == 0
    assert len(place.plain.arrivals) == len(place.tls.arrivals) == 1
    for arrival in place.plain.arrivals + place.tls.arrivals:
        assert not {"authorization", "proxy-authorization", "cookie"} & set(arrival.headers)
    assert not (place.folder / "keys.log").exists()
