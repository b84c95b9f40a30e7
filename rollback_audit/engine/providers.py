"""Connectors as callers name them: one, a comma list, or all; and those among them that work."""

from collections.abc import Collection, Iterable

from rollback_audit.errors import InvalidInput
from rollback_audit.models import Connector, Recovery
from rollback_audit.states import ConnectorStanding, RecoveryState

ALL = "all"


def select(names: str) -> list[Connector]:
    """The connectors of a comma list, or all that are enabled. Raises InvalidInput for an unknown name."""
    rows = _configured()
    if names.strip() == ALL:
        chosen = [row for row in rows.values() if row.configuration != ConnectorStanding.DISABLED]
        if not chosen:
            detail = "No connector is configured. Name a file in CAVRA_CONNECTOR_CONFIG."
            raise InvalidInput({"delivery_provider": [detail]})
        return chosen
    return [rows[name] for name in _known("delivery_provider", listed(names), rows)]


def listed(names: str) -> list[str]:
    """The names of a comma list."""
    return [name.strip() for name in names.split(",")]


def known(field: str, names: Iterable[str]) -> list[str]:
    """The names, each once and in their order. Raises InvalidInput unless the configuration names all of them."""
    return _known(field, names, _configured())


def check(name: str) -> None:
    """Raise InvalidInput unless there is a connector of that name, though it may be configured no more; or no name."""
    if name and not Connector.objects.filter(name=name).exists():
        raise InvalidInput({"provider": ["Unknown provider."]})


def failing() -> frozenset[str]:
    """Names of the connectors that cannot be sent to now, or whose recovery is open."""
    held = {row.name for row in Connector.objects.all() if row.standing is not ConnectorStanding.READY}
    recovering = Recovery.objects.filter(state=RecoveryState.OPEN.value).values_list("provider", flat=True)
    return frozenset(held.union(recovering))


def working(*, avoid: Collection[str] = ()) -> list[Connector]:
    """The connectors that evidence about failing ones goes to, by name. `avoid` names more that are left out."""
    left_out = failing() | set(avoid)
    return [row for row in Connector.objects.order_by("name") if row.name not in left_out]


def _configured() -> dict[str, Connector]:
    return {row.name: row for row in Connector.objects.exclude(configuration=ConnectorStanding.UNKNOWN)}


def _known(field: str, names: Iterable[str], rows: Collection[str]) -> list[str]:
    wanted = list(dict.fromkeys(names))
    if any(name not in rows for name in wanted):
        raise InvalidInput({field: [f"Unknown provider. Configured: {', '.join(sorted(rows)) or 'none'}."]})
    return wanted
