from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.constraints import BaseConstraint
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from rollback_audit.models.constraints import choices
from rollback_audit.states import MetadataKind


class EvidenceEntry(models.Model):
    """One line of the evidence ledger, inserted in the transaction of the change it records and never changed.

    `body` is the exact history row in RFC 8785 form; the other columns repeat parts of it so that it can be found.
    """

    entry_id = models.CharField(max_length=64)
    metadata_kind = models.CharField(max_length=96, choices=choices(MetadataKind))
    created_at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    source = models.CharField(max_length=96, blank=True)
    provider = models.CharField(max_length=63, blank=True)
    schedule_id = models.CharField(max_length=64, blank=True)
    audit_id = models.CharField(max_length=64, blank=True)
    delivery_id = models.CharField(max_length=64, blank=True)
    acknowledgement_state = models.CharField(max_length=16, blank=True)
    delivery_success = models.BooleanField(null=True, blank=True)
    alert_level = models.CharField(max_length=16, blank=True)
    cadence = models.CharField(max_length=64, blank=True)
    body = models.TextField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "evidence entries"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["entry_id"], name="entry_once"),
        ]
        indexes: ClassVar = [
            # History filtered by kind, audit, delivery or schedule, newest first.
            models.Index(fields=["metadata_kind", "id"], name="entry_by_kind"),
            models.Index(fields=["audit_id", "id"], name="entry_by_audit", condition=~Q(audit_id="")),
            models.Index(fields=["delivery_id", "id"], name="entry_by_delivery", condition=~Q(delivery_id="")),
            models.Index(fields=["schedule_id", "id"], name="entry_by_schedule", condition=~Q(schedule_id="")),
        ]

    def __str__(self) -> str:
        return self.entry_id


class LedgerLeaf(models.Model):
    """An entry's place in the tree, given once by the sequencer. It stays when the entry is pruned."""

    index = models.BigIntegerField(primary_key=True)
    # Not a foreign key: a leaf outlives its entry.
    entry_pk = models.BigIntegerField(unique=True)
    leaf_hash = models.BinaryField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["index"]
        verbose_name_plural = "ledger leaves"
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(condition=Q(index__gte=0), name="leaf_index_counts_up"),
            models.CheckConstraint(condition=Exact(Length("leaf_hash"), 32), name="leaf_hash_whole"),
        ]

    def __str__(self) -> str:
        return str(self.index)


class LedgerNode(models.Model):
    """The hash of a complete subtree. Only every eighth level is kept: what lies between is soon computed."""

    level = models.PositiveSmallIntegerField()
    position = models.BigIntegerField()
    node_hash = models.BinaryField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["level", "position"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["level", "position"], name="node_once"),
            models.CheckConstraint(condition=Exact(Length("node_hash"), 32), name="node_hash_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.level}/{self.position}"


class LedgerCheckpoint(models.Model):
    """A signed statement of what the tree's root was at a size: one for each size, never changed."""

    tree_size = models.BigIntegerField(primary_key=True)
    root_hash = models.BinaryField()
    note = models.TextField()
    signed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-tree_size"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(condition=Q(tree_size__gt=0), name="checkpoint_of_something"),
            models.CheckConstraint(condition=Exact(Length("root_hash"), 32), name="checkpoint_root_whole"),
        ]

    def __str__(self) -> str:
        return str(self.tree_size)
