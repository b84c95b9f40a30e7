"""Whatever a process says is a JSON line with declared keys; what a library or an exception would say stays unsaid."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from cavra_site.logs import EXTRA_KEYS, JsonLines
from tests.site.shell import environment

MARKER = "hunter2"
ALWAYS = {"time", "level", "logger", "event"}
DECLARED = ALWAYS | {"at", "correlation_id", "error", "trace"} | set(EXTRA_KEYS)


def line(name: str, message: str, *arguments: object, error: BaseException | None = None, **extra: object) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, exc_info)
    record.__dict__.update(extra)
    return JsonLines().format(record)


def chained() -> BaseException:
    try:
        try:
            raise ValueError(MARKER)
        except ValueError as problem:
            raise KeyError(MARKER) from problem
    except KeyError as problem:
        problem.add_note(MARKER)
        return problem


SAID: dict[str, Callable[[], str]] = {
    "a library's message": lambda: line("urllib3", f"POST https://{MARKER}.example"),
    "a library's arguments": lambda: line("django.request", "%s", MARKER),
    "a library's extra": lambda: line("django.request", "x", request=MARKER, state=MARKER, method=MARKER),
    "our arguments": lambda: line("cavra_site.x", "told %s", MARKER),
    "an extra that is not declared": lambda: line("cavra_site.x", "told", url=MARKER),
    "an exception in a declared extra": lambda: line("cavra_site.x", "told", state=ValueError(MARKER)),
    "an exception with a cause and notes": lambda: line("cavra_site.x", "told", error=chained()),
    "a library's exception": lambda: line("gunicorn.error", "x", error=chained()),
    "a stack": lambda: line("cavra_site.x", "told", stack_info=MARKER, exc_text=MARKER),
}


@pytest.mark.parametrize("say", SAID.values(), ids=SAID)
def test_a_line_holds_declared_keys_and_nothing_of_the_rest(say: Callable[[], str]) -> None:
    text = say()
    assert MARKER not in text
    assert ALWAYS <= json.loads(text).keys() <= DECLARED


def test_an_exception_is_its_type_and_the_places_it_went_through() -> None:
    said = json.loads(line("rollback_audit.x", "told", error=chained(), run_id="gordackworker-1"))
    assert (said["event"], said["error"], said["run_id"]) == ("told", "KeyError", "gordackworker-1")
    assert said["trace"][0].startswith("test_logs.py:")


def test_every_logger_ends_at_the_one_handler() -> None:
    assert list(settings.LOGGING["handlers"]) == ["stderr"]
    assert settings.LOGGING["root"]["handlers"] == ["stderr"]
    named = [logger.get("handlers", []) for logger in settings.LOGGING["loggers"].values()]
    assert not any(named)
    # Libraries that set up their own handlers find that they need none.
    for name in ("django-q", "django", "django.server", "django.request", "gunicorn.error"):
        assert logging.getLogger(name).propagate
        assert logging.getLogger(name).handlers == []


# Each line ends a process, or a part of one, in its own way.
ENDS = {
    "uncaught": f"raise ValueError({MARKER!r})",
    "in a thread": f"import threading; t = threading.Thread(target=int, args=({MARKER!r},)); t.start(); t.join()",
    "in a finalizer": f"type('T', (), {{'__del__': lambda self: int({MARKER!r})}})()",
    "in a child of multiprocessing": (
        f"import multiprocessing as m; m.set_start_method('fork'); p = m.Process(target=int, args=({MARKER!r},));"
        " p.start(); p.join()"
    ),
    "printed": f"import sys; print({MARKER!r}, file=sys.stderr)",
    "before settings": f"import logging; logging.getLogger().error({MARKER!r})",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_process_of_the_cluster_ends_without_a_word_that_is_not_ours(end: str, tmp_path: Path) -> None:
    setup = "import django; django.setup(); from cavra_site import logs; logs.catch_the_rest(); logs.withhold_stderr()"
    ended = subprocess.run(
        [sys.executable, "-c", f"{setup}; {end}"],
        env=environment(
            home=tmp_path, DJANGO_SETTINGS_MODULE="cavra_site.settings", CAVRA_SECRET_KEY_FILE=_key(tmp_path)
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert MARKER not in ended.stdout + ended.stderr
    said = [json.loads(text) for text in ended.stderr.splitlines()]
    assert said
    assert all(found.keys() <= DECLARED for found in said)


def test_a_command_that_breaks_says_where_and_not_what(tmp_path: Path) -> None:
    # Nothing catches a database folder that is a file, other than the interpreter.
    code = f"from cavra_site import cli, env; env.read = lambda: int({MARKER!r}); cli.main()"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(home=tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    said = json.loads(ended.stderr)
    assert (said["event"], said["error"]) == ("uncaught_error", "ValueError")
    assert MARKER not in ended.stderr


def _key(folder: Path) -> str:
    file = folder / "key"
    file.touch(mode=0o600)
    file.write_text(os.urandom(32).hex(), encoding="ascii")
    return str(file)
