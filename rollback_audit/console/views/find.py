"""Any id, pasted: the page of the record it belongs to."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import SeeOther, page
from rollback_audit.engine import queries
from rollback_audit.engine.actors import Actor

_PAGES = (
    (queries.delivery_plans, "delivery_id", "console:delivery"),
    (queries.packages, "audit_id", "admin:rollback_audit_evidencepackage_record"),
    (queries.plans, "retry_plan_id", "console:plan"),
    (queries.approval_plans, "approval_plan_id", "console:approval-plan"),
    (queries.runs, "run_id", "console:run"),
    (queries.routes, "route_id", "console:route"),
    (queries.schedules, "schedule_id", "console:schedule"),
    (queries.connectors, "name", "console:connector"),
    (queries.history, "entry_id", "admin:rollback_audit_evidenceentry_record"),
)


@require_safe
@page
def find(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    wanted = request.GET.get("id", "").replace("\0", "").strip()[:200]
    for rows, column, name in _PAGES:
        if wanted and rows().filter(**{column: wanted}).exists():
            return SeeOther(reverse(name, args=[wanted]))
    messages.error(request, "No record has that id. Paste it whole, as lists and answers show it.")
    return SeeOther(reverse("console:overview"))
