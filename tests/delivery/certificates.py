"""Certificate authorities and server certificates for 127.0.0.1, good ones and faulty ones."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_HOST = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
_SIGNS_ONLY = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a certificate is to say. `permitted` is all that a certificate authority may name."""

    common_name: str = "receiver of the tests"
    names: tuple[x509.GeneralName, ...] = (_HOST,)
    valid_days: tuple[int, int] = (-1, 1)
    key: Key | None = None
    is_ca: bool = False
    path_length: int | None = None
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH
    signs_only: bool = False
    permitted: x509.GeneralName | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, and the certificates between it and the root (which is not among them)."""

    certificate: x509.Certificate
    key: Key
    between: tuple[x509.Certificate, ...] = ()

    def issue(self, **changes: Any) -> "Issued":
        """A certificate signed by this one; `changes` are fields of `Wanted`."""
        wanted = Wanted(**changes)
        key = wanted.key or ec.generate_private_key(ec.SECP256R1())
        signed = _builder(wanted, self.certificate.subject, key).sign(self.key, hashes.SHA256())
        is_root = self.certificate.subject == self.certificate.issuer
        return Issued(signed, key, self.between if is_root else (self.certificate, *self.between))

    @classmethod
    def root(cls, common_name: str = "root of the tests", *, names: tuple[x509.GeneralName, ...] = ()) -> Self:
        """A self-signed certificate authority; with `names`, a server's own certificate."""
        wanted = Wanted(common_name=common_name, names=names, valid_days=(-30, 30), is_ca=True, usage=None)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        return cls(_builder(wanted, subject, key).sign(key, hashes.SHA256()), key)

    def trust_file(self, folder: Path) -> Path:
        """A file for `ca_file` that trusts this certificate."""
        path = folder / "trusted.pem"
        path.write_bytes(_pem(self.certificate))
        return path

    def chain_file(self, folder: Path, *, whole: bool = True) -> Path:
        """What a server needs: its certificate, those between unless it forgets them, and its key."""
        path = folder / "server.pem"
        between = b"".join(_pem(one) for one in self.between) if whole else b""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(_pem(self.certificate) + between + key)
        return path


def _builder(wanted: Wanted, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wanted.valid_days[0] * DAY)
        .not_valid_after(now + wanted.valid_days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=wanted.is_ca, path_length=wanted.path_length), critical=True)
    )
    if wanted.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(wanted.names), critical=False)
    if wanted.usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([wanted.usage]), critical=False)
    if wanted.signs_only:
        builder = builder.add_extension(_SIGNS_ONLY, critical=True)
    if wanted.permitted:
        builder = builder.add_extension(x509.NameConstraints([wanted.permitted], None), critical=True)
    return builder


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
