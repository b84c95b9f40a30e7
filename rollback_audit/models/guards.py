"""Triggers that keep the ledger append-only, on either database.

Two ways around a trigger are closed: SQLite's REPLACE deletes without asking one unless `recursive_triggers` is on
(each connection turns it on), and PostgreSQL's `session_replication_role` passes those that are not ENABLE ALWAYS.
Whoever owns the tables can still drop them: checkpoints kept elsewhere show that.

An entry may go, but only as `cavra prune` lets it: its place is signed and lies in a pruned span, its kind is not one
that stays for ever, and no hold keeps everything. Its leaf never goes.
"""

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from rollback_audit.states import KEPT_FOR_EVER, HoldScope

_ENTRIES = "rollback_audit_evidenceentry"
_EVERY_CHANGE = ("update", "delete", "truncate")
GUARDED: dict[str, tuple[str, ...]] = {
    _ENTRIES: _EVERY_CHANGE,
    "rollback_audit_ledgerleaf": _EVERY_CHANGE,
    "rollback_audit_ledgernode": _EVERY_CHANGE,
    "rollback_audit_ledgercheckpoint": _EVERY_CHANGE,
    "rollback_audit_prunedspan": _EVERY_CHANGE,
    "rollback_audit_prunedentry": _EVERY_CHANGE,
    # Its release is an update.
    "rollback_audit_legalhold": ("delete", "truncate"),
}
REFUSAL = "the ledger is append-only"

_REFUSE = "rollback_audit_refuse_change"
_REFUSE_UNPRUNED = "rollback_audit_refuse_unpruned"
# Spans do not overlap, so the last one that begins at or before a place is the only one that can hold it.
_MAY_GO = f"""
    OLD.metadata_kind NOT IN ({", ".join(f"'{kind}'" for kind in sorted(KEPT_FOR_EVER))})
    AND NOT EXISTS (
        SELECT 1 FROM rollback_audit_legalhold h WHERE h.scope = '{HoldScope.EVERYTHING}' AND h.released_at IS NULL
    )
    AND EXISTS (
        SELECT 1 FROM rollback_audit_ledgerleaf l
        WHERE l.entry_pk = OLD.id
        AND l."index" < (SELECT MAX(c.tree_size) FROM rollback_audit_ledgercheckpoint c)
        AND l."index" < (
            SELECT s.end_index FROM rollback_audit_prunedspan s
            WHERE s.first_index <= l."index" ORDER BY s.first_index DESC LIMIT 1
        )
    )
"""  # noqa: S608 - words of ours


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Guard whichever of the tables are there, instead of any guards they have: each migration of them ends with it."""
    remove(schema_editor)
    connection = schema_editor.connection
    on_postgresql = connection.vendor == "postgresql"
    if on_postgresql:
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            (schema,) = cursor.fetchone()
        for statement in _functions(schema):
            schema_editor.execute(statement)
    present = set(connection.introspection.table_names())
    for table in [table for table in GUARDED if table in present]:
        for statement in _statements(table, on_postgresql=on_postgresql):
            schema_editor.execute(statement)


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the guards away: to migrate backwards, and for tests to empty their tables."""
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for table in GUARDED:
        place = f' ON "{table}"' if on_postgresql else ""
        for name in _names(table, on_postgresql=on_postgresql):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{place}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """The triggers that are not there, or (PostgreSQL) that a session may pass."""
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgenabled = 'A'"
            if on_postgresql
            else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        )
        found = {name for (name,) in cursor.fetchall()}
    wanted = [name for table in GUARDED for name in _names(table, on_postgresql=on_postgresql)]
    return [name for name in wanted if name not in found]


def _names(table: str, *, on_postgresql: bool) -> list[str]:
    verbs = [verb for verb in GUARDED[table] if on_postgresql or verb != "truncate"]
    return [f"{table}_no_{verb}" for verb in verbs]


def _functions(schema: str) -> list[str]:
    """The triggers' functions. Their search path is fixed: a session's own tables must not stand in for ours."""
    refuse = f"RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';"
    kind = f"RETURNS trigger LANGUAGE plpgsql SET search_path = {schema}, pg_temp"
    return [
        f"CREATE OR REPLACE FUNCTION {_REFUSE}() {kind} AS $$ BEGIN {refuse} END $$",
        f"CREATE OR REPLACE FUNCTION {_REFUSE_UNPRUNED}() {kind} AS "
        f"$$ BEGIN IF {_MAY_GO} THEN RETURN OLD; END IF; {refuse} END $$",
    ]


def _statements(table: str, *, on_postgresql: bool) -> list[str]:
    statements = []
    for name in _names(table, on_postgresql=on_postgresql):
        verb = name.rpartition("_")[2].upper()
        may_be_pruned = (table, verb) == (_ENTRIES, "DELETE")
        if on_postgresql:
            level = "STATEMENT" if verb == "TRUNCATE" else "ROW"
            function = _REFUSE_UNPRUNED if may_be_pruned else _REFUSE
            statements += [
                f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" FOR EACH {level} EXECUTE FUNCTION {function}()',
                f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}',
            ]
        else:
            unless = f"WHEN NOT ({_MAY_GO})" if may_be_pruned else ""
            refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            statements.append(f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" {unless} {refuse}')
    return statements
