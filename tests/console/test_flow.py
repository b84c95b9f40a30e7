"""Where one stands between a failure and its delivery."""

import pytest

from rollback_audit.console.flow import Progress, Standing, here, steps


@pytest.mark.parametrize(
    ("progress", "standing"),
    [
        (Progress(), "Deliver"),
        (Progress(deliveries=1), ""),
        (Progress(deliveries=1, failures=1), "Plan"),
        (Progress(deliveries=1, failures=1, planned=True, due=2), "Dry run"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True), "Review"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, reviewed=1), "Review"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, reviewed=2), "Approve"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, review_skipped=True), "Approve"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, reviewed=2, approved=2), "Execute"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, begun=True), "Execute"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, dry_run=True, begun=True, executed=True), "Delivered"),
        (Progress(deliveries=1, failures=1, planned=True, due=2, delivered=True), ""),
    ],
)
def test_one_stands_at_the_first_step_that_is_not_done(progress: Progress, standing: str) -> None:
    assert here(steps(progress)) == standing


def test_what_lies_before_is_done_and_what_lies_after_is_ahead() -> None:
    standings = [step.standing for step in steps(Progress(deliveries=1, failures=1))]
    assert standings == [Standing.DONE] * 2 + [Standing.HERE] + [Standing.AHEAD] * 5
