"""Which keys sign the ledger: each is announced by an entry, and takes over from the one before it.

The first checkpoint over an announcement is signed by both keys, so whoever trusts the old one can trust the new one.
"""

from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from rollback_audit.engine import clock, ledger, signing_keys
from rollback_audit.engine.actors import SYSTEM, Actor
from rollback_audit.errors import StateForbids
from rollback_audit.evidence.notes import PublicKey, SigningKey
from rollback_audit.models import EvidenceEntry, LedgerCheckpoint, LedgerLeaf
from rollback_audit.records.evidence import LedgerKeyRecord
from rollback_audit.states import MetadataKind, Permission


class AnnouncedKey(NamedTuple):
    """A key that an entry of the ledger announces, and that entry's place in the tree."""

    key: PublicKey
    place: int


def announced() -> list[AnnouncedKey]:
    """The keys whose announcements have a place in the tree, oldest first."""
    entries = {entry.pk: entry for entry in EvidenceEntry.objects.filter(metadata_kind=MetadataKind.LEDGER_KEY)}
    places = LedgerLeaf.objects.filter(entry_pk__in=entries).order_by("index").values_list("entry_pk", "index")
    return [AnnouncedKey(PublicKey.read(ledger.read(entries[pk])["record"]["vkey"]), index) for pk, index in places]


def rotate(*, actor: Actor) -> PublicKey:
    """Draw a new key and announce it. The next checkpoint is signed by both keys, the later ones by the new one.

    Raises StateForbids (ledger_key_missing, rotation_pending).
    """
    actor.require(Permission.RETAIN_EVIDENCE)
    path = settings.CAVRA_LEDGER_KEY_FILE
    old = signing_keys.read(path)
    newest = LedgerCheckpoint.objects.order_by("-tree_size").first()
    _settle_rotation(since=newest.tree_size if newest else 0)
    fresh = SigningKey.draw(old.name)
    signing_keys.write_next(path, fresh)
    _announce(fresh.public, actor=actor, replaces=old.public)
    return fresh.public


def signers(*, since: int, size: int) -> list[SigningKey]:
    """Who signs: the key in force at `since`, and those announced after it. None while the first is being announced."""
    path = settings.CAVRA_LEDGER_KEY_FILE
    _settle_rotation(since=since)
    ours = {key.public: key for key in (signing_keys.read(path), signing_keys.read_next(path)) if key is not None}
    known = [found for found in announced() if found.place < size]
    if not known:
        _announce(signing_keys.read(path).public, actor=SYSTEM, replaces=None)
        return []
    wanted = [found.key for found in known if found.place < since][-1:]
    wanted += [found.key for found in known if found.place >= since]
    if not set(wanted) <= ours.keys():
        detail = "Another key signs this ledger: bring its file to this machine."
        raise StateForbids(detail, code="ledger_key_unknown")
    return [ours[key] for key in wanted]


def _settle_rotation(*, since: int) -> None:
    """Once a checkpoint covers the next key's announcement, that key takes the old one's place."""
    path = settings.CAVRA_LEDGER_KEY_FILE
    fresh = signing_keys.read_next(path)
    if fresh is not None and fresh.public in {found.key for found in announced() if found.place < since}:
        signing_keys.promote_next(path)


def _announce(key: PublicKey, *, actor: Actor, replaces: PublicKey | None) -> None:
    line = ledger.row(
        MetadataKind.LEDGER_KEY,
        session_id=f"gordledgerkey-{key.key_id.hex()}",
        signer=actor.name,
        at=clock.now(),
        record=LedgerKeyRecord(
            key_id=key.key_id.hex(), vkey=str(key), replaces=replaces.key_id.hex() if replaces else None
        ),
    )
    try:
        with transaction.atomic():
            ledger.append([line])
    except IntegrityError:
        # Another worker announced it at the same moment, or it waits for its place.
        return
