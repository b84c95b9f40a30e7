"""The admin application with the Evidence Console as its site.

Django imports this module before any model is ready, so `rollback_audit/admin/__init__.py` stays empty.
"""

from django.contrib.admin.apps import AdminConfig


class EvidenceConsoleConfig(AdminConfig):
    default_site = "rollback_audit.admin.site.EvidenceConsole"
