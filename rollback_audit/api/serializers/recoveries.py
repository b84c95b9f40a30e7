"""Bodies about recovery: asking what to do, and saying a word on a recovery."""

from typing import Any

from rest_framework import serializers

from rollback_audit.api.serializers.body import Body
from rollback_audit.api.serializers.fields import Text, Whole, Word, optional
from rollback_audit.api.serializers.plans import LABEL
from rollback_audit.engine import recoveries
from rollback_audit.states import ClosureState


class RecoveryPlaybookCreateSerializer(Body):
    """Which connectors want a recovery: those that failed at least so often in the last hours."""

    min_failure_count = Whole(
        default=recoveries.MIN_FAILURE_COUNT,
        min_value=1,
        max_value=recoveries.MOST_FAILURES,
        help_text="Failed attempts.",
    )
    lookback_hours = Whole(default=recoveries.LOOKBACK_HOURS, min_value=1, max_value=recoveries.MOST_LOOKBACK_HOURS)
    generated_by = optional(128, help_text=LABEL)


class References(serializers.ListField):
    """A list of ids."""

    default_error_messages = {"not_a_list": "Expected a list of strings."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=128), max_length=recoveries.MOST_REFS, **kwargs)


class RecoveryClosureCreateSerializer(Body):
    """A word on the recovery that the playbook lists for the connector. Resolved and mitigated close it."""

    provider = Text(max_length=63)
    closure_state = Word(ClosureState, default=ClosureState.RESOLVED)
    external_ref = optional(200, help_text="With any word but resolved, the reason stands here or in notes.")
    notes = optional(2000, lines=True, help_text="Never shown again.")
    verification_refs = References(
        default=[], help_text="Ids of deliveries, runs, execution records or other lines of the history."
    )
    closed_by = optional(128, help_text=LABEL)
