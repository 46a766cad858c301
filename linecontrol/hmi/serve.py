"""Serves the display until told to stop, or until the process that started it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from linecontrol.hmi.app import create_app
from linecontrol.hmi.client import Api
from linecontrol.hmi.display import Display
from linecontrol.hmi.doors import LOOPBACK, Doors

NICENESS = 5  # the scans come first
GRACE_S = 1
CONNECTIONS = 300


@dataclass(frozen=True)
class Listening:
    """Where it listens. ``names``: host names it may be asked for by, besides this computer's own and its addresses."""

    host: str = "127.0.0.1"
    port: int = 8480
    must_have_port: bool = False
    certificate: Path | None = None
    private_key: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def has_tls(self) -> bool:
        return self.certificate is not None and self.private_key is not None


def serve(api: Api, folder: Path, at: Listening, *, with_parent: bool) -> None:
    """Serve. Raises SystemExit with the reason when it cannot.

    Without TLS only the machine itself is served: passwords and values would cross the network in the open.
    """
    is_open = at.host not in LOOPBACK
    if is_open and not at.has_tls:
        raise SystemExit(
            f"--host {at.host}: refused without TLS; give --tls-cert and --tls-key "
            f"(accepted without: {', '.join(LOOPBACK)})"
        )
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    listener = _listener(at.host, at.port, at.must_have_port)
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host)  # noqa: S104 - what to call it from here
    name = f"[{shown}]" if ":" in shown else shown
    url = f"{'https' if at.has_tls else 'http'}://{name}:{listener.getsockname()[1]}"
    app = create_app(Display(api), folder, Doors(at.names, is_open=is_open, has_tls=at.has_tls))
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
            proxy_headers=False,
            **_tls_options(at),
        ),
        f"READY {url}",
    )
    if with_parent:
        threading.Thread(target=_watch_parent, args=(server,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        server.run(sockets=[listener])


def _tls_options(at: Listening) -> dict[str, Any]:
    """TLS 1.2 or newer."""
    if not at.has_tls:
        return {}

    def strict(_config: Any, make: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = make()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    return {
        "ssl_certfile": str(at.certificate),
        "ssl_keyfile": str(at.private_key),
        "ssl_context_factory": strict,
    }


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
