"""Triggers that keep the ledger append-only, on either database.

Two ways around a trigger are closed: SQLite's REPLACE deletes without asking one unless `recursive_triggers` is on
(each connection turns it on), and PostgreSQL's `session_replication_role` passes those that are not ENABLE ALWAYS.
Whoever owns the tables can still drop them: checkpoints kept elsewhere show that.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GUARDED = (
    "rollback_audit_evidenceentry",
    "rollback_audit_ledgerleaf",
    "rollback_audit_ledgernode",
    "rollback_audit_ledgercheckpoint",
)
REFUSAL = "the ledger is append-only"

_REFUSE = "rollback_audit_refuse_change"


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Guard the tables against UPDATE, DELETE and TRUNCATE."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"CREATE OR REPLACE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$",
        )
    for table in GUARDED:
        for statement in _statements(table, on_postgresql=schema_editor.connection.vendor == "postgresql"):
            schema_editor.execute(statement)


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the guards away: to migrate backwards, and for tests to empty their tables."""
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for table in GUARDED:
        place = f' ON "{table}"' if on_postgresql else ""
        for name in _names(table, on_postgresql=on_postgresql):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{place}")


def _names(table: str, *, on_postgresql: bool) -> list[str]:
    verbs = ("update", "delete", "truncate") if on_postgresql else ("update", "delete")
    return [f"{table}_no_{verb}" for verb in verbs]


def _statements(table: str, *, on_postgresql: bool) -> list[str]:
    statements = []
    for name in _names(table, on_postgresql=on_postgresql):
        verb = name.rpartition("_")[2].upper()
        if on_postgresql:
            level = "STATEMENT" if verb == "TRUNCATE" else "ROW"
            statements += [
                f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" FOR EACH {level} EXECUTE FUNCTION {_REFUSE}()',
                f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}',
            ]
        else:
            refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            statements.append(f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" {refuse}')
    return statements
