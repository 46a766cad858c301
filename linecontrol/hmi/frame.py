"""What surrounds every page: header, alarm banner, navigation. The alarm banner never changes its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import PageArguments, ui

from linecontrol.hmi import texts, widgets
from linecontrol.hmi.client import ApiError
from linecontrol.hmi.pages import PAGES, Page
from linecontrol.hmi.pages.login import login
from linecontrol.hmi.view import View

WAIT_S = 1.0
KEEP_UP_S = 5.0
FIRST_PLACES = 4
"""So many pages are always in reach, also on a phone."""


class Frame:
    """The frame of one browser tab; built again when the language or the person changes, without loading anew."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._root = ui.element("div").classes("frame")
        self._built_for: tuple[object, ...] = ()

    def _stands_on(self) -> tuple[object, ...]:
        """What the frame is drawn by; another one needs another frame."""
        session = self._view.session
        return session.is_in, session.is_locked, session.rights, self._view.api.has_answered

    def build(self) -> None:
        """Everything, from the top."""
        view = self._view
        self._built_for = self._stands_on()
        with self._root.clear():
            if not view.api.has_answered:
                self._wait()
            elif not view.session.is_in:
                self._header(is_in=False)
                with ui.element("main").classes("main login"):
                    login(view, self.build, self.speak)
            else:
                self._header(is_in=True)
                self._banner()
                self._navigation()
                with ui.element("main").classes("main"):
                    if view.session.is_locked:
                        self._locked()
                    may = view.session.may
                    _Pages(view, {p.path: self._builder(p) if may(p.right) else self._barred for p in PAGES})

    async def speak(self, language: str) -> None:
        """Change the language here and now, and remember it."""
        view = self._view
        view.language = language
        view.remember("language", language)
        ui.run_javascript(f'line.language("{language}")')
        self.build()
        await view.api.keep_language(view.session, language)

    async def keep_up(self) -> None:
        """Notice that this person was locked, unlocked, thrown out, or given other rights."""
        # against what is shown, not against a moment ago: another tab, or the feed, may have learnt of it first
        if await self._view.refreshed() and self._built_for != self._stands_on():
            self.build()

    def _locked(self) -> None:
        """Away too long: what halts is left, the rest comes back with the password."""
        view = self._view
        with ui.element("section").classes("panel locked").props('role="alert"'):
            ui.label(view.t("locked.title")).classes("title")
            password = ui.input(view.t("login.password"), password=True).props('outlined dense autocomplete="off"')
            password.classes("field")

            async def unlock() -> None:
                word, _ = password.value, password.set_value("")
                await view.told(view.api.unlock(view.session, word))
                await self.keep_up()
                if not view.session.is_locked:
                    self.build()

            password.on("keydown.enter", unlock)
            widgets.button(view.t("locked.unlock"), unlock, kind="main")

    def _barred(self) -> None:
        """A page that this person has no right to; while locked it comes back with the password."""
        view = self._view
        with ui.element("section").classes("panel narrow"):
            ui.label(view.t("locked.page" if view.session.is_locked else "page.not_yours")).classes("muted")

    def _builder(self, page: Page) -> Callable[[PageArguments], Any]:
        async def build(args: PageArguments) -> None:
            with self._view.loading():
                await page.build(self._view, **args.path_parameters)
            if self._view.session.token:
                await self._view.refreshed(active=True)

        build.__annotations__["args"] = PageArguments  # the class itself: NiceGUI does not read annotations as text
        return build

    def _wait(self) -> None:
        """The line has not answered yet."""
        view = self._view
        with ui.element("main").classes("main login"), ui.element("section").classes("panel narrow"):
            ui.label(view.t("link.waiting")).classes("title")
            ui.label(view.t("link.waiting_for", url=view.api.url)).classes("muted")

        async def look() -> None:
            if await view.refreshed():
                timer.cancel()
                self.build()

        timer = ui.timer(WAIT_S, look)

    def _header(self, *, is_in: bool) -> None:
        view = self._view
        with ui.element("header").classes("head"):
            widgets.live_text("line.title.{lang}").classes("line-name")
            if is_in:
                with widgets.shown(ui.element("div").classes("simulated"), "line.simulated"):
                    ui.label(view.t("simulated")).classes("long")
                    ui.label(view.t("simulated.short")).classes("short")
                    widgets.live_text("line.speed", fmt="num", digits=0).classes("speed")
                with widgets.state(ui.element("div").classes("pill"), "run.state"):
                    widgets.live_text("run.state", fmt="word", words="state")
            ui.element("div").classes("gap")
            if is_in:
                widgets.live_text("now", fmt="clock").classes("clock").tooltip(view.t("clock.line"))
            with ui.element("div").classes("link").props('role="status"'):
                ui.element("span").classes("link-mark")
                for word in ("up", "down", "gone", "wait"):
                    ui.label(view.t(f"link.{word}")).classes(f"link-word link-{word}")
            if is_in:
                self._person()
            with ui.element("div").classes("languages").props('role="group"'):
                for language in texts.LANGUAGES:
                    is_on = language == view.language
                    button = ui.element("button").classes("language" + (" on" if is_on else ""))
                    button.props(f"aria-pressed={'true' if is_on else 'false'} type=button lang={language}")
                    with button:
                        ui.label(texts.NAMES[language])
                    button.on("click", lambda _, to=language: self.speak(to))

    def _person(self) -> None:
        view = self._view
        with ui.element("button").classes("person").props("type=button"):
            ui.icon("person")
            ui.label(view.session.user).classes("person-name")
            if view.session.is_demo:
                ui.label(view.t("demo.user")).classes("demo-user")
            with ui.menu():
                if view.session.token and not view.session.is_demo:
                    ui.menu_item(view.t("password.change"), self._change_password).classes("touch")
                ui.menu_item(view.t("log_out"), self._leave).classes("touch")

    async def _change_password(self) -> None:
        view = self._view
        words = ("password.old", "login.new_password", "login.again")
        with widgets.asking() as dialog:
            ui.label(view.t("password.change")).classes("title")
            fields = [ui.input(view.t(word), password=True).props("outlined").classes("field") for word in words]
            said = ui.label().classes("bad-words").props('role="alert"')

            async def go() -> None:
                old, new, again = (str(field.value or "") for field in fields)
                if new != again:
                    said.set_text(view.t("login.differ"))
                    return
                try:
                    body = {"password": old, "new_password": new}
                    await view.api.ask("PUT", "/session/password", view.session, body=body)
                except ApiError as error:
                    said.set_text(view.said(error.detail))
                else:
                    dialog.close()
                    view.say(view.t("password.changed"))

            with ui.element("div").classes("answers"):
                widgets.button(view.t("cancel"), dialog.close)
                widgets.button(view.t("password.change"), go, kind="main")
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _leave(self) -> None:
        await self._view.api.log_out(self._view.session)
        self._view.remember("token", None)
        self.build()

    def _banner(self) -> None:
        """One row, always there: what waits for an answer, the gravest and newest first; or that nothing does."""
        view = self._view
        with ui.element("div").classes("banner").props('role="alert" aria-live="assertive"'):
            ui.label(view.t("link.lost")).classes("lost")
            with widgets.state(ui.element("a").classes("alarms").props('href="/alarms"'), "alarms.waiting"):
                ui.label(view.t("alarms.none")).classes("calm")
                widgets.live(ui.element("div").classes("alarm-rows"), "alarms", "alarms")
                widgets.live_text("alarms.waiting", fmt="num").classes("alarm-count")

    def _navigation(self) -> None:
        """The pages in a row; where there is room for a few only, the others open from the last place."""
        view = self._view
        shown = [page for page in PAGES if page.icon and view.session.may(page.right)]
        with ui.element("nav").classes("rail"):
            for i, page in enumerate(shown):
                self._place(page, "" if i < FIRST_PLACES else "later")
            if len(shown) > FIRST_PLACES:
                with ui.element("button").classes("place more").props("type=button aria-haspopup=menu"):
                    ui.icon("menu")
                    ui.label(view.t("nav.more"))
                    with ui.menu().classes("more-menu").props('anchor="top right" self="bottom right"'):
                        for page in shown[FIRST_PLACES:]:
                            self._place(page, "in-menu")

    def _place(self, page: Page, more: str) -> None:
        with ui.element("a").classes(f"place {more}").props(f'href="{page.entry}"') as link:
            if page.also:
                link.props["data-also"] = " ".join(page.also)
            ui.icon(page.icon)
            ui.label(self._view.t(f"page.{page.name}"))


class _Pages(ui.sub_pages):
    """The pages by their addresses; an address that is none is told in the language of who asks."""

    def __init__(self, view: View, routes: dict[str, Callable[..., Any]]) -> None:
        self._view = view
        super().__init__(routes)

    def _render_404(self) -> None:
        ui.label(self._view.t("page.none")).classes("muted")
