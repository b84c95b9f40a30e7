"""What the doorbell calls. Ids only; each task is safe to lose and safe to repeat."""

from rollback_audit.engine import drain as draining
from rollback_audit.engine import sweep as sweeping


def drain(run_id: str) -> None:
    draining.drain(run_id)


def sweep() -> None:
    sweeping.sweep()
