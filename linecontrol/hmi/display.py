"""The display as a whole: the API it is a client of, the live line, the broadcast, and who sits at its browsers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from linecontrol.hmi.client import Api, ApiError, Session
from linecontrol.hmi.feed import Feed
from linecontrol.hmi.live import Live
from linecontrol.hmi.push import Push
from linecontrol.sentences import Sentences

MOST_SESSIONS = 500
LOOK_AGAIN_S = 4.0
"""A person who is thrown out is sent nothing more within this time."""


@dataclass
class Display:
    """Everything the pages share. ``sessions`` by the id of a browser's cookie; tokens stay here."""

    api: Api
    live: Live = field(init=False)
    sessions: dict[str, Session] = field(default_factory=dict)
    sentences: Sentences = field(default_factory=Sentences.shipped)
    push: Push = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = Live(lambda sentence: self.sentences.translated(sentence, "zh"))
        self.push = Push(self.live)

    def start(self) -> None:
        """Begin listening and broadcasting, in the running loop."""
        feed = Feed(self.api, self.live, self._somebody, self.sentences.learn)
        self._tasks = [asyncio.ensure_future(feed.run()), asyncio.ensure_future(self.push.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.api.close()

    def session_of(self, browser: str, token: str) -> Session:
        """This browser's session; a new one takes up the token it had before the display was started anew."""
        while browser not in self.sessions and len(self.sessions) >= MOST_SESSIONS:
            del self.sessions[next(iter(self.sessions))]  # the oldest; its browser takes its token up again
        return self.sessions.setdefault(browser, Session(token=token))

    def may_look(self, browser: str | None) -> bool:
        """Whether this browser may be sent live values."""
        session = self.sessions.get(browser or "")
        return session is not None and session.is_in

    @contextlib.asynccontextmanager
    async def looked_after(self, browser: str) -> AsyncIterator[None]:
        """Ask the API again and again who this browser's person is, also when no page of it does."""
        task = asyncio.ensure_future(self._look_again(browser))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look_again(self, browser: str) -> None:
        while (session := self.sessions.get(browser)) is not None:
            await asyncio.sleep(LOOK_AGAIN_S)
            if time.monotonic() - session.asked_at >= LOOK_AGAIN_S:
                with contextlib.suppress(ApiError):
                    await self.api.me(session)

    def _somebody(self) -> Session | None:
        return next((session for session in self.sessions.values() if session.is_in), None)
