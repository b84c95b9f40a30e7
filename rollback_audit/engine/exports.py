"""Evidence bundles: what of the ledger somebody asks for, whatever it refers to, and the proof of all of it.

A bundle covers the ledger up to its newest checkpoint. Entries that are not in it are there as hashes, so the same
check finds a changed, dropped or moved entry in a bundle of everything and in one of a single line.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rollback_audit.engine import checkpoints, clock, export_scopes, ledger, ledger_keys, tree
from rollback_audit.engine.actors import Actor
from rollback_audit.engine.export_scopes import Scope
from rollback_audit.errors import InvalidInput, StateForbids
from rollback_audit.evidence import bundle, merkle, notes
from rollback_audit.evidence.bundle import LedgerText
from rollback_audit.evidence.notes import NotANote
from rollback_audit.models import LedgerCheckpoint
from rollback_audit.states import Permission

WHOLE = Scope()
_CHECKPOINTS = 10
_CHECKPOINTS_OF_ALL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that is about to be made. `entry_count` counts the lines that it is about, pruned ones among them."""

    name: str
    tree_size: int
    entry_count: int
    chunks: Callable[[], Iterator[bytes]]


def export(*, actor: Actor, scope: Scope = WHOLE, held: Sequence[str] = ()) -> Bundle:
    """The bundle of what `scope` names, provable against the checkpoints in `held`, too.

    Raises InvalidInput (more than one thing named; a held text that is no checkpoint of this ledger), UnknownRecord (it
    names what is not there), StateForbids (nothing_signed: there is no checkpoint yet).
    """
    actor.require(Permission.VIEW_EVIDENCE)
    export_scopes.check(scope)
    head = checkpoints.latest()
    if head is None:
        detail = "Nothing is signed yet: start a worker, or run cavra evidence checkpoint."
        raise StateForbids(detail, code="nothing_signed")
    origin = notes.read(head.note).checkpoint.origin
    shown = export_scopes.shown(scope, head.tree_size)
    included = _checkpoints(head, is_whole=isinstance(shown, range))
    cuts = sorted({row.tree_size for row in included} | _held_sizes(held, head=head, origin=origin))
    keys = [found.key for found in ledger_keys.announced() if found.place < head.tree_size]
    about = {
        "origin": origin,
        "tree_size": head.tree_size,
        "generated_at": clock.now().isoformat(),
        "scope": {name: value or None for name, value in ledger.jsonable(scope._asdict()).items()},
    }

    def chunks() -> Iterator[bytes]:
        entries = ((row.leaf_hash, row.body) for row in export_scopes.rows(shown))
        tiles = merkle.tiling(head.tree_size, shown=shown, cuts=cuts)
        return bundle.stream(
            LedgerText(entries, tiles, tree.reader()),
            checkpoints=notes.file_text(row.note for row in included),
            keys="".join(f"{key}\n" for key in keys),
            about=about,
        )

    return Bundle(
        name=f"cavra-evidence-{head.tree_size}.zip", tree_size=head.tree_size, entry_count=len(shown), chunks=chunks
    )


def _checkpoints(head: LedgerCheckpoint, *, is_whole: bool) -> list[LedgerCheckpoint]:
    """The newest ones up to the head, and the first over each key: they hand the trust on. Rising."""
    up_to_head = LedgerCheckpoint.objects.filter(tree_size__lte=head.tree_size)
    rows = {
        row.pk: row for row in up_to_head.order_by("-tree_size")[: _CHECKPOINTS_OF_ALL if is_whole else _CHECKPOINTS]
    }
    for key in ledger_keys.announced():
        first = up_to_head.filter(tree_size__gt=key.place).order_by("tree_size").first()
        if first is not None:
            rows[first.pk] = first
    return [rows[size] for size in sorted(rows)]


def _held_sizes(held: Iterable[str], *, head: LedgerCheckpoint, origin: str) -> set[int]:
    """The sizes of the checkpoints that the auditor holds. Whether they fit is for the verifier to say."""
    sizes: set[int] = set()
    for text in held:
        try:
            checkpoint = notes.read(text).checkpoint
        except NotANote:
            raise InvalidInput({"checkpoints": ["This is not a checkpoint."]}) from None
        if checkpoint.origin != origin:
            raise InvalidInput({"checkpoints": ["This checkpoint is of another ledger."]})
        if checkpoint.size > head.tree_size:
            detail = "This checkpoint is newer than this ledger: it has been put back to an older copy."
            raise InvalidInput({"checkpoints": [detail]})
        sizes.add(checkpoint.size)
    return sizes - {0}
