"""`cavra evidence`: the ledger's proof, from the terminal."""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollback_audit.engine import checkpoints, exports, integrity, ledger_keys, proofs
from rollback_audit.engine.export_scopes import Scope
from rollback_audit.evidence import notes, verify_evidence
from rollback_audit.management.doors import actor, refusals


def _moment(text: str) -> datetime:
    """A moment in ISO 8601; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(path: Path) -> str:
    """What a file of notes holds."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandError("--checkpoints: this file cannot be read.") from None


class Command(BaseCommand):
    help = "Sign the ledger, check it, export evidence from it, and verify what was exported."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("checkpoint", help="sign the ledger as it is now, and print the checkpoint")
        verbs.add_parser("fsck", help="compute the whole ledger anew and say what is not as it was written")
        rotate = verbs.add_parser("rotate-key", help="draw a new signing key; the old one vouches for it")
        rotate.add_argument("--user", help="who does it (default: whoever sits at this terminal)")
        export = verbs.add_parser("export", help="write a bundle that an auditor can check alone")
        export.add_argument("--out", required=True, type=Path, metavar="F.zip")
        scope = export.add_mutually_exclusive_group()
        scope.add_argument("--since", type=_moment, help="deliveries that anything happened to since then (ISO 8601)")
        scope.add_argument("--audit-id", default="")
        scope.add_argument("--run", default="", metavar="RUN_ID")
        scope.add_argument("--delivery", default="", metavar="DELIVERY_ID")
        export.add_argument(
            "--checkpoints", type=Path, help="checkpoints that the auditor holds, to be compared with it"
        )
        verify = verbs.add_parser("verify", help="check a bundle, as verify_evidence.py does")
        verify.add_argument("bundle", metavar="F.zip")
        verify.add_argument("--key", action="append", default=[], help="the ledger's key, or a file that holds it")
        verify.add_argument("--checkpoints", action="append", default=[], help="checkpoints that you hold")

    def handle(self, *_args: object, verb: str, **options: Any) -> None:
        with refusals():
            match verb:
                case "checkpoint":
                    self.stdout.write(checkpoints.sign_everything().note, ending="")
                case "fsck":
                    self._check()
                case "rotate-key":
                    self.stdout.write(str(ledger_keys.rotate(actor=actor(options["user"]))))
                case "export":
                    self._export(**options)
                case _:
                    self._verify(**options)

    def _check(self) -> None:
        found = list(integrity.check(actor=actor(None)))
        for finding in found:
            self.stdout.write(f"{finding.fault.value}: {finding.where}")
        if found:
            sys.exit(1)
        status = proofs.status(actor=actor(None))
        self.stdout.write(
            f"{status.tree_size} entries are as they were written. {status.unsigned_count} wait for a checkpoint, "
            f"{status.unsequenced_count} for their place."
        )

    def _export(self, *, out: Path, checkpoints: Path | None, **asked: Any) -> None:
        held = list(notes.split(_text(checkpoints))) if checkpoints else ()
        scope = Scope(
            since=asked["since"], audit_id=asked["audit_id"], run_id=asked["run"], delivery_id=asked["delivery"]
        )
        bundle = exports.export(actor=actor(None), scope=scope, held=held)
        draft = out.with_name(f".{out.name}.part")
        try:
            with draft.open("wb") as file:
                for chunk in bundle.chunks():
                    file.write(chunk)
            draft.replace(out)
        except OSError:
            raise CommandError("--out: this file cannot be written.") from None
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        self.stdout.write(f"{bundle.entry_count} of {bundle.tree_size} entries in {out}.")

    def _verify(self, *, bundle: str, key: list[str], checkpoints: list[str], **_options: object) -> None:
        report = verify_evidence.verify(bundle, keys=key, checkpoints=checkpoints)
        for line in (*report.findings, *report.remarks):
            self.stdout.write(line)
        sys.exit(report.exit_code)
