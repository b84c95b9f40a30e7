"""Every address of the project: the console, the API, and the front door that leads to the console."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="front-door"),
]
if find_spec("rollback_audit.api.urls"):
    urlpatterns.append(path("runtime/go-pilot/", include("rollback_audit.api.urls")))
if find_spec("rollback_audit.console.urls"):
    # Before the admin, whose last pattern catches everything under /console/.
    urlpatterns.append(path("console/", include("rollback_audit.console.urls")))
urlpatterns.append(path("console/", admin.site.urls))
