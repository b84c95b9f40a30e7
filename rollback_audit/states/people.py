"""What people may do, and the roles that let them."""

from enum import StrEnum


class Role(StrEnum):
    AUDITOR = "auditor"
    SOC_ANALYST = "soc_analyst"
    RELEASE_MANAGER = "release_manager"
    PLATFORM_OWNER = "platform_owner"


class Permission(StrEnum):
    """What an actor may do. Every verb of the engine names the one it needs."""

    VIEW_EVIDENCE = "view_evidence"
    PLAN_RETRY = "plan_retry"
    REVIEW_RETRY = "review_retry"
    ACKNOWLEDGE_DRILL = "acknowledge_drill"
    DELIVER_EVIDENCE = "deliver_evidence"
    RUN_DRY = "run_dry"
    REQUEST_APPROVAL = "request_approval"
    APPROVE_RETRY = "approve_retry"
    EXECUTE_RETRY = "execute_retry"
    EDIT_CONNECTORS = "edit_connectors"
    EDIT_SCHEDULES = "edit_schedules"
    ACKNOWLEDGE_ALERT = "acknowledge_alert"
    OPEN_RECOVERY = "open_recovery"
    CLOSE_RECOVERY = "close_recovery"
    RETAIN_EVIDENCE = "retain_evidence"


_AUDITOR = frozenset({Permission.VIEW_EVIDENCE})
_SOC_ANALYST = _AUDITOR | {
    Permission.PLAN_RETRY,
    Permission.REVIEW_RETRY,
    Permission.ACKNOWLEDGE_ALERT,
    Permission.OPEN_RECOVERY,
}
_RELEASE_MANAGER = _SOC_ANALYST | {
    Permission.ACKNOWLEDGE_DRILL,
    Permission.DELIVER_EVIDENCE,
    Permission.RUN_DRY,
    Permission.REQUEST_APPROVAL,
}
_PLATFORM_OWNER = _RELEASE_MANAGER | {
    Permission.APPROVE_RETRY,
    Permission.EXECUTE_RETRY,
    Permission.EDIT_CONNECTORS,
    Permission.EDIT_SCHEDULES,
    Permission.CLOSE_RECOVERY,
    Permission.RETAIN_EVIDENCE,
}
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.AUDITOR: _AUDITOR,
    Role.SOC_ANALYST: _SOC_ANALYST,
    Role.RELEASE_MANAGER: _RELEASE_MANAGER,
    Role.PLATFORM_OWNER: _PLATFORM_OWNER,
}
