from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.constraints import BaseConstraint

from rollback_audit.models.constraints import choices, one_of
from rollback_audit.states import HoldScope


class LegalHold(models.Model):
    """Keeps evidence from being pruned until somebody releases it. Never deleted, and released once.

    `subject_id` is the id of what it names; empty where it holds everything.
    """

    hold_id = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=16, choices=choices(HoldScope))
    subject_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500)
    placed_by = models.CharField(max_length=150)
    placed_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    release_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            one_of("scope", HoldScope, name="legal_hold_scope_known"),
            models.CheckConstraint(
                condition=Q(scope=HoldScope.EVERYTHING.value, subject_id="")
                | (~Q(scope=HoldScope.EVERYTHING.value) & ~Q(subject_id="")),
                name="legal_hold_names_its_subject",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="legal_hold_has_a_reason"),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by="", release_reason="")
                | (Q(released_at__gte=F("placed_at")) & ~Q(released_by="") & ~Q(release_reason="")),
                name="legal_hold_release_is_whole",
            ),
        ]
        indexes: ClassVar = [
            # Every batch of a pruning asks which holds are in force.
            models.Index(fields=["id"], name="legal_hold_in_force", condition=Q(released_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.hold_id


class PrunedSpan(models.Model):
    """Places of the ledger, up to but without `end_index`, whose entries were pruned. Their leaves stay.

    The database lets an entry go only when its place lies in one of these.
    """

    first_index = models.BigIntegerField(primary_key=True)
    end_index = models.BigIntegerField()
    pruned_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["first_index"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(first_index__gte=0, end_index__gt=F("first_index")), name="pruned_span_has_length"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_index} to {self.end_index - 1}"


class PrunedEntry(models.Model):
    """The id of a pruned entry and its place, so that whoever looks for it learns where its hash is."""

    entry_id = models.CharField(max_length=64, primary_key=True)
    index = models.BigIntegerField(unique=True)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "pruned entries"

    def __str__(self) -> str:
        return self.entry_id
