"""The way out on a machine where every address answers: nothing that should not be dialled is."""

import time

import pytest

from rollback_audit.states import FailureKind, Outcome
from tests import island
from tests.delivery import hostile_urls, scenarios

MISSING = island.missing()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"no island: {MISSING}")


def test_five_hundred_rebindings_reach_nothing_internal() -> None:
    seen = island.run("tests.delivery.scenarios:rebinding")
    assert seen["internal_hits"] == 0
    assert set(seen["outcomes"]) == {"confirmed", "address_forbidden"}
    assert sum(seen["outcomes"].values()) == scenarios.FLIPS
    assert seen["outcomes"]["confirmed"] == seen["public_hits"] == seen["begun"] > 100
    assert seen["outcomes"]["address_forbidden"] > 100


def test_three_thousand_hostile_urls_reach_nothing_that_is_not_allowed() -> None:
    print("seed", hostile_urls.SEED)
    seen = island.run("tests.delivery.scenarios:url_fuzzing")
    assert seen["urls"] == len(scenarios.EGRESSES) * hostile_urls.COUNT
    assert seen["beyond"] == []
    # Every connection that was begun is one that a listener saw: none went to a port where nobody listens.
    assert seen["begun"] == seen["hits"] > 300
    assert set(seen["outcomes"]) <= {*FailureKind, *Outcome}
    assert seen["outcomes"]["address_forbidden"] > 4_000
    assert seen["outcomes"]["confirmed"] > 100


def test_no_metadata_service_is_reached_by_a_connector_that_lists_every_network() -> None:
    seen = island.run("tests.delivery.scenarios:metadata_with_everything_listed")
    assert seen["reached"] == "confirmed"
    assert seen["hits"] == ["10.9.8.7"]
    assert seen["begun"] == 1
    assert set(seen["outcomes"]) == {"address_forbidden"}
    assert seen["outcomes"]["address_forbidden"] > 40


def test_the_deadline_holds_for_a_name_server_that_never_answers_and_other_names_do_not_wait_for_it() -> None:
    began = time.monotonic()
    seen = island.run("tests.delivery.scenarios:silent_name_server")
    assert {kind for kind, _ in seen["dead"]} == {"name_unresolved"}
    assert max(duration for _, duration in seen["dead"]) <= seen["deadline_ms"] + 500
    assert seen["good"] == ["confirmed"] * 20
    assert seen["close_ms"] <= 500
    # The process does not wait for look-ups either: glibc asks twice for five seconds.
    assert time.monotonic() - began < 6
