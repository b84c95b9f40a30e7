"""One message over a connection that libcurl has dialled: TLS or plain TCP, without HTTP.

Such receivers acknowledge nothing. The message is written, our side is closed (close_notify, then FIN), and whatever
the receiver says is read and dropped until it closes too. That end, without a reset, confirms. It proves that the
receiver's system acknowledged every byte and that its program did not close with bytes unread, for that resets the
connection. It does not prove that the program kept the message.

Over TLS the receiver has to say close_notify as well (RFC 5425, 4.4): without it anybody on the way can forge the end.
`allow_bare_close` is for receivers that never say it.
"""

import socket
import ssl
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import certifi

from rollback_audit.delivery.answer import READ_BODY_BYTES
from rollback_audit.delivery.contract import Egress
from rollback_audit.delivery.sources import Source
from rollback_audit.states import FailureKind, Outcome

# What to wait for, as selectors count it; a moment where only time helps.
WAIT_MOMENT, WAIT_READ, WAIT_WRITE = 0, 1, 2

End = tuple[Outcome, FailureKind | None]

_CONFIRMED: End = (Outcome.CONFIRMED, None)
_LOST: End = (Outcome.UNKNOWN, FailureKind.CONNECTION_LOST)
_CHUNK_BYTES = 16_384
_TCP_CLOSED = 7  # include/net/tcp_states.h
# A TLS 1.3 client is done before the server has looked at its certificate. These alerts end a handshake at the other
# side, so no program there has seen the message.
_HANDSHAKE_ALERTS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)


class Stream:
    """The talk over one connection, which it owns from now on. Never blocks, never raises for what a receiver does.

    `tls_host` is the name that the receiver's certificate must bear; empty for plain TCP.
    """

    def __init__(self, connection: socket.socket, message: bytes, *, tls_host: str, egress: Egress) -> None:
        self.watched = WAIT_MOMENT  # the client's: the events that its selector watches for
        self._connection = connection
        self._message = message
        self._allow_bare_close = egress.allow_bare_close
        self._unsent = bytearray()
        self._received_bytes = 0
        self._is_written = self._has_begun = self._is_shut = self._is_over = self._is_farewell = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._flaw: FailureKind | None = None
        if tls_host:
            try:
                self._tls = _context(egress).wrap_bio(self._incoming, self._outgoing, server_hostname=tls_host)
            except (ssl.SSLError, OSError, ValueError):  # files that changed since they were checked, a name too long
                self._flaw = FailureKind.TLS_FAILED

    def fileno(self) -> int:
        """The connection's descriptor, for a selector."""
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()

    def advance(self) -> int | End:
        """Go as far as the connection allows: what to wait for before the next call, or how the talk ended."""
        if self._flaw is not None:
            return Outcome.NOT_SENT, self._flaw
        try:
            return self._advance()
        except ssl.SSLCertVerificationError:
            return Outcome.NOT_SENT, FailureKind.TLS_UNTRUSTED
        except ssl.SSLError as error:
            if not self._has_begun or error.reason in _HANDSHAKE_ALERTS:
                return Outcome.NOT_SENT, FailureKind.TLS_FAILED
            return _LOST
        except OSError:
            return self._refused() or self._hung_up()

    def timed_out(self) -> End:
        """How the talk ends when its deadline passes now."""
        if self._has_begun:
            return Outcome.UNKNOWN, FailureKind.ANSWER_TIMEOUT
        return Outcome.NOT_SENT, FailureKind.CONNECT_TIMEOUT

    def _advance(self) -> int | End:
        self._receive()
        if self._received_bytes > READ_BODY_BYTES:
            return (Outcome.UNKNOWN, FailureKind.ANSWER_TOO_LARGE) if self._has_begun else self._hung_up()
        if not self._is_written and self._tls is not None and not self._shake_hands(self._tls):
            return WAIT_READ if self._flush() else WAIT_READ | WAIT_WRITE
        if not self._is_shut:
            if self._is_over:
                return self._hung_up()
            if not self._send_all():
                return WAIT_READ | WAIT_WRITE
        if self._tls is not None and not self._is_farewell:
            self._read_farewell(self._tls)
        if not self._is_over:
            return WAIT_READ
        return _CONFIRMED if is_acknowledged(self._connection) else WAIT_MOMENT

    def _receive(self) -> bool:
        """Take in one chunk, if one is there. One at a time, so that a flood does not hold up other exchanges."""
        try:
            chunk = self._connection.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return False
        self._received_bytes += len(chunk)
        if not chunk:
            self._is_over = True
            self._incoming.write_eof()
        elif self._tls is not None and not self._is_farewell:
            self._incoming.write(chunk)
        return bool(chunk)

    def _shake_hands(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _send_all(self) -> bool:
        """Write the message and close our side; whether all of it has left."""
        if not self._is_written:
            self._flush()  # the handshake's own last bytes, so that what leaves from here on is the message
            self._write()
        if not self._flush():
            return False
        self._connection.shutdown(socket.SHUT_WR)
        self._is_shut = True
        return True

    def _write(self) -> None:
        self._is_written = True
        if self._tls is None:
            self._unsent += self._message
            return
        rest = memoryview(self._message)
        while rest:  # OpenSSL may take one record at a time
            rest = rest[self._tls.write(rest) :]
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            """It has queued our close_notify, and wants the receiver's, or stumbles over what the receiver said."""

    def _flush(self) -> bool:
        self._unsent += self._outgoing.read()
        while self._unsent:
            try:
                sent = self._connection.send(self._unsent)
            except BlockingIOError:
                return False
            self._has_begun |= self._is_written
            del self._unsent[:sent]
        return True

    def _read_farewell(self, tls: ssl.SSLObject) -> None:
        try:
            while tls.read(_CHUNK_BYTES):
                """Dropped."""
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self._is_farewell = True
        except ssl.SSLEOFError:
            if not self._allow_bare_close:
                raise
            self._is_farewell = True

    def _refused(self) -> End | None:
        """What the receiver said before it reset the connection, where that ended the handshake: it lies unread when
        it was writing or closing that failed.
        """
        if self._tls is None:
            return None
        with suppress(OSError):
            while self._received_bytes <= READ_BODY_BYTES and self._receive():
                """Into the memory of TLS."""
        try:
            self._read_farewell(self._tls)
        except ssl.SSLError as error:
            if error.reason in _HANDSHAKE_ALERTS:
                return Outcome.NOT_SENT, FailureKind.TLS_FAILED
        return None

    def _hung_up(self) -> End:
        if self._has_begun:
            return _LOST
        return Outcome.NOT_SENT, FailureKind.CONNECT_REFUSED if self._tls is None else FailureKind.TLS_FAILED


def is_acknowledged(connection: socket.socket) -> bool:
    """Whether both sides have closed and the last of our bytes is acknowledged. OSError for a connection reset since.

    A balancer without a server behind it accepts and closes at once; its reset comes after its FIN. Where the kernel
    does not tell (only Linux does), the FIN is taken for the end.
    """
    if sys.platform != "linux":
        return True
    state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, "reset")
    return state == _TCP_CLOSED


def _context(egress: Egress) -> ssl.SSLContext:
    files = (egress.ca_file or certifi.where(), egress.client_cert_file, egress.client_key_file)
    return _loaded(files, tuple(None if name is None else Source.of(Path(name)).mark for name in files))


@lru_cache(maxsize=64)
def _loaded(files: tuple[str, str | None, str | None], marks: tuple[object, ...]) -> ssl.SSLContext:
    """TLS as libcurl does it for https. `marks` are in the key so that replaced files are read again."""
    ca_file, client_cert_file, client_key_file = files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name; reads no SSLKEYLOGFILE
    context.hostname_checks_common_name = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a ca_file may hold an intermediate, as with https
    context.load_verify_locations(cafile=ca_file)
    if client_cert_file is not None:
        # Without a password of ours OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(client_cert_file, client_key_file, password="")
    return context
