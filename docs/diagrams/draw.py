"""Draws the diagram beside this file: `python docs/diagrams/draw.py`. A test holds the drawing against this source."""  # noqa: INP001

from html import escape
from pathlib import Path
from typing import NamedTuple

DRAWING = Path(__file__).parent / "go-backend-rollback-drill-audit-delivery-retry-worker.svg"
TITLE = "The retry worker for rollback drill audit deliveries"
DESCRIPTION = (
    "An evidence package becomes a delivery, and the delivery an attempt at a receiver. A failed delivery goes through "
    "a retry plan, a dry run, a review and an approval into a live run, which attempts it again. Every step leaves a "
    "line in the evidence ledger."
)
WIDTH, HEIGHT = 1140, 640

Point = tuple[int, int]


class Box(NamedTuple):
    """A box: its upper left corner, its size, its title and what it says below."""

    left: int
    top: int
    width: int
    height: int
    title: str
    lines: tuple[str, ...]
    kind: str = "step"


class Arrow(NamedTuple):
    """A line along the points, with a head at its end. The label stands at `at`, which is its middle."""

    points: tuple[Point, ...]
    label: str = ""
    at: Point = (0, 0)
    kind: str = "flow"


BOXES = (
    Box(40, 70, 190, 84, "People, through doors", ("REST API", "Evidence Console", "cavra command"), "actor"),
    Box(330, 70, 190, 84, "Schedule", ("every 30 minutes,", "once for each window"), "actor"),
    Box(620, 70, 190, 84, "A second person", ("never the one", "who made the plan"), "actor"),
    Box(910, 70, 190, 84, "Doorbell and sweeper", ("wake an idle worker,", "settle what was lost"), "actor"),
    Box(40, 220, 190, 92, "Retry plan", ("for each failed delivery:", "retry, wait or suppress,", "and its digest")),
    Box(330, 220, 190, 92, "Dry run", ("selects, records,", "opens no socket;", "the default")),
    Box(620, 220, 190, 92, "Review and approval", ("bound to the digests,", "expiring, for one attempt,", "revocable")),
    Box(910, 220, 190, 92, "Live run", ("wants a reason;", "claims in batches;", "ends with a receipt")),
    Box(40, 400, 190, 92, "Evidence package", ("public-safe,", "never changed")),
    Box(330, 400, 190, 92, "Delivery", ("a package to a connector;", "state, failures,", "lease and fence")),
    Box(
        620,
        400,
        190,
        92,
        "Attempt",
        ("written before it begins,", "settled when it is over,", "always the same key"),
    ),
    Box(
        910,
        400,
        190,
        92,
        "Receiver",
        ("webhook, Splunk;", "its words are dropped,", "a kind of failure stays"),
        "outside",
    ),
    Box(
        40,
        556,
        1060,
        54,
        "Evidence ledger",
        ("one line for every step above, in the step's own transaction",),
        "ledger",
    ),
)
ARROWS = (
    Arrow(((135, 154), (135, 220)), "Plan Audit Retry", (135, 191)),
    Arrow(((425, 154), (425, 220)), "Run Audit Worker", (425, 191)),
    Arrow(((715, 154), (715, 220)), "approves", (715, 191)),
    Arrow(((1005, 154), (1005, 220)), "drives", (1005, 191)),
    Arrow(((40, 112), (20, 112), (20, 446), (40, 446)), "Deliver Ack Audit", (76, 384)),
    Arrow(((230, 266), (330, 266))),
    Arrow(((520, 266), (620, 266))),
    Arrow(((810, 266), (910, 266)), "approved", (860, 256)),
    Arrow(((230, 446), (330, 446))),
    Arrow(((520, 430), (620, 430)), "send", (570, 422)),
    Arrow(((620, 464), (520, 464)), "settle", (570, 482)),
    Arrow(((810, 430), (910, 430)), "one way out", (860, 422)),
    Arrow(((910, 464), (810, 464)), "answer", (860, 482)),
    Arrow(((425, 400), (425, 356), (135, 356), (135, 312)), "failed", (280, 348)),
    Arrow(((1005, 312), (1005, 356), (715, 356), (715, 400)), "claim: lease, fence, spent approval", (860, 348)),
    *(Arrow(((x, 492), (x, 556)), kind="record") for x in (135, 425, 715)),
)

STYLE = """
  svg { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif;
        --paper: #ffffff; --ink: #1b2230; --soft: #465065; --line: #5c677d;
        --step: #eef2fb; --actor: #f5f5f2; --outside: #fdf3e3; --ledger: #e9f5ee }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #12161e; --ink: #eef1f7; --soft: #c2c9d6; --line: #97a3b8;
          --step: #1f2a44; --actor: #262a31; --outside: #3b2d17; --ledger: #173226 }
  }
  .paper { fill: var(--paper) }
  .box { stroke: var(--line); stroke-width: 1.2 }
  .step { fill: var(--step) }
  .actor { fill: var(--actor) }
  .outside { fill: var(--outside) }
  .ledger { fill: var(--ledger) }
  .arrow { fill: none; stroke: var(--line); stroke-width: 1.6 }
  .record { stroke-dasharray: 4 4 }
  .head { fill: var(--line) }
  text { fill: var(--soft); text-anchor: middle }
  .heading { fill: var(--ink); font-size: 18px; font-weight: 600; text-anchor: start }
  .title { fill: var(--ink); font-size: 14px; font-weight: 600 }
  .label { fill: var(--ink); stroke: var(--paper); stroke-width: 5px; paint-order: stroke; stroke-linejoin: round }
"""


def svg() -> str:
    """The drawing. It has its own paper, so it reads the same whatever page it stands on."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(TITLE)}</title>',
        f'<desc id="d">{escape(DESCRIPTION)}</desc>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="head" d="M0 0 10 5 0 10z"/></marker></defs>',
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
        f'<text class="heading" x="40" y="42">{escape(TITLE)}</text>',
        *(_box(box) for box in BOXES),
        *(_line(arrow) for arrow in ARROWS),
        *(_label(arrow) for arrow in ARROWS if arrow.label),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box) -> str:
    middle = box.left + box.width // 2
    # The block of text is centred: the title's line and one of 17 for each other.
    first = box.top + box.height // 2 - (17 * len(box.lines)) // 2 + 5
    lines = [
        f'<text x="{middle}" y="{first + 17 * number}">{escape(line)}</text>'
        for number, line in enumerate(box.lines, start=1)
    ]
    place = f'x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="6"'
    return "\n".join(
        [
            f'<rect class="box {box.kind}" {place}/>',
            f'<text class="title" x="{middle}" y="{first}">{escape(box.title)}</text>',
            *lines,
        ]
    )


def _line(arrow: Arrow) -> str:
    points = " ".join(f"{x},{y}" for x, y in arrow.points)
    return f'<polyline class="arrow {arrow.kind}" points="{points}" marker-end="url(#head)"/>'


def _label(arrow: Arrow) -> str:
    x, y = arrow.at
    return f'<text class="label" x="{x}" y="{y}">{escape(arrow.label)}</text>'


if __name__ == "__main__":
    DRAWING.write_text(svg(), encoding="utf-8")
