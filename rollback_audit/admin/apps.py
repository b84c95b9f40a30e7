"""The admin application with the Evidence Console as its site."""

from django.contrib.admin.apps import SimpleAdminConfig


class EvidenceConsoleConfig(SimpleAdminConfig):
    """Without autodiscovery: django-q's admin could name any function to run. `site.LISTS` is all there is."""

    default_site = "rollback_audit.admin.site.EvidenceConsole"
