"""What is kept of a receiver's answer, bounded however much it sends."""

from datetime import UTC, datetime

from rollback_audit.delivery.contract import Judge, Step, Verdict
from rollback_audit.delivery.retry_after import seconds_from
from rollback_audit.delivery.statuses import is_error, is_success, verdict_for
from rollback_audit.states import FailureKind

KEPT_BODY_BYTES = 4 * 1024
# The rest of a longer answer is read and dropped, so that an error page does not turn a refusal into an unknown. Past
# this the exchange is cut, and then its outcome is unknown whatever the status said: only a whole answer counts.
READ_BODY_BYTES = 256 * 1024
# Over all header lines of an exchange, those of interim answers included.
READ_HEADER_BYTES = 32 * 1024

STOP_READING = 0

_BLANK = (b"\r\n", b"\n")
_FIRST_BYTES = frozenset(b"\r\nHdDrR")


class Answer:
    """Filled by libcurl's callbacks, then judged. Used again for the next exchange, after `clear`."""

    __slots__ = ("_body", "_body_bytes", "_date", "_header_bytes", "_retry_after", "head_is_whole")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._header_bytes = self._body_bytes = 0
        self.head_is_whole = False
        self._body = b""
        self._date: bytes | None = None
        self._retry_after: bytes | None = None

    def read_header(self, line: bytes) -> int | None:
        """Take one header line; STOP_READING once the head is too long."""
        self._header_bytes += len(line)
        if self._header_bytes > READ_HEADER_BYTES:
            return STOP_READING
        if line[0] in _FIRST_BYTES:  # most lines are none of ours, and this runs for each line of each answer
            self._note(line)
        return None

    def _note(self, line: bytes) -> None:
        if line in _BLANK:  # libcurl takes a head that is cut off for a whole answer
            self.head_is_whole = True
        elif line.startswith(b"HTTP/"):  # what an interim answer said does not count for the final one
            self.head_is_whole = False
            self._date = self._retry_after = None
        elif line[:5].lower() == b"date:":
            self._date = line[5:]
        elif line[:12].lower() == b"retry-after:":
            self._retry_after = line[12:]

    def read_body(self, chunk: bytes) -> int | None:
        """Take a piece of the body; STOP_READING once it is too long."""
        self._body_bytes += len(chunk)
        if self._body_bytes > READ_BODY_BYTES:
            return STOP_READING
        if len(self._body) < KEPT_BODY_BYTES:
            self._body = (self._body + chunk)[:KEPT_BODY_BYTES]
        return None

    def verdict(self, status_code: int, judge: Judge) -> Verdict | Step:
        """The connector's judgement of the whole answer. Only a 2xx can be confirmed."""
        try:
            verdict = judge(status_code, self._body)
        except Exception:  # a judge that a body tripped; its message may quote the body
            return Verdict(failure_kind=FailureKind.ANSWER_MALFORMED)
        if isinstance(verdict, Step) or is_success(status_code) or not verdict.confirmed:
            return verdict
        return verdict_for(status_code)

    def retry_after_seconds(self, status_code: int) -> int | None:
        """The wait that a complete 4xx or 5xx asked for. RFC 9110 also allows it on 3xx, which we never follow."""
        if self._retry_after is None or not is_error(status_code):
            return None
        date = None if self._date is None else self._date.decode("latin-1")
        return seconds_from(self._retry_after.decode("latin-1"), answer_date=date, now=datetime.now(tz=UTC))
