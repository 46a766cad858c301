"""The API's own thread: HTTP, checks and JSON happen here, beside the line, which they cannot hold up.

Policy on failure: should the thread end by itself, the line is told (event ``api.failed``) and goes on being driven.
Should it not end when asked to, it is left behind: the line's way to its safe state does not wait for a hanging client.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from linecontrol.api.bridge import Bridge
from linecontrol.api.connections import PatientProtocol
from linecontrol.api.door import Door
from linecontrol.api.tls import tls_options
from linecontrol.core.errors import LineError
from linecontrol.core.model import Event, Severity

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

log = logging.getLogger(__name__)

GRACE_S = 2  # for answers under way when the API ends
END_PATIENCE_S = 4.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the line's business: it must reach safe outputs before the process ends."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


class ApiThread:
    """Serves the API of one line from ``start`` to ``stop``. Made, started and stopped in the line's loop.

    Args:
        listener: a bound socket, closed by whoever opened it.
        loop_factory: makes the API's event loop. door: who is known before any user is, and TLS.
    """

    def __init__(
        self,
        line: Line,
        listener: socket.socket,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
        door: Door,
    ) -> None:
        self._door = door
        self.first_token: str | None = None
        self._line, self._listener, self._loop_factory = line, listener, loop_factory
        self._loop = asyncio.get_running_loop()
        self._bridge = Bridge()
        self._started, self._ended = asyncio.Event(), asyncio.Event()
        self._server: _Server | None = None
        self._is_stopping = False
        self._why = ""
        self.thread = threading.Thread(target=self._main, name="api", daemon=True)

    async def start(self) -> None:
        """Wait until requests are answered. Raises LineError when the API could not be started."""
        self.thread.start()
        await self._started.wait()
        if self._ended.is_set():
            raise LineError(f"the API could not be started: {self._why}")

    async def stop(self) -> None:
        """End it, with a little time for answers under way."""
        self._is_stopping = True
        if self._server is not None:
            self._server.should_exit = True  # it looks ten times a second
        try:
            async with asyncio.timeout(END_PATIENCE_S):
                await self._ended.wait()
        except TimeoutError:
            log.error("the API did not end in time; it is left behind")  # noqa: TRY400 - there is no more to tell

    # -- the thread
    def _main(self) -> None:
        why = "it ended"
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._serve())
        except SystemExit:  # what uvicorn does when it cannot start; it has logged why
            why = "it could not be started (the log says why)"
        except Exception as error:  # the thread's top edge: the line must learn of it
            log.exception("the API failed")
            why = f"{type(error).__name__}: {error}"
        self._tell(lambda: self._on_end(why))

    async def _serve(self) -> None:
        from linecontrol.api.app import create_app

        app = create_app(self._line, self._bridge, self._door)
        app.openapi()  # made now, not when somebody looks at it
        gc.freeze()  # it lives as long as the line, and a collection that looks at it holds up the scans for 20 ms
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            http=PatientProtocol,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=False,
            server_header=False,
            **tls_options(self._door.tls),
        )

        def started() -> None:
            people = getattr(app.state, "people", None)
            self.first_token = None if people is None else people.first_token
            self._tell(self._started.set)

        self._server = _Server(config, started)
        self._server.should_exit = self._is_stopping
        await self._server.serve(sockets=[self._listener])

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the line's loop is gone, and nobody is left to be told
            self._loop.call_soon_threadsafe(what)

    # -- in the line's loop
    def _on_end(self, why: str) -> None:
        was_started = self._started.is_set()
        self._why = why
        self._ended.set()
        self._started.set()
        if was_started and not self._is_stopping:
            text = f"The API failed and answers nobody any more: {why}. The line goes on being driven."
            self._line.emit(Event(self._line.clock.now(), "api.failed", "api", text, Severity.ALARM, active=True))
