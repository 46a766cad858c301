"""Serves the display until told to stop, or until the process that started it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from linecontrol.hmi.app import LOOPBACK, create_app
from linecontrol.hmi.client import Api
from linecontrol.hmi.display import Display

NICENESS = 5  # the scans come first
GRACE_S = 1
CONNECTIONS = 300


def serve(api: Api, folder: Path, host: str, port: int, *, must_have_port: bool, with_parent: bool) -> None:
    """Serve. Raises SystemExit with the reason when it cannot.

    Only the machine itself is served: without TLS, passwords and values would cross the network in the open.
    """
    if host not in LOOPBACK:
        raise SystemExit(
            f"--host {host}: refused, the display is served to its own machine only ({', '.join(LOOPBACK)})"
        )
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    listener = _listener(host, port, must_have_port)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{listener.getsockname()[1]}"
    app = create_app(Display(api), folder)
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
        ),
        f"READY {url}",
    )
    if with_parent:
        threading.Thread(target=_watch_parent, args=(server,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(self._ready + "\n")
        sys.stdout.flush()


def _listener(host: str, port: int, must_have_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in (port, 0):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, candidate))
        except OSError as error:
            found.close()
            if must_have_port or candidate == 0:
                raise SystemExit(f"port {port} on {host} is taken ({error}); choose another with --port") from None
            continue
        return found
    raise AssertionError  # pragma: no cover


def _watch_parent(server: _Server) -> None:
    """Standard input closes when the parent is gone, however it went."""
    while sys.stdin.buffer.read(4096):
        pass
    server.should_exit = True
    # a client that hangs must not keep the process: uvicorn has had its grace by then
    threading.Timer(GRACE_S + 3.0, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
