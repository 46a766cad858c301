"""Live values over a WebSocket. Encoded once for all clients; one that does not read is dropped, and costs nothing.

Runs in the thread of the API. Queue policy per client: bounded; when full, the client is closed with code 1013
(try again later).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from linecontrol.api.bridge import Bridge
from linecontrol.api.wire import encoded, event_row, json_list, json_object, sample_row, seen
from linecontrol.core.image import LiveFeed
from linecontrol.core.model import Event, Sample

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

log = logging.getLogger(__name__)

PERIOD_S = 0.25
QUEUE_SIZE = 40
EVENTS = 1000  # of which the oldest go, should more come between two broadcasts


class Broadcast:
    """Collects changed samples and events, and hands each client the same bytes.

    ``_feed``, ``_events`` and ``_alarms`` belong to the line's loop, all else to the API's; they meet in ``_collect``.
    """

    def __init__(self, line: Line, bridge: Bridge) -> None:
        self._line = line
        self._bridge = bridge
        self._feed = LiveFeed()
        self._events: deque[Event] = deque(maxlen=EVENTS)
        self._clients: set[asyncio.Queue[str | None]] = set()
        self._alarms = 0  # version of the alarms that the clients have seen
        self.dropped_clients = 0

    async def snapshot(self) -> str:
        """Every tag, the run and every alarm that is not normal, as the first thing a client gets."""
        names, line = list(self._line.image.tags), self._line
        (now, found), run, alarms = await self._bridge.ask(
            lambda: (seen(line, names), line.runs.view(), line.alarms.rows())
        )
        tags = json_object((name, sample_row(sample, now)) for name, sample in zip(names, found, strict=True))
        return f'{{"type":"snapshot","tags":{tags},"run":{encoded(run)},"alarms":{json_list(alarms)}}}'

    def join(self) -> asyncio.Queue[str | None]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_SIZE)
        self._clients.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str | None]) -> None:
        self._clients.discard(queue)

    async def run(self) -> None:
        """Broadcast until cancelled."""
        await self._bridge.ask(self._begin)
        try:
            while True:
                await asyncio.sleep(PERIOD_S)
                try:
                    await self._tick()
                except Exception:  # the task's top edge: the next broadcast may work, and clients wait for it
                    log.exception("a broadcast failed")
        finally:
            await self._bridge.ask(self._end)

    async def _tick(self) -> None:
        if not self._clients:
            await self._bridge.ask(self._forget)
            return
        now, changed, events, run, alarms = await self._bridge.ask(self._collect)
        tags = json_object((name, sample_row(sample, now)) for name, sample in changed.items())
        told = f',"events":{json_list(event_row(event) for event in events)}' if events else ""
        if alarms:
            told += f',"alarms":{json_list(alarms)}'
        text = f'{{"type":"update","tags":{tags},"run":{encoded(run)}{told}}}'
        for queue in list(self._clients):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._clients.discard(queue)
                self.dropped_clients += 1
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
                queue.put_nowait(None)

    # -- in the line's loop
    def _begin(self) -> None:
        self._line.image.attach(self._feed)
        self._line.listeners.append(self._events.append)

    def _end(self) -> None:
        self._line.image.detach(self._feed)
        self._line.listeners.remove(self._events.append)

    def _forget(self) -> None:
        self._feed.drain()
        self._events.clear()
        self._alarms = self._line.alarms.system.version

    def _collect(
        self,
    ) -> tuple[float, dict[str, Sample], list[Event], dict[str, Any] | None, list[dict[str, Any]]]:
        changed: dict[str, Sample] = {}
        for scan in self._feed.drain():
            changed.update(scan.samples)
        events = list(self._events)
        self._events.clear()
        self._alarms, alarms = self._line.alarms.rows_since(self._alarms)
        return self._line.clock.now(), changed, events, self._line.runs.view(), alarms


def live_routes(broadcast: Broadcast) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/ws/live")
    async def live(socket: WebSocket) -> None:
        """A snapshot of every tag, then changed tags and alarms, run state and events four times a second."""
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
    """What a client says, in text or bytes, is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
