"""Only a receiver that proves who it is gets the request, and nothing turns that off."""

import ast
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

import cavra_site
import rollback_audit
from rollback_audit.delivery.contract import STREAM
from rollback_audit.states import FailureKind, Outcome
from tests.delivery.certificates import Issued
from tests.delivery.conftest import Post
from tests.receivers import RecordingReceiver, Reply, egress_to, raw_receiver

PACKAGES = [Path(str(package.__file__)).parent for package in (rollback_audit, cavra_site)]

TLS_KINDS = {FailureKind.TLS_FAILED, FailureKind.TLS_UNTRUSTED}
HOST = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
OTHER_NETWORK = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def named(name: str) -> tuple[x509.GeneralName, ...]:
    return (x509.DNSName(name),)


# Each makes the server's certificate, given the root that the connector trusts.
GOOD: dict[str, Callable[[Issued], Issued]] = {
    "as it should be": lambda root: root.issue(),
    "with an RSA key": lambda root: root.issue(key=rsa_key(2048)),
    "with letters beyond ASCII": lambda root: root.issue(common_name="Prüfstelle 東京"),
    "with names beside its host's": lambda root: root.issue(names=(x509.RFC822Name("a@b.example"), HOST)),
    "through a certificate between": lambda root: root.issue(is_ca=True, common_name="between", usage=None).issue(),
}
FAULTY: dict[str, Callable[[Issued], Issued]] = {
    "expired": lambda root: root.issue(valid_days=(-9, -1)),
    "not yet valid": lambda root: root.issue(valid_days=(1, 9)),
    "self-signed": lambda root: Issued.root("receiver", names=(HOST,)),
    "of an unknown authority": lambda root: Issued.root("root of the tests").issue(),
    "for another name": lambda root: root.issue(names=named("receiver.example")),
    "for another address": lambda root: root.issue(names=(x509.IPAddress(ipaddress.ip_address("127.0.0.2")),)),
    "for the address as a name": lambda root: root.issue(names=named("127.0.0.1")),
    "for the common name alone": lambda root: root.issue(common_name="127.0.0.1", names=()),
    "for the common name and a mailbox": lambda root: (
        root.issue(common_name="127.0.0.1", names=(x509.RFC822Name("127.0.0.1, DNS:127.0.0.1"),))
    ),
    "for clients": lambda root: root.issue(usage=ExtendedKeyUsageOID.CLIENT_AUTH),
    "for signing certificates": lambda root: root.issue(signs_only=True),
    "with a weak key": lambda root: root.issue(key=rsa_key(1024)),
    "issued by one that is no authority": lambda root: root.issue(common_name="a leaf").issue(),
    "through one that expired": lambda root: root.issue(is_ca=True, valid_days=(-9, -1), usage=None).issue(),
    "through one too many": lambda root: (
        root.issue(is_ca=True, path_length=0, common_name="first", usage=None)
        .issue(is_ca=True, common_name="second", usage=None)
        .issue()
    ),
    "outside what its authority may name": lambda root: (
        root.issue(is_ca=True, common_name="elsewhere", usage=None, permitted=OTHER_NETWORK).issue()
    ),
}  # fmt: skip


def context(certificate: Path, *, ciphers: str = "", newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A server's TLS; with `ciphers` as weak as they say."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # An OpenSSL of this machine would refuse to serve some of these faults.
    made.set_ciphers(ciphers or "DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = ssl.TLSVersion.TLSv1
        if newest:
            made.maximum_version = newest
    made.load_cert_chain(certificate)
    return made


def assert_served(post: Post, folder: Path, root: Issued, server: ssl.SSLContext) -> None:
    receiver = RecordingReceiver()
    receiver.serve_tls(server)
    with receiver:
        egress = egress_to(receiver.port, ca_file=str(root.trust_file(folder)))
        settlement = post(receiver.port, url=f"https://127.0.0.1:{receiver.port}/", egress=egress)
        assert len(receiver.arrivals) == 1
    assert settlement.outcome == Outcome.CONFIRMED


def assert_refused(post: Post, folder: Path, root: Issued, server: ssl.SSLContext) -> None:
    receiver = RecordingReceiver()
    receiver.serve_tls(server)
    with receiver:
        egress = egress_to(receiver.port, ca_file=str(root.trust_file(folder)))
        for method, scheme in (("POST", "https"), ("POST", "https"), (STREAM, "tls")):
            settlement = post(receiver.port, url=f"{scheme}://127.0.0.1:{receiver.port}/", egress=egress, method=method)
            assert (settlement.outcome, settlement.status_code) == (Outcome.NOT_SENT, None)
            assert settlement.failure_kind in TLS_KINDS
        assert receiver.connection_count == 3
        assert receiver.arrivals == []


@pytest.mark.parametrize("name", GOOD)
def test_a_good_certificate_gets_the_request(name: str, post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    assert_served(post, tmp_path, root, context(GOOD[name](root).chain_file(tmp_path)))


def test_a_connectors_own_ca_file_vouches_for_that_connector_only(post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    receiver = RecordingReceiver()
    receiver.serve_tls(context(root.issue().chain_file(tmp_path)))
    with receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        trusting = egress_to(receiver.port, ca_file=str(root.trust_file(tmp_path)), allow_plain_http=False)
        assert post(receiver.port, url=url, egress=trusting).outcome == Outcome.CONFIRMED
        assert post(receiver.port, url=url).failure_kind == FailureKind.TLS_UNTRUSTED
        assert len(receiver.arrivals) == 1


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_receiver_met_again_on_a_new_connection_shows_its_certificate_again(
    newest: ssl.TLSVersion, post: Post, tmp_path: Path
) -> None:
    root = Issued.root()
    receiver = RecordingReceiver(Reply(200, headers=(("Connection", "close"),)))
    receiver.serve_tls(context(root.issue().chain_file(tmp_path), newest=newest))
    with receiver:
        egress = egress_to(receiver.port, ca_file=str(root.trust_file(tmp_path)))
        for _ in range(3):
            assert post(receiver.port, url=f"https://127.0.0.1:{receiver.port}/", egress=egress).outcome == "confirmed"
        assert len(receiver.arrivals) == receiver.connection_count == 3


def test_a_pooled_connection_is_used_again_by_whoever_trusts_the_same_file(post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    receiver = RecordingReceiver()
    receiver.serve_tls(context(root.issue().chain_file(tmp_path)))
    with receiver:
        egress = egress_to(receiver.port, ca_file=str(root.trust_file(tmp_path)))
        for _ in range(3):
            assert post(receiver.port, url=f"https://127.0.0.1:{receiver.port}/", egress=egress).outcome == "confirmed"
        assert (len(receiver.arrivals), receiver.connection_count) == (3, 1)


def test_a_ca_file_asks_nothing_of_plain_http(post: Post, tmp_path: Path) -> None:
    with RecordingReceiver() as receiver:
        egress = egress_to(receiver.port, ca_file=str(Issued.root().trust_file(tmp_path)))
        assert post(receiver.port, egress=egress).outcome == Outcome.CONFIRMED


@pytest.mark.parametrize("name", FAULTY)
def test_a_certificate_with_a_fault_gets_no_request(name: str, post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    assert_refused(post, tmp_path, root, context(FAULTY[name](root).chain_file(tmp_path)))


def test_a_chain_with_a_link_missing_gets_no_request(post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    forgetful = GOOD["through a certificate between"](root).chain_file(tmp_path, whole=False)
    assert_refused(post, tmp_path, root, context(forgetful))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(newest: ssl.TLSVersion, post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    assert_served(post, tmp_path, root, context(root.issue().chain_file(tmp_path), newest=newest))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_not_spoken(newest: ssl.TLSVersion, post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    assert_refused(post, tmp_path, root, context(root.issue().chain_file(tmp_path), newest=newest))


@pytest.mark.parametrize("ciphers", ["eNULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0"], ids=["no secrecy", "no identity"])
def test_a_cipher_that_protects_nothing_is_not_spoken(ciphers: str, post: Post, tmp_path: Path) -> None:
    root = Issued.root()
    server = context(root.issue().chain_file(tmp_path), ciphers=ciphers, newest=ssl.TLSVersion.TLSv1_2)
    assert_refused(post, tmp_path, root, server)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03",
        bytes(range(256)) * 8,
    ],
    ids=["hangs up", "plain http", "an alert", "half a hello", "garbage"],
)
def test_a_handshake_that_is_none_gets_no_request(said: bytes, post: Post) -> None:
    heard: list[bytes] = []

    def behave(connection: socket.socket, stopping: threading.Event) -> None:
        heard.append(connection.recv(65_536))
        connection.sendall(said)

    with raw_receiver(behave) as port:
        settlement = post(port, url=f"https://127.0.0.1:{port}/", timeout_seconds=2)
    assert (settlement.outcome, settlement.failure_kind) == (Outcome.NOT_SENT, FailureKind.TLS_FAILED)
    assert len(heard) == 1
    assert heard[0][:1] == b"\x16"  # a ClientHello and nothing else


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_nothing_turns_verification_off(package: Path) -> None:
    words = {"CERT_NONE", "_create_unverified_context", "_create_stdlib_context", "check_hostname", "verify_mode",
             "PROXY_SSL_VERIFYPEER", "PROXY_SSL_VERIFYHOST", "SSL_VERIFYSTATUS", "SSL_CTX_FUNCTION", "SSL_OPTIONS",
             "SSL_ENABLE_ALPN", "DOH_SSL_VERIFYPEER", "disable_warnings"}  # fmt: skip
    found = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "arg", None)
            if name in words or (isinstance(node, ast.keyword) and node.arg in {"verify", "verify_ssl", "ssl"}):
                found.append(f"{path.name}: {name}")
    assert found == []


def test_verification_is_turned_on_in_one_place() -> None:
    set_to: dict[str, list[object]] = {"SSL_VERIFYPEER": [], "SSL_VERIFYHOST": []}
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Tuple) and isinstance(node.elts[0] if node.elts else None, ast.Attribute):
                    option, value = node.elts[0], node.elts[-1]
                    if isinstance(option, ast.Attribute) and option.attr in set_to and isinstance(value, ast.Constant):
                        set_to[option.attr].append(value.value)
    assert set_to == {"SSL_VERIFYPEER": [1], "SSL_VERIFYHOST": [2]}
    mentions = sum(path.read_text().count("SSL_VERIFY") for package in PACKAGES for path in package.rglob("*.py"))
    assert mentions == len(set_to)
