"""A real receiver that takes its time: nginx, answering each POST after a fixed delay."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket

ECHO_MODULE = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
_START_SECONDS = 10.0
_CONFIGURATION = """
load_module {module};
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ echo_read_request_body; echo_sleep {delay_seconds}; echo ok; }}
    }}
}}
"""


@contextmanager
def nginx(*, delay_seconds: float) -> Iterator[int]:
    """The port of a running nginx (packages nginx and libnginx-mod-http-echo)."""
    if not ECHO_MODULE.exists():
        raise FileNotFoundError("install nginx and libnginx-mod-http-echo")
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="cavra-nginx-") as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(module=ECHO_MODULE, folder=folder, port=port, delay_seconds=delay_seconds)
        )
        process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", str(configuration), "-p", folder, "-e", "/dev/null"], start_new_session=True
        )
        try:
            _wait_until_it_listens(port)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=_START_SECONDS)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
