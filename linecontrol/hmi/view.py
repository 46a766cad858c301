"""What a page is given: who looks, in which language, the live line and the API; and small ways to say things."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.client import Client

from linecontrol.hmi import texts
from linecontrol.hmi.client import DEADLINE_S, LONG_DEADLINE_S, Api, ApiError, ApiGone, ApiSlow, Session
from linecontrol.hmi.live import Live
from linecontrol.sentences import terms

if TYPE_CHECKING:
    from linecontrol.hmi.display import Display

WATCH_S = 0.5
NOTICE_MS = 5000
WHO_DEADLINE_S = 1.0  # a page is drawn in any case


@dataclass
class View:
    """One browser tab looking at the line."""

    display: Display
    session: Session
    language: str
    client: Client
    kept: MutableMapping[str, Any]
    """What is remembered of this browser, on the server."""

    @property
    def live(self) -> Live:
        return self.display.live

    @property
    def api(self) -> Api:
        return self.display.api

    # -- saying things
    def t(self, key: str, **values: Any) -> str:
        """A text of the catalogue in this person's language."""
        return texts.text(self.language, key, **values)

    def of(self, titles: Mapping[str, Any] | None) -> str:
        """An ``{en, zh}`` pair in this person's language."""
        return texts.of(titles, self.language)

    def species(self, name: str) -> str:
        """A species as people call it."""
        return terms.species(self.language, name)

    def number(self, value: float | None, digits: int = 0) -> str:
        return texts.number(self.language, value, digits)

    def unit(self, name: str) -> str:
        """A unit as this person writes it."""
        return terms.unit(self.language, name)

    def unit_of(self, tag: str) -> str:
        """The unit of a tag as the line names it; empty when it has none."""
        return str(self.live.tags.get(tag, {}).get("unit", ""))

    def when(self, at: str | datetime | None) -> str:
        """An instant of the API as date and time."""
        return texts.date_time(self.language, datetime.fromisoformat(at) if isinstance(at, str) else at)

    def said(self, sentence: str) -> str:
        """A sentence of the controller in this person's language, as far as it is known."""
        return self.display.sentences.translated(sentence, self.language)

    def told_by(self, event: Mapping[str, Any]) -> str:
        """What an event of the API tells: in its own Chinese where it brings some, else as far as it is known."""
        own = str((event.get("data") or {}).get("zh") or "") if self.language == "zh" else ""
        if not own:
            return self.said(str(event["text"]))
        return own if str(event["source"]) in own else f"{event['source']} {own}"

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """A short notice. What is bad stays until it is closed."""
        with self.client:  # not what was clicked: that may be gone by now
            ui.notify(
                sentence,
                type="negative" if bad else "info",
                position="bottom",
                timeout=0 if bad else NOTICE_MS,
                close_button=self.t("close") if bad else False,
                color="negative" if bad else "dark",
            )

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Says that something is being loaded, where it will stand, until it does."""
        label = ui.label(self.t("page.loading")).classes("muted loading").props('role="status"')
        try:
            yield
        finally:
            if not label.is_deleted:
                label.delete()

    # -- asking the line
    @property
    def is_up(self) -> bool:
        return self.live.is_up(time.monotonic())

    async def get(self, path: str, **params: Any) -> Any:
        """GET; raises ApiError."""
        return await self.api.get(path, self.session, **params)

    async def worked_out(self, path: str, **params: Any) -> Any | None:
        """What the API works out from the history, which may take a while; None when it failed, which has been said."""
        asking = self.api.ask("GET", path, self.session, params=params, patience_s=LONG_DEADLINE_S)
        return await self.told(asking)

    async def do(self, path: str, body: Any, *, method: str = "POST", patience_s: float = DEADLINE_S) -> Any | None:
        """A change. Its answer; None when it was refused, which has then been said.

        ``patience_s``: longer for a change from which much is worked out before it is answered.
        """
        if not self.is_up:
            self.say(self.t("link.no_commands"), bad=True)
            return None
        asking = self.api.ask(method, path, self.session, body=body, patience_s=patience_s)
        return await self.told(asking, slow="link.unsure")

    async def told(self, asking: Awaitable[Any], *, slow: str = "link.slow") -> Any | None:
        """The answer to ``asking``; None when it failed, which has then been said (``slow``: when it took too long)."""
        try:
            return await asking
        except ApiSlow:
            self.say(self.t(slow), bad=True)
        except ApiGone:
            self.say(self.t("link.gone"), bad=True)
        except ApiError as error:
            if error.status == 401:
                self.session.forget()
                self.reload()
            self.say(self.said(error.detail), bad=True)
        return None

    async def refreshed(self, *, active: bool = False) -> bool:
        """Ask the API who this is; False when it did not answer in time. ``active``: a person just did something."""
        try:
            async with asyncio.timeout(WHO_DEADLINE_S):
                await self.api.me(self.session, active=active)
        except (ApiError, TimeoutError):
            return False
        return True

    def remember(self, name: str, value: Any) -> None:
        """Keep something for this browser, on the server; None forgets it."""
        if value is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = value

    # -- being up to date
    def watch(self, what: Callable[[], Hashable], then: Callable[[], Any]) -> None:
        """Call ``then`` now and whenever ``what()`` has changed; looked at twice a second while the page is shown."""
        seen, drawing = what(), asyncio.Lock()

        async def draw() -> None:
            async with drawing:  # one after the other: two at a time would both stand on the page
                drawn = then()
                if inspect.isawaitable(drawn):
                    await drawn

        async def look() -> None:
            nonlocal seen
            found = what()
            if found != seen:
                seen = found
                await draw()

        if inspect.iscoroutinefunction(then):
            ui.timer(0, draw, once=True)
        else:
            then()
        ui.timer(WATCH_S, look)

    def go(self, path: str) -> None:
        """To another page of the display, without loading anew."""
        ui.navigate.to(path)

    def reload(self) -> None:
        ui.navigate.reload()
