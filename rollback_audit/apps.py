from django.apps import AppConfig


class RollbackAuditConfig(AppConfig):
    name = "rollback_audit"
    verbose_name = "Rollback audit"
    default_auto_field = "django.db.models.BigAutoField"
