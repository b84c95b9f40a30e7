"""Whether a receiver's certificate names its host where a name counts (RFC 9525, 6.3; RFC 6125 let the common name do).

libcurl has verified chain and name by then. But where a certificate has no name for a host at all, it falls back on the
common name and cannot be told not to.
"""

from collections.abc import Iterable, Sequence

from cryptography import x509

# libcurl's word for the certificate itself among the fields that it tells of one.
_CERTIFICATE = "Cert"
_UNREADABLE = (x509.DuplicateExtension, x509.ExtensionNotFound, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


def names_its_host(chain: Sequence[Iterable[tuple[str, str]]]) -> bool:
    """Whether the first certificate of a chain (pycurl's INFO_CERTINFO) has a dNSName or an iPAddress.

    False too where there is no certificate, or one that cannot be read.
    """
    pem = dict(chain[0]).get(_CERTIFICATE, "") if chain else ""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, *_UNREADABLE):
        return False
    return any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)
