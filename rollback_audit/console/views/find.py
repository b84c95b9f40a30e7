"""Any id, pasted: the page of the record it belongs to. A checkpoint's are its size and its root."""

import base64
import re

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from rollback_audit.console.doors import SeeOther, page
from rollback_audit.engine import queries
from rollback_audit.engine.actors import Actor

# Lists draw an id without its prefix, so it is found without it, too.
_PAGES = (
    (queries.delivery_plans, "delivery_id", "gordackdelivery-", "console:delivery"),
    # Before packages, which have their ids too.
    (queries.escalations, "plan_id", "gordackescalation-", "console:escalation"),
    (queries.executive_reports, "run_id", "gordackreport-", "console:report"),
    (queries.packages, "audit_id", "gordackaudit-", "admin:rollback_audit_evidencepackage_record"),
    (queries.plans, "retry_plan_id", "gordackretry-", "console:plan"),
    (queries.approval_plans, "approval_plan_id", "gordackapproval-", "console:approval-plan"),
    (queries.runs, "run_id", "gordackworker-", "console:run"),
    (queries.recoveries, "recovery_id", "gordackrecovery-", "console:recovery"),
    (queries.routes, "route_id", "gordroute-", "console:route"),
    (queries.schedules, "schedule_id", "", "console:schedule"),
    (queries.connectors, "name", "", "console:connector"),
    (queries.legal_holds, "hold_id", "gordhold-", "console:hold"),
    (queries.history, "entry_id", "gordledger-", "admin:rollback_audit_evidenceentry_record"),
    (queries.pruned_entries, "entry_id", "gordledger-", "admin:rollback_audit_evidenceentry_record"),
)
_SIZE = re.compile(r"[0-9]{1,18}")


@require_safe
@page
def find(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    wanted = request.GET.get("id", "").replace("\0", "").strip()[:200]
    for rows, column, prefix, name in _PAGES:
        spellings = {wanted, prefix + wanted}
        found = rows().filter(**{f"{column}__in": spellings}).values_list(column, flat=True).first() if wanted else None
        if found:
            return SeeOther(reverse(name, args=[found]))
    size = _checkpoint(wanted)
    if size is not None:
        return SeeOther(reverse("console:checkpoint", args=[size]))
    messages.error(request, "No record has that id. Paste it whole, as lists and answers show it.")
    return SeeOther(reverse("console:overview"))


def _checkpoint(wanted: str) -> int | None:
    """The size of the checkpoint that has this size or, in base64, this root."""
    if _SIZE.fullmatch(wanted):
        found = queries.checkpoints().filter(tree_size=int(wanted))
    else:
        try:
            root = base64.b64decode(wanted, validate=True)
        except ValueError:
            return None
        found = queries.checkpoints().filter(root_hash=root)
    return found.values_list("tree_size", flat=True).first()
