"""What can go wrong, in the domain's words. They know no HTTP; each door maps them once."""

from collections.abc import Mapping, Sequence


class CavraError(Exception):
    """A verb refused. `code` is stable and public; `detail` says what to do and never holds what was sent in."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class InvalidInput(CavraError):
    """A value was refused. `fields` maps each field's name to its messages."""

    code = "invalid"

    def __init__(self, fields: Mapping[str, Sequence[str]], *, detail: str = "Some fields were refused.") -> None:
        super().__init__(detail)
        self.fields = {name: list(messages) for name, messages in fields.items()}


class NotAllowed(CavraError):
    """The actor lacks a permission, or may not do this to that record."""

    code = "permission_denied"


class UnknownRecord(CavraError):
    """No record with that id."""

    code = "not_found"


class StateForbids(CavraError):
    """The record is not in a state that allows this."""

    code = "conflict"


class StoreUnavailable(CavraError):
    """The database did not answer. Nothing was recorded; the same call may be repeated."""

    code = "database_unavailable"
