"""The body that places a legal hold. A release wants nothing but a reason."""

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Text, Word, optional
from rollback_audit.engine.holds import MOST_REASON
from rollback_audit.states import HoldScope


class HoldCreateSerializer(Body):
    """What is held back from pruning, and why."""

    scope = Word(HoldScope)
    subject_id = optional(64, help_text="The id of the audit, delivery or schedule; none with `everything`.")
    reason = Text(max_length=MOST_REASON, help_text="Goes on record with your name.")
