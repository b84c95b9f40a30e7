"""What connectors that sign in alike share."""

import base64

from rollback_audit.delivery.contract import ConfigurationProblem, ConnectorSettings


def require(settings: ConnectorSettings, key: str) -> None:
    """Raise ConfigurationProblem unless the settings have this secret."""
    if key not in settings.secrets:
        raise ConfigurationProblem(key, f"is required: name it with {key}_env or {key}_file")


def require_one_way(settings: ConnectorSettings, *ways: str) -> None:
    """Raise ConfigurationProblem unless there is exactly one of these secrets; a `password` goes with its `user`."""
    for key, other in (("user", "password"), ("password", "user")):
        if other in settings.secrets and key not in settings.secrets:
            raise ConfigurationProblem(key, f"is required beside {other}: name it with {key}_env or {key}_file")
    given = [key for key in ways if key in settings.secrets]
    if not given:
        raise ConfigurationProblem(ways[0], f"is required, or {' or '.join(ways[1:])}: name it with _env or _file")
    if len(given) > 1:
        raise ConfigurationProblem(given[1], f"stands beside {given[0]}; use one of them")
    refuse_colon(settings, "user")


def refuse_colon(settings: ConnectorSettings, key: str) -> None:
    """Raise ConfigurationProblem for a name that would end too early in `basic`."""
    if ":" in settings.secrets.get(key, ""):
        raise ConfigurationProblem(key, "must not hold a colon")


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
