"""Runs a line with its API in this process until told to stop; what `serve` and `demo` share."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from linecontrol.core.garbage import starting
from linecontrol.core.processor import take_short_turns

if TYPE_CHECKING:
    from linecontrol.api.door import Door, Tls
    from linecontrol.line.assembly import Line

_SWITCH_S = 0.00001
"""So long, some times over, a scan waits for a thread at work, the API's or the historian's; Python's own is 5 ms."""

T = TypeVar("T")


def run_event_loop(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run on the fastest loop there is, with threads and programs that give way to it soon."""
    sys.setswitchinterval(_SWITCH_S)
    take_short_turns()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes event loops of the fastest kind there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, and a closed terminal. These are then safe at any time: nothing is torn
    down half-way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it goes on without a terminal
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def free_socket(host: str, port: int) -> socket.socket:
    """A listening socket at this port, or at a free one when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in (port, 0):
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio asks: no Nagle
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
async def driven(line: Line) -> AsyncIterator[None]:
    """The line of this process, from its start to its safe state."""
    async with contextlib.AsyncExitStack() as stack:
        with starting():
            await stack.enter_async_context(line)
        yield


@dataclass(frozen=True)
class Served:
    """A served API: its address, and what the programs on this computer know it by."""

    url: str
    door: Door
    first_token: str | None


@contextlib.asynccontextmanager
async def serving(
    line: Line,
    host: str,
    port: int,
    *,
    must_have_port: bool = False,
    is_demo: bool = False,
    tls: Tls | None = None,
    names: Iterable[str] = (),
) -> AsyncIterator[Served]:
    """The API of this line, listening. Its tokens for programs on this computer lie in ``<data>/access``.

    Args:
        is_demo: there is a demo user, whom local programs act as.
        names: host names it may be asked for by, besides this computer's own.
    """
    await asyncio.to_thread(import_module, "linecontrol.api.app")  # half a second of modules: no scan waits for them
    from linecontrol.api.door import LOOPBACK, open_door
    from linecontrol.api.server import ApiThread

    listener = free_socket(host, port)
    found_port = listener.getsockname()[1]
    if must_have_port and port not in (0, found_port):
        listener.close()
        raise OSError(f"port {port} on {host} is taken; choose another with --port")
    is_open = host not in LOOPBACK
    door = open_door(line.data / "access", is_demo=is_demo, names=names, tls=tls, is_open=is_open)
    api = ApiThread(line, listener, loop_factory(), door)
    try:
        await api.start()
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what to call it from here
        url = f"{'http' if tls is None else 'https'}://{'[' + shown + ']' if ':' in shown else shown}:{found_port}"
        line.lock.describe(
            {"api": url, "access": str(door.folder)} | ({} if tls is None else {"certificate": str(tls.certificate)})
        )
        yield Served(url, door, api.first_token)
    finally:
        await api.stop()
        door.close()
        listener.close()
