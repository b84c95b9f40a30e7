"""The body of whatever wants nothing but a reason."""

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Text


class ReasonSerializer(Body):
    """Why somebody does this. Goes on record with their name."""

    reason = Text(max_length=500)
