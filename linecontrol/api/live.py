"""Live values over a WebSocket. Encoded once for all clients; one that does not read is dropped, and costs nothing.

Queue policy per client: bounded; when full, the client is closed with code 1013 (try again later).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from linecontrol.api.wire import encoded, event_row, json_object, sample_row
from linecontrol.core.image import LiveFeed
from linecontrol.core.model import Event, Sample

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

PERIOD_S = 0.25
QUEUE_SIZE = 40


class Broadcast:
    """Collects changed samples and events, and hands each client the same bytes."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._feed = LiveFeed()
        self._events: list[Event] = []
        self._clients: set[asyncio.Queue[str | None]] = set()
        self.dropped_clients = 0

    def event(self, event: Event) -> None:
        if self._clients:
            self._events.append(event)

    async def snapshot(self) -> str:
        now = self._line.clock.now()
        found = self._line.image.snapshot(now).items()
        tags = await json_object((name, sample_row(sample, now)) for name, sample in found)
        return f'{{"type":"snapshot","tags":{tags},"run":{encoded(self._line.runs.view())}}}'

    def join(self) -> asyncio.Queue[str | None]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_SIZE)
        self._clients.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str | None]) -> None:
        self._clients.discard(queue)

    async def run(self) -> None:
        """Broadcast until cancelled."""
        self._line.image.attach(self._feed)
        try:
            while True:
                await asyncio.sleep(PERIOD_S)
                await self._tick()
        finally:
            self._line.image.detach(self._feed)

    async def _tick(self) -> None:
        changed: dict[str, Sample] = {}
        for scan in self._feed.drain():
            changed.update(scan.samples)
        events, self._events = self._events, []
        if not self._clients:
            return
        now = self._line.clock.now()
        tags = await json_object((name, sample_row(sample, now)) for name, sample in changed.items())
        told = f',"events":{encoded([event_row(event) for event in events])}' if events else ""
        text = f'{{"type":"update","tags":{tags},"run":{encoded(self._line.runs.view())}{told}}}'
        for queue in list(self._clients):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._clients.discard(queue)
                self.dropped_clients += 1
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
                queue.put_nowait(None)


def router(broadcast: Broadcast, is_own_origin: Any) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/ws/live")
    async def live(socket: WebSocket) -> None:
        """A snapshot of every tag, then changed tags, run state and events four times a second."""
        if not is_own_origin(socket.headers):
            await socket.close(1008)
            return
        await socket.accept()
        queue = broadcast.join()
        watcher = asyncio.ensure_future(_until_gone(socket))
        try:
            await socket.send_text(await broadcast.snapshot())
            while not watcher.done():
                getter = asyncio.ensure_future(queue.get())
                await asyncio.wait({getter, watcher}, return_when=asyncio.FIRST_COMPLETED)
                if not getter.done():
                    getter.cancel()
                    break
                text = getter.result()
                if text is None:
                    await socket.close(1013)
                    break
                await socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away while we wrote
        finally:
            broadcast.leave(queue)
            watcher.cancel()

    return routes


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
