from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.constraints import BaseConstraint

from rollback_audit.states import Permission


class Access(models.Model):  # noqa: DJ008 - no rows
    """No table: the place Django keeps the project's permissions."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions: ClassVar = [(word.value, word.value.replace("_", " ")) for word in Permission]


class ApiToken(models.Model):
    """A bearer token, known by its SHA-256 only. The token itself has 256 random bits, so a plain hash is enough."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8, help_text="The first characters, to tell tokens apart.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        ordering: ClassVar = ["-id"]
        constraints: ClassVar[list[BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(expires_at__gt=F("created_at")), name="api_token_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.hint}…"


class IdempotentRequest(models.Model):
    """The first answer to an Idempotency-Key of one user. `status_code` is empty while that answer is being made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key_digest = models.CharField(max_length=64)
    request_digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    location = models.CharField(max_length=300, blank=True)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "key_digest"], name="idempotent_request_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key_digest[:12]}…"
