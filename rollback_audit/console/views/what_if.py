"""What another retry policy would have made of past failures. An address that can be shared; nothing is stored."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from rollback_audit.console import back_test_figures
from rollback_audit.console.doors import Refusals, page, show
from rollback_audit.console.forms import DEFAULT_LOOKBACK_DAYS, WhatIfForm
from rollback_audit.engine import backtests, clock
from rollback_audit.engine.actors import Actor
from rollback_audit.records.backtests import BackTestRecord
from rollback_audit.states import Permission


@require_safe
@page
def what_if(request: HttpRequest, actor: Actor) -> HttpResponse:
    actor.require(Permission.PLAN_RETRY)
    form = WhatIfForm(request.GET or None)
    tested = _tested(form, actor) if form.is_bound and form.is_valid() else None
    drawn = {}
    if tested is not None:
        drawn = {
            "tested": tested,
            "policies": back_test_figures.policies(tested),
            "figures": back_test_figures.figures(tested),
            "retries": back_test_figures.retries(tested),
        }
    return show(request, actor, "console/what_if.html", form=form, **drawn)


def _tested(form: WhatIfForm, actor: Actor) -> BackTestRecord | None:
    with Refusals(form):
        return backtests.back_test(
            actor=actor,
            policy=form.policy(),
            since=clock.now() - timedelta(days=form.cleaned_data["lookback_days"] or DEFAULT_LOOKBACK_DAYS),
            source=form.cleaned_data["source"],
            provider=form.cleaned_data["provider"],
        )
    return None
