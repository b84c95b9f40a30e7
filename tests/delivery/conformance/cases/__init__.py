"""One module for each provider, named like it, with its `CASE`."""

from importlib import import_module
from importlib.util import find_spec

from rollback_audit.delivery.registry import CONNECTORS
from tests.delivery.conformance.case import Case

CASES: list[Case] = [
    import_module(f"{__name__}.{provider}").CASE
    for provider in sorted(CONNECTORS)
    if find_spec(f"{__name__}.{provider}") is not None
]
