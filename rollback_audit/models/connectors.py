from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import Category, ConnectorStanding


class Connector(models.Model):
    """A receiver as the configuration file names it. Holds no address and no secret.

    `configuration` is what the file says of it (ready, disabled, misconfigured, unknown); `hold` is what its receiver's
    answers led to. `revision` is drawn anew whenever the keyed digest of the resolved configuration changes.
    """

    name = models.CharField(max_length=63, unique=True)
    provider = models.CharField(max_length=32)
    category = models.CharField(max_length=16, choices=choices(Category))
    drops_repeats = models.BooleanField()
    revision = models.CharField(max_length=32)
    config_digest = models.CharField(max_length=64)
    configuration = models.CharField(max_length=24, choices=choices(ConnectorStanding))
    problem = models.CharField(max_length=200, blank=True, help_text="The configuration key at fault, and why.")
    hold = models.CharField(max_length=24, choices=choices(ConnectorStanding), null=True, blank=True)
    held_since = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["name"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("category", Category, name="connector_category_known"),
            one_of("configuration", ConnectorStanding, name="connector_configuration_known"),
            one_of("hold", ConnectorStanding, name="connector_hold_known"),
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
