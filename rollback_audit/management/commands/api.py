"""`cavra api`: the web server with the console and the API."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from cavra_site import web


class Command(BaseCommand):
    help = "Serve the Evidence Console and the API."
    # A broken connector is on hold and shown as such; it must not keep the console from starting.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_address(parser)

    def handle(self, *_args: object, host: str, port: int, **_options: object) -> None:
        web.serve(host=host, port=port, threads=settings.ENV.web_threads)


def add_address(parser: CommandParser) -> None:
    """The options `--host` and `--port`, which `cavra up` has too."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=settings.ENV.port, help="port to listen on (default: %(default)s)")
