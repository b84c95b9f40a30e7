"""The Evidence Console: an AdminSite whose front page is the dashboard."""

from django.contrib.admin import AdminSite


class EvidenceConsole(AdminSite):
    site_header = "CAVRA Evidence Console"
    site_title = "CAVRA Evidence Console"
