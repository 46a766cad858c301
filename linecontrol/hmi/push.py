"""Live values to browsers: encoded once for all, twice a second, over a WebSocket of our own.

Queue policy per browser: bounded (four seconds); when it is full the browser is let go and costs nothing any more. Its
page notices the silence, greys its values and comes back for a snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from linecontrol.hmi.live import Live

log = logging.getLogger(__name__)

PERIOD_S = 0.5
QUEUE_SIZE = 8
CLOSE_PATIENCE_S = 1.0


class Push:
    """The broadcast. Missed ticks are skipped."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._clients: set[asyncio.Queue[str | None]] = set()
        self.let_go = 0

    @property
    def clients(self) -> int:
        return len(self._clients)

    async def run(self) -> None:
        """Broadcast until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                self.tick(time.monotonic())
            except Exception:  # the task's top edge: the next broadcast may work
                log.exception("a broadcast failed")

    def tick(self, mono: float) -> None:
        """One broadcast. Also sent when nothing has changed: its silence is what a browser watches for."""
        changed = self._live.changes(mono)
        if not self._clients:
            return
        text = encoded({"set": changed})
        for queue in list(self._clients):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._clients.discard(queue)
                self.let_go += 1
                queue.get_nowait()
                queue.put_nowait(None)

    async def serve(self, socket: WebSocket, may: Callable[[], bool] = lambda: True) -> None:
        """One browser, until it is gone or ``may`` no longer look."""
        await socket.accept()
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_SIZE)
        queue.put_nowait(encoded({"all": self._live.values}))
        self._clients.add(queue)
        sender = asyncio.ensure_future(_send(socket, queue))
        watcher = asyncio.ensure_future(_until_gone(socket))
        try:
            while not sender.done() and not watcher.done():
                await asyncio.wait({sender, watcher}, timeout=PERIOD_S, return_when=asyncio.FIRST_COMPLETED)
                if queue not in self._clients:
                    break
                if not may():
                    with contextlib.suppress(RuntimeError, TimeoutError):
                        async with asyncio.timeout(CLOSE_PATIENCE_S):
                            await socket.close(1008)
                    break
        finally:
            self._clients.discard(queue)
            for task in (sender, watcher):
                task.cancel()
            await asyncio.gather(sender, watcher, return_exceptions=True)


async def _send(socket: WebSocket, queue: asyncio.Queue[str | None]) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while (text := await queue.get()) is not None:
            await socket.send_text(text)


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()


def encoded(value: Any) -> str:
    """Compact strict JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
