"""One WebSocket to the API for all browsers, and now and then the line's status; it comes back by itself.

Missed-tick policy: skipped. Back-off: 0.25 s, doubled up to 2 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from linecontrol.hmi.client import Api, ApiError, Session
from linecontrol.hmi.live import Live

log = logging.getLogger(__name__)

STATUS_S = 2.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
OPEN_DEADLINE_S = 5.0
LARGEST = 4 * 2**20


class Feed:
    """Fills a Live from the API until cancelled.

    Args:
        somebody: a session whose token may read the line; None while nobody is in.
        learn: is handed what has titles in both languages.
    """

    def __init__(
        self, api: Api, live: Live, somebody: Callable[[], Session | None], learn: Callable[[Any], None]
    ) -> None:
        self._api, self._live, self._somebody, self._learn = api, live, somebody, learn

    async def run(self) -> None:
        await asyncio.gather(self._listen(), self._poll())

    async def _listen(self) -> None:
        pause_s, was_up = FIRST_PAUSE_S, True
        while True:
            try:
                await self._once()
                pause_s = FIRST_PAUSE_S
            except (OSError, TimeoutError, WebSocketException, InvalidHandshake, ApiError, ValueError) as error:
                if was_up:
                    log.warning("no live values from %s: %s", self._api.url, error)
            self._live.lose()
            was_up = False
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _once(self) -> None:
        session = await self._reader()
        try:
            tags = await self._api.get("/tags", session)
        except ApiError as error:
            if error.status in (401, 403):
                session.forget()  # its browser may be gone: the next try reads for somebody else
            raise
        self._live.take_tags(tags)
        self._learn(tags)
        with contextlib.suppress(ApiError):  # words only: values must not wait for them
            stations = (await self._api.get("/status", session)).get("stations", {})
            self._learn([{"en": name, "zh": row["title"]["zh"]} for name, row in stations.items()])
            self._learn(await self._api.get("/interlocks", session))
            for recipe in await self._api.get("/recipes", session):
                self._learn(await self._api.get(f"/recipes/{recipe['name']}", session))
        address = self._api.url.replace("http", "ws", 1) + "/ws/live"
        headers = {"Authorization": f"Bearer {session.token}"} if session.token else {}
        async with connect(
            address,
            additional_headers=headers,
            proxy=None,
            max_size=LARGEST,
            open_timeout=OPEN_DEADLINE_S,
            ssl=(self._api.tls or True) if address.startswith("wss:") else None,
        ) as socket:
            async for text in socket:
                self._live.take(json.loads(text), time.monotonic())

    async def _reader(self) -> Session:
        """A session to read with; waits until somebody has come in."""
        if not self._api.has_answered:
            await self._api.me(Session())
        while True:
            if (found := self._somebody()) is not None:
                return found
            await asyncio.sleep(FIRST_PAUSE_S)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(STATUS_S if self._live.status else FIRST_PAUSE_S)
            session = self._somebody()
            if session is None:
                continue
            try:
                status: dict[str, Any] = await self._api.get("/status", session)
                self._live.take_status(status, time.monotonic())
            except ApiError:
                continue  # the live feed says when the line is gone
