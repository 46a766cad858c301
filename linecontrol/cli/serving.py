"""Runs a line with its API in this process until told to stop; what `serve` and `demo` share."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

API_PORT = 8470
_SWITCH_S = 0.0005  # a scan waits this long for a thread at work, the historian's writer say; Python's own is ten times
T = TypeVar("T")


def run_event_loop(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run on the fastest loop there is, with threads that give way to it soon."""
    sys.setswitchinterval(_SWITCH_S)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets. Ctrl-C is then safe at any time: nothing is torn down half-way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the line's business: it must reach safe outputs before the process ends."""
        yield


def free_socket(host: str, port: int) -> socket.socket:
    """A listening socket at this port, or at a free one when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in (port, 0):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, candidate))
        except OSError:
            found.close()
            if candidate == 0:
                raise
            continue
        return found
    raise AssertionError  # pragma: no cover


@contextlib.asynccontextmanager
async def serving(line: Line, host: str, port: int, *, must_have_port: bool = False) -> AsyncIterator[str]:
    """The API of this line, listening; yields its address."""
    from linecontrol.api.app import create_app

    listener = free_socket(host, port)
    found_port = listener.getsockname()[1]
    if must_have_port and port not in (0, found_port):
        listener.close()
        raise OSError(f"port {port} on {host} is taken; choose another with --port")
    config = uvicorn.Config(
        create_app(line), log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=2
    )
    server = _Server(config)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)
        url = f"http://{'[' + host + ']' if ':' in host else host}:{found_port}"
        line.lock.describe({"api": url})
        yield url
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()
