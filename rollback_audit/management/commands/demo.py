"""`cavra demo`: everything on this machine, and a receiver that is in an outage at first."""

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from cavra_site import demo
from cavra_site.processes import Child, StopRequest, stand_together
from cavra_site.receiver import Mood, Record, serve
from rollback_audit.management.doors import refusals

_HOST = "127.0.0.1"
_GRACE_SECONDS = 70
_START_SECONDS = 60
_LAST_PORT = 65535

_WELCOME = """
Evidence Console   http://{host}:{port}/console/
Demo receiver      http://{host}:{receiver_port}/   {state}: `cavra demo recover` or its own button changes that
State folder       {home}

{identities}
Ctrl-C stops everything."""
_KNOWN = "The demo's identities were made before; `cavra user create` gives one a new password.\n"


class Command(BaseCommand):
    help = (
        "Run console, API, worker and a demo receiver. `recover` and `outage` switch the receiver of a running demo; "
        "`next` takes it on in its course of 503, 429, 401 and 200."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = ["start", "recover", "outage", "next", "receiver"]
        parser.add_argument("action", nargs="?", default="start", choices=actions)

    def handle(self, *_args: object, action: str, **_options: object) -> None:
        folder = settings.HOME / demo.RECEIVER_FOLDER
        if action in {"recover", "outage", "next"}:
            record = Record(folder)
            record.mood = {"recover": Mood.WORKING, "outage": Mood.OUTAGE}.get(action, record.mood.next)
            self.stdout.write(f"The receiver is {record.mood.state}. {record.mood.explanation}")
        elif action == "receiver":
            serve(port=_receiver_port(), folder=folder)
        else:
            self._start(folder)

    def _start(self, folder: Path) -> None:
        port, receiver_port = settings.ENV.port, _receiver_port()
        for wanted in (port, receiver_port):
            _check_free(wanted)
        stop = StopRequest()
        call_command("migrate", verbosity=0)
        demo.write_connectors(_connector_file(), home=settings.HOME, receiver_port=receiver_port)
        with refusals():
            made = demo.make_identities()
        with ExitStack() as running:
            children = [_start_child(running, "demo", "receiver")]
            _wait_for(receiver_port, children, stop)
            with refusals():
                demo.seed()
            connections.close_all()
            children += [_start_child(running, verb) for verb in ("api", "worker")]
            _wait_for(port, children, stop)
            self.stdout.write(_welcome(made, port=port, receiver_port=receiver_port, folder=folder))
            self.stdout.flush()
            if not stand_together(children, stop, grace_seconds=_GRACE_SECONDS):
                raise CommandError("A process ended unexpectedly; the others were stopped.")


def _start_child(running: ExitStack, *arguments: str) -> Child:
    child = Child(*arguments, environ={"CAVRA_CONNECTOR_CONFIG": str(_connector_file())})
    running.callback(child.end, grace_seconds=_GRACE_SECONDS)
    return child


def _connector_file() -> Path:
    if settings.CAVRA_CONNECTOR_CONFIG is None:
        raise CommandError("Start the demo with `cavra demo`, which names its connector file.")
    return settings.CAVRA_CONNECTOR_CONFIG


def _receiver_port() -> int:
    port: int = settings.ENV.port
    return port + 1 if port < _LAST_PORT else port - 1


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # As the servers do it: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            raise CommandError(f"Port {port} is taken. Name another with PORT=; the next one is used too.") from None


def _wait_for(port: int, children: list[Child], stop: StopRequest) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and not stop.made and all(child.running for child in children):
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) == 0:
                return
        stop.wait(seconds=0.05)
    if not stop.made:
        raise CommandError(f"Nothing came to listen on port {port}.")


def _welcome(made: dict[str, str], *, port: int, receiver_port: int, folder: Path) -> str:
    width = max(len(name) for name in made) if made else 0
    rows = "".join(f"  {name:{width}}  {password}\n" for name, password in made.items())
    return _WELCOME.format(
        host=_HOST,
        port=port,
        receiver_port=receiver_port,
        state=Record(folder).mood.state,
        home=os.path.relpath(settings.HOME),
        identities=f"Sign in as (shown once):\n{rows}" if made else _KNOWN,
    )
