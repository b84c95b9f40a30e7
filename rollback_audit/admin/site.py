"""The Evidence Console: an AdminSite for everyone who may view evidence, with read-only lists and nothing else.

Its front page and the pages with buttons are `rollback_audit.console`, whose addresses come first under /console/.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from rollback_audit import models
from rollback_audit.admin import deliveries, drills, health, holds, ledger, recoveries, reports, retries
from rollback_audit.admin.lists import EvidenceList
from rollback_audit.engine.actors import actor_for
from rollback_audit.states import Permission

LISTS: dict[type[Model], type[EvidenceList]] = {
    models.Delivery: deliveries.DeliveryList,
    models.DeliveryAttempt: deliveries.AttemptList,
    models.DeliveryPlan: deliveries.DeliveryPlanList,
    models.EvidencePackage: deliveries.PackageList,
    models.Connector: deliveries.ConnectorList,
    models.RetryPlan: retries.RetryPlanList,
    models.RetryDecision: retries.DecisionList,
    models.RetryAcknowledgement: retries.ReviewList,
    models.ApprovalPlan: retries.ApprovalPlanList,
    models.ApprovalDecision: retries.ApprovalList,
    models.WorkerRun: retries.RunList,
    models.WorkerResult: retries.ResultList,
    models.RunLane: retries.LaneList,
    models.WorkerSchedule: retries.WorkerScheduleList,
    models.DrillSchedule: drills.DrillScheduleList,
    models.DrillRoute: drills.RouteList,
    models.DrillAcknowledgement: drills.AcknowledgementList,
    models.HealthAlert: health.AlertList,
    models.HealthAlertAcknowledgement: health.AlertAcknowledgementList,
    models.Recovery: recoveries.RecoveryList,
    models.RecoveryPlaybook: recoveries.PlaybookList,
    models.RecoveryClosure: recoveries.ClosureList,
    models.RecoveryEscalation: reports.EscalationList,
    models.EscalationAcknowledgement: reports.EscalationWordList,
    models.ExecutiveReport: reports.ReportList,
    models.EvidenceEntry: ledger.LedgerList,
    models.LegalHold: holds.HoldList,
    models.LedgerCheckpoint: ledger.CheckpointList,
}


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def may_enter(user: User | AnonymousUser) -> bool:
    """Whoever may view evidence; Django's staff flag means nothing here."""
    return actor_for(user).may(Permission.VIEW_EVIDENCE)


def _answering(view: View) -> View:
    """The view, or a calm page while the database does not answer."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **named)
        except (OperationalError, InterfaceError):
            text = render_to_string("console/unavailable.html")
            return HttpResponse(text, status=503, headers={"Retry-After": "10"})

    return cast("View", answer)


class SignInForm(AuthenticationForm):
    """Name and password of somebody who has a role. A refused name is not drawn again: it may be the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.format_value = lambda _: None

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not may_enter(user):
            raise ValidationError("This identity has no role here. A platform owner can give it one.", code="no_role")


class EvidenceConsole(AdminSite):
    """Sign-in and lists. Nothing of Django's own admin that writes, looks rows up by key or names a function."""

    site_header = site_title = "CAVRA Evidence Console"
    login_form = SignInForm
    login_template = "console/sign_in.html"
    enable_nav_sidebar = False

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        for action in list(self._actions):
            self.disable_action(action)
        for model, listing in LISTS.items():
            self.register(model, listing)

    def has_permission(self, request: HttpRequest) -> bool:
        return may_enter(request.user)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "has_permission": self.has_permission(request),
        }

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        return _answering(super().admin_view(view, cacheable))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages: list[URLPattern | URLResolver] = [
            path("", RedirectView.as_view(pattern_name="console:overview"), name="index"),
            path("login/", _answering(self.login), name="login"),
            path("logout/", self.logout, name="logout"),
            path("password_change/", self.admin_view(self.password_change, cacheable=True), name="password_change"),
            path("password_change/done/", self.admin_view(self.password_change_done), name="password_change_done"),
        ]
        lists = [listing for listing in self._registry.values() if isinstance(listing, EvidenceList)]
        return pages + [path(f"{listing.slug}/", include(listing.get_urls())) for listing in lists]
