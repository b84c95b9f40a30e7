"""The console's own pages under /console/. Lists and sign-in are the site's (rollback_audit/admin/site.py)."""

from django.urls import path

from rollback_audit.console.views import (
    actions,
    approvals,
    connectors,
    deliveries,
    drills,
    find,
    health,
    overview,
    plans,
    recoveries,
    runs,
)

app_name = "console"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("find/", find.find, name="find"),
    path("health/", health.health, name="health"),
    path("health/deliver/", health.deliver, name="deliver-alerts"),
    path("alerts/<str:alert_id>/", health.alert, name="alert"),
    path("alerts/<str:alert_id>/acknowledge/", health.acknowledge, name="acknowledge-alert"),
    path("deliver-audit/", actions.deliver_audit, name="deliver-audit"),
    path("plan-retry/", actions.plan_retry, name="plan-retry"),
    path("run-worker/", actions.run_worker, name="run-worker"),
    path("deliveries/<str:delivery_id>/", deliveries.delivery, name="delivery"),
    path("plans/<str:retry_plan_id>/", plans.plan, name="plan"),
    path("plans/<str:retry_plan_id>/review/", plans.review, name="review"),
    path("plans/<str:retry_plan_id>/accept-all/", plans.accept_all, name="accept-all"),
    path("plans/<str:retry_plan_id>/ask-approval/", plans.ask_approval, name="ask-approval"),
    path("plans/<str:retry_plan_id>/dry-run/", plans.dry_run, name="dry-run"),
    path("plans/<str:retry_plan_id>/execute/", plans.execute, name="execute"),
    path("approval-plans/<str:approval_plan_id>/", approvals.approval_plan, name="approval-plan"),
    path("approval-plans/<str:approval_plan_id>/decide/", approvals.decide, name="decide"),
    path("runs/<str:run_id>/", runs.run, name="run"),
    path("runs/<str:run_id>/abort/", runs.abort, name="abort"),
    path("connectors/<str:name>/", connectors.connector, name="connector"),
    path("connectors/<str:name>/test/", connectors.test, name="test-connector"),
    path("connectors/<str:name>/release/", connectors.release, name="release-connector"),
    path("recovery-playbook/", recoveries.playbook, name="recovery-playbook"),
    path("recoveries/<str:recovery_id>/", recoveries.recovery, name="recovery"),
    path("recoveries/<str:recovery_id>/close/", recoveries.close, name="close-recovery"),
    path("schedules/new/", drills.new_schedule, name="new-schedule"),
    path("schedules/<str:schedule_id>/", drills.schedule, name="schedule"),
    path("notify/", drills.notify, name="notify"),
    path("routes/<str:route_id>/", drills.route, name="route"),
    path("routes/<str:route_id>/acknowledge/", drills.acknowledge, name="acknowledge"),
]
