"""Every address of the project: the console, the API, and the front door that leads to the console."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from rollback_audit.api.errors import not_found

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="front-door"),
    path("runtime/go-pilot/", include("rollback_audit.api.urls")),
    re_path(r"^runtime(/|$)", not_found),
    # Before the admin's, of which the last catches everything below /console/.
    path("console/", include("rollback_audit.console.urls")),
    path("console/", admin.site.urls),
]

# JSON below /runtime/, Django's own pages elsewhere.
handler400 = "rollback_audit.api.errors.bad_request"
handler404 = "rollback_audit.api.errors.not_found"
handler500 = "rollback_audit.api.errors.server_error"
