"""The operator's way from a failed delivery to a delivered one, and where one stands on it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    DONE = "done"
    HERE = "here"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has happened so far, for one plan or for the newest. Counts of due retries where not said otherwise.

    `begun` is a live run that has selected something, `executed` one that has finished.
    """

    deliveries: int = 0
    failures: int = 0
    planned: bool = False
    due: int = 0
    dry_run: bool = False
    reviewed: int = 0
    review_skipped: bool = False
    approved: int = 0
    begun: bool = False
    executed: bool = False
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    explanation: str
    standing: Standing


_STEPS = (
    ("Deliver", "An evidence package goes to its connectors."),
    ("Failures", "What was not delivered is listed with the kind of failure."),
    ("Plan", "Each failure gets a decision: retry, wait or suppress."),
    ("Dry run", "The worker shows what it would send, and sends nothing."),
    ("Review", "A person accepts each decision that is due."),
    ("Approve", "A second person approves exactly what would be sent."),
    ("Execute", "The worker sends what is approved, with a reason on record."),
    ("Delivered", "The receiver has confirmed everything that was due."),
)


def steps(progress: Progress) -> list[Step]:
    """The eight steps; the first that is not done is where one stands."""
    done = [
        progress.deliveries > 0,
        progress.deliveries > 0,
        progress.planned,
        progress.dry_run,
        progress.begun or progress.review_skipped or progress.reviewed >= progress.due,
        progress.begun or progress.approved >= progress.due,
        progress.executed,
        progress.delivered,
    ]
    if progress.delivered or (progress.deliveries and not progress.failures and not progress.planned):
        done = [True] * len(_STEPS)
    here = next((place for place, is_done in enumerate(done) if not is_done), len(_STEPS))
    return [
        Step(label, explanation, Standing.DONE if place < here else Standing.HERE if place == here else Standing.AHEAD)
        for place, (label, explanation) in enumerate(_STEPS)
    ]


def here(walk: list[Step]) -> str:
    """The label of the step where one stands; nothing at the end."""
    return next((step.label for step in walk if step.standing is Standing.HERE), "")
