"""Delivering evidence that was stored before: to connectors that work, once to each.

A second first delivery to the same connector would be a retry that nobody approved, so there is none: what failed is
in the retry plan.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from rollback_audit.engine import connectors, dispatch, providers
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.dispatch import PackageDelivery, Terms
from rollback_audit.errors import StateForbids
from rollback_audit.models import Connector, Delivery, EvidencePackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The event that carries a package: its type, its numbers and its rows, all of JSON types."""

    event_type: str
    summary: dict[str, Any]
    routes: list[Any]


def deliver(
    *,
    package_pk: int,
    actor: Actor,
    message: Message,
    avoid: Collection[str],
    delivery_provider: str,
    terms: Terms,
) -> PackageDelivery:
    """Send a stored package to the named connectors (comma list), or to all that work and have not had it yet.

    The caller has asked for the permission. Raises InvalidInput for an unknown name, and StateForbids:
    `connector_failing` for one that is named and cannot be used, `no_connector_left` where none is left,
    `already_sent` where every one has had it.
    """
    connectors.sync()
    with transaction.atomic():
        # Locked, so that two calls cannot both find that a connector has not had it.
        package = EvidencePackage.objects.select_for_update().get(pk=package_pk)
        prepared = dispatch.prepare(
            actor=actor,
            package=package,
            chosen=_chosen(package, delivery_provider, avoid=avoid),
            event_type=message.event_type,
            summary=message.summary,
            routes=message.routes,
            terms=terms,
        )
    return dispatch.send(prepared, timeout_seconds=terms.timeout_seconds)


def _chosen(package: EvidencePackage, names: str, *, avoid: Collection[str]) -> list[Connector]:
    usable = providers.working(avoid=avoid)
    had = frozenset(Delivery.objects.filter(audit_id=package.audit_id).values_list("provider", flat=True))
    if names.strip() in {"", providers.ALL}:
        chosen = [row for row in usable if row.name not in had]
    else:
        chosen = providers.select(names)
        _refuse_failing(chosen, usable)
    if not usable:
        raise StateForbids(
            "No connector is left that works: each is on hold, disabled or being recovered. End a hold or close a"
            " recovery, then deliver again.",
            code="no_connector_left",
        )
    if not chosen or any(row.name in had for row in chosen):
        raise StateForbids(
            "It was sent there already. If that failed, it is in the retry plan: plan, approve and run the retry.",
            code="already_sent",
        )
    return chosen


def _refuse_failing(chosen: Collection[Connector], usable: Collection[Connector]) -> None:
    names = {row.name for row in usable}
    if all(row.name in names for row in chosen):
        return
    raise StateForbids(
        "That connector is failing itself: it is on hold, disabled, being recovered, or what this is about. "
        + (f"Choose one that works: {', '.join(sorted(names))}." if names else "None works at present."),
        code="connector_failing",
    )
