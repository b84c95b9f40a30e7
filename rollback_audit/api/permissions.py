"""What the one who asks must hold before a route is entered.

The engine's verbs ask again. Here a request without the right is turned away before its body is looked at.
"""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from rollback_audit.states import Permission


class HoldsPermission(BasePermission):
    """The permission that the view's `needs` names for the action; the right to look where it names none."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        # A method the route does not have answers 405 to whoever is signed in.
        return view.action is None or view.actor.may(needed(view))


def needed(view: Any) -> Permission:
    """The permission of the view's current action."""
    permission: Permission = view.needs.get(view.action, Permission.VIEW_EVIDENCE)
    return permission
