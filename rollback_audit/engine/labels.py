"""Labels that clients send beside their identity: generated_by, acknowledged_by. Never who acted."""

from rollback_audit.engine.actors import Actor
from rollback_audit.redaction import check_text

MAX_LENGTH = 128


def label(field: str, value: str, *, actor: Actor) -> str:
    """The label as sent, else the actor's name. Raises InvalidInput naming the field."""
    return check_text(field, value, MAX_LENGTH).strip() or actor.name[:MAX_LENGTH]
