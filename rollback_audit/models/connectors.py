from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import Category, CircuitState, ConnectorStanding, RepeatCheck


class Connector(models.Model):
    """A receiver as the configuration file names it. Holds no address and no secret.

    `configuration` is what the file says of it (ready, disabled, misconfigured, unknown); `hold` is what its receiver's
    answers led to, an open circuit among them; `next_send_at` is where its pace stands, if it has one. `revision` is
    drawn anew whenever the keyed digest of the resolved configuration changes.
    """

    name = models.CharField(max_length=63, unique=True)
    provider = models.CharField(max_length=32)
    category = models.CharField(max_length=16, choices=choices(Category))
    drops_repeats = models.BooleanField()
    repeat_check = models.CharField(
        max_length=16,
        choices=choices(RepeatCheck),
        default=RepeatCheck.NEVER.value,
        help_text="How it is asked before a repeat.",
    )
    revision = models.CharField(max_length=32)
    config_digest = models.CharField(max_length=64)
    configuration = models.CharField(max_length=24, choices=choices(ConnectorStanding))
    problem = models.CharField(max_length=200, blank=True, help_text="The configuration key at fault, and why.")
    hold = models.CharField(max_length=24, choices=choices(ConnectorStanding), null=True, blank=True)
    held_since = models.DateTimeField(null=True, blank=True)
    circuit = models.CharField(max_length=16, choices=choices(CircuitState), default=CircuitState.CLOSED.value)
    circuit_until = models.DateTimeField(null=True, blank=True, help_text="When an open circuit may be probed.")
    circuit_window_from = models.DateTimeField(null=True, blank=True)
    circuit_failures = models.PositiveIntegerField(default=0)
    circuit_successes = models.PositiveIntegerField(default=0)
    next_send_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["name"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("category", Category, name="connector_category_known"),
            one_of("configuration", ConnectorStanding, name="connector_configuration_known"),
            one_of("hold", ConnectorStanding, name="connector_hold_known"),
            one_of("circuit", CircuitState, name="connector_circuit_known"),
            one_of("repeat_check", RepeatCheck, name="connector_repeat_check_known"),
            models.CheckConstraint(
                condition=Q(circuit=CircuitState.OPEN.value, circuit_until__isnull=False, hold__isnull=False)
                | (~Q(circuit=CircuitState.OPEN.value) & Q(circuit_until__isnull=True)),
                name="connector_open_circuit_holds",
            ),
            models.CheckConstraint(
                condition=Q(hold__isnull=True, held_since__isnull=True)
                | Q(hold__isnull=False, held_since__isnull=False),
                name="connector_hold_has_a_start",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def standing(self) -> ConnectorStanding:
        """Whether it may be sent to now."""
        if self.configuration != ConnectorStanding.READY:
            return ConnectorStanding(self.configuration)
        return ConnectorStanding(self.hold) if self.hold else ConnectorStanding.READY
