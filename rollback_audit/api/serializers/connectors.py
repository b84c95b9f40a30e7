"""Bodies about connectors."""

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Number


class ConnectorTestSerializer(Body):
    """A harmless event to one connector. Everything is optional."""

    timeout_seconds = Number(default=10.0, min_value=0.1, max_value=60.0, help_text="For the whole exchange.")
