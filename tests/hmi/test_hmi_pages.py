"""The pages as a person uses them, without a browser: NiceGUI's simulated user against a made-up API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from nicegui import ui
from nicegui.testing import User, user_simulation

from linecontrol.hmi.app import root
from linecontrol.hmi.client import Api, ApiError, ApiGone, Session
from linecontrol.hmi.display import MOST_SESSIONS, Display
from linecontrol.hmi.feed import Feed
from linecontrol.hmi.pages import PAGES

RIGHTS = ["view", "operate"]


class FakeApi:
    """An API with users: one operator who may only look and start."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.has_users = True
        self.is_met = True
        self.me: dict[str, Any] = {"role": "operator", "rights": RIGHTS}
        self.others: dict[str, Any] = {}
        """What else it answers, by path."""
        self.slow: set[str] = set()
        """Paths, or questions with their method, that it does not answer in time."""
        self.posted: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, method = request.url.path, request.method
        body = request.read() and httpx.Response(200, content=request.read()).json()
        self.asked.append((method, path, body))
        if {path, f"{method} {path}"} & self.slow:
            raise httpx.ReadTimeout("made up", request=request)
        token = request.headers.get("Authorization", "")
        if path == "/session":
            return self._session(method, body, token)
        if self.has_users and token != "Bearer secret-token":
            return httpx.Response(401, json={"detail": "who are you?"})
        if path in self.others:
            if method == "POST":
                self.posted.put_nowait((path, body))
            return httpx.Response(200, json=self.others[path])
        if path == "/recipes":
            return httpx.Response(200, json=[RECIPE])
        if path == "/runs/permissives":
            row = {"name": "run", "title": {"en": "No other run", "zh": "没有其他生产"}, "is_met": self.is_met}
            return httpx.Response(
                200, json=[row | {"why": "" if self.is_met else "busy", "clears": {"en": "wait", "zh": "等"}}]
            )
        if path == "/runs" and method == "POST":
            return httpx.Response(409, json={"detail": "not started: drying is not connected"})
        return httpx.Response(404, json={"detail": "no such thing"})

    def _session(self, method: str, body: Any, token: str) -> httpx.Response:
        if not self.has_users:
            return httpx.Response(404, json={"detail": "Not Found"})
        me = {"user": "li", "language": "en", **self.me}
        if method == "POST":
            if body["password"] != "right":
                return httpx.Response(401, json={"detail": "no"})
            return httpx.Response(201, json=me | {"token": "secret-token"})
        return (
            httpx.Response(200, json=me)
            if token == "Bearer secret-token"
            else httpx.Response(401, json={"detail": "no"})
        )


RECIPE = {
    "name": "standard",
    "version": "1.0",
    "title": {"en": "Standard", "zh": "标准"},
    "product": {"en": "Powder", "zh": "粉"},
    "stations": ["drying"],
    "formula": {
        "root_kg": {
            "title": {"en": "Roots", "zh": "葛根"},
            "type": "number",
            "unit": "kg",
            "value": 300.0,
            "low": 50.0,
            "high": 900.0,
        }
    },
}


@pytest.fixture
async def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def display(api: FakeApi) -> AsyncIterator[Display]:
    found = Display(Api("http://api"))
    await found.api.close()
    found.api._http = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(api.answer))
    yield found
    await found.api.close()


@pytest.fixture
async def user(display: Display) -> AsyncIterator[User]:
    async with user_simulation(root=lambda: root(display)) as found:
        yield found


async def log_in(user: User, password: str = "right") -> None:
    await user.open("/run")
    await user.should_see("Log in to the line")
    user.find("Name").type("li")
    user.find("Password").type(password)
    user.find(kind=ui.button, content="Log in").click()


async def test_who_is_not_in_sees_the_login_and_nothing_else(user: User, display: Display) -> None:
    await log_in(user, "wrong")
    await user.should_see("Name or password is wrong.")
    for page in PAGES:
        await user.should_not_see(f"page.{page.name}")
    assert not any(display.may_look(browser) for browser in display.sessions)


async def test_who_is_in_sees_what_their_rights_allow(user: User, display: Display, api: FakeApi) -> None:
    await log_in(user)
    await user.should_see("Lot and amounts")
    session = next(iter(display.sessions.values()))
    assert session.token == "secret-token"
    assert all(display.may_look(browser) for browser in display.sessions)
    await user.should_see("No other run")
    display.live.take({"tags": {}, "run": None}, time.monotonic())
    user.find(kind=ui.button, content="Start").click()
    await user.should_see("Start Standard?")
    await user.should_see("Roots: 300 kg")
    assert not [row for row in api.asked if row[:2] == ("POST", "/runs")]


async def test_who_was_thrown_out_elsewhere_sees_the_login_in_every_tab(
    user: User, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first tab, or the feed, that learns of it must not keep the news from the others."""
    monkeypatch.setattr("linecontrol.hmi.app.KEEP_UP_S", 0.05)
    await log_in(user)
    await user.should_see("Lot and amounts")
    next(iter(display.sessions.values())).forget()
    await user.should_see("Log in to the line", retries=20)


async def test_what_is_missing_is_named_with_what_clears_it(user: User, api: FakeApi) -> None:
    api.is_met = False
    await log_in(user)
    await user.should_see("wait")
    await user.should_see("Not ready: see what is missing above.")


async def test_while_locked_what_halts_is_left_and_the_rest_says_so(user: User, display: Display, api: FakeApi) -> None:
    api.me |= {"rights": ["view", "halt"], "locked": True}
    api.others |= {"/runs/current/procedure": {"units": []}, "/runs/r1/commands": {}}
    run = {"run_id": "r1", "state": "Running", "is_ended": False, "mode": "Automatic"}
    display.live.take({"tags": {}, "run": run | {"legal": ["Hold", "Stop", "Abort", "Pause"]}}, time.monotonic())
    await log_in(user)
    await user.should_see("Locked: Hold, Stop and Abort still work")
    await user.should_see("Locked: unlock first.")
    await user.should_not_see("Your role may not do this.")

    def is_offered(word: str) -> bool:
        (button,) = user.find(kind=ui.button, content=word).elements
        return bool(button.enabled)

    assert [is_offered(word) for word in ("Hold", "Stop", "Abort")] == [True, True, True]
    assert [is_offered(word) for word in ("Pause", "Manual", "Semi-automatic")] == [False, False, False]
    user.find(kind=ui.button, content="Hold").click()
    path, body = await asyncio.wait_for(api.posted.get(), 10)
    assert (path, body["command"]) == ("/runs/r1/commands", "hold"), "at once, without a question"


async def test_a_deviation_is_closed_under_a_signature(user: User, display: Display, api: FakeApi) -> None:
    display.live.take({"tags": {}, "run": None}, time.monotonic())
    api.me = {"role": "supervisor", "rights": ["view", "operate", "approve"]}
    words = {"en": "Metal detector failed", "zh": "金属探测器不合格"}
    row = {"deviation_id": "D1", "ccp": "CCP2-metal", "state": "acted", "run_id": "r1", "stage": "metal-detector"}
    row |= {"text": words, "since": "2026-01-12T06:30:00.000Z", "until": "2026-01-12T06:40:00.000Z", "suspect_kg": 0.4}
    row |= {"corrective_action": words, "action": "sieved again", "acted_by": "li", "closed_by": None}
    api.others |= {
        "/deviations": [row],
        "/signatures": {"close": {"en": "I have verified it", "zh": "本人已验证"}},
        "/deviations/D1/close": row,
    }
    await log_in(user)
    await user.open("/quality/deviations")
    user.find(kind=ui.button, content="Close").click()
    await user.should_see("I have verified it")
    await user.should_see("sieved again")
    user.find("Reason").type("oven values looked at")
    user.find("Your password, as signature").type("right")
    yes = user.find(kind=ui.button, content="Close")
    yes.elements = {max(yes.elements, key=lambda button: button.id)}  # the dialog's, not the one that opened it
    yes.click()
    path, body = await asyncio.wait_for(api.posted.get(), 10)
    assert path == "/deviations/D1/close"
    assert body == {"reason": "oven values looked at", "password": "right", "lang": "en"}


async def test_what_is_not_answered_in_time_is_told_from_a_broken_link(
    user: User, display: Display, api: FakeApi
) -> None:
    api.me = {"role": "technician", "rights": ["view", "operate", "tune", "lab"]}
    display.live.tags = {"MIC-306.STRATEGY": {"name": "MIC-306.STRATEGY", "unit": ""}}
    display.live.status = {"loops": {"MIC-306": {}}}
    display.live.take({"run": {"run_id": "r1", "state": "Running", "is_ended": False, "legal": []}}, time.monotonic())
    api.others |= {"/lab/bias": [], "/lab/samples": [], "/lab": []}
    api.slow.add("/runs/r1/set-point-advice")
    await log_in(user)
    await user.open("/lab")
    await user.should_see("No answer in time. The line is connected: ask again.")
    assert "No connection" not in user.notify.messages
    api.slow.clear()
    api.others["/runs/r1/set-point-advice"] = {"set_point": None, "reason": "no hours yet", "unit": "% wb"}
    user.find(kind=ui.button, content="Ask again").click()
    await user.should_see("no hours yet")
    api.slow.add("/commands")
    user.find(kind=ui.button, content="Cascade").click()
    await user.should_see("MIC-306: Cascade?")
    user.find("Reason").type("to try it")
    yes = user.find(kind=ui.button, content="Cascade")
    yes.elements = {max(yes.elements, key=lambda button: button.id)}  # the dialog's, not the one that opened it
    yes.click()
    await user.should_see("No answer in time. It may have been done: look before you try again.")


async def test_a_laboratory_value_that_was_not_answered_in_time_is_looked_for_and_never_entered_twice(
    user: User, display: Display, api: FakeApi
) -> None:
    api.me = {"role": "technician", "rights": ["view", "operate", "tune", "lab"]}
    reading = {"time": "2026-01-12T02:50:00Z", "value": 13.2, "quality": "GOOD", "age_s": 0.0}

    def hear() -> None:
        display.live.take({"tags": {"MT-306": reading}}, time.monotonic())
        display.live.changes(time.monotonic())

    entered = {"sampled_at": "2026-01-12T02:40:00Z", "tag": "MT-306", "unit": "% wb", "meter": 13.2, "difference": 0.3}
    entered |= {"verdict": "used", "value": 12.9, "who": "li"}
    bias = {"tag": "MT-306", "unit": "% wb", "bias": 0.0, "u": 0.3, "values_used": 0}
    api.others |= {"/lab/bias": [bias], "/lab/samples": [], "/lab": []}
    await log_in(user)
    await user.open("/lab")
    await user.should_see("Nothing was entered in the last 30 days.")
    api.slow.add("POST /lab")
    api.others["/lab"] = [entered]
    hear()
    user.find(kind=ui.number).type("12.9")
    user.find(kind=ui.button, content="Save").click()
    await user.should_see("No answer in time. It may have been done: look before you try again.")
    await user.should_see("12.90 % wb")  # to be looked at
    api.slow.clear()
    api.others["/lab"] = entered
    hear()
    user.find(kind=ui.button, content="Save").click()
    _, body = await asyncio.wait_for(api.posted.get(), 10)
    bodies = [body for method, path, body in api.asked if (method, path) == ("POST", "/lab")]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1] == body
    assert body["lab_id"]


async def test_an_api_that_does_not_know_sessions_lets_nobody_in(user: User, display: Display, api: FakeApi) -> None:
    api.has_users = False  # another program answers there
    await user.open("/run")
    await user.should_not_see("Lot and amounts")
    assert not any(session.is_in for session in display.sessions.values())


async def test_the_feed_reads_on_for_somebody_else_when_its_reader_is_thrown_out(display: Display) -> None:
    display.api.has_answered = True
    gone, here = Session(token="revoked", user="wang"), Session(token="secret-token", user="li")
    display.sessions |= {"a": gone, "b": here}
    somebody = lambda: next((s for s in display.sessions.values() if s.is_in), None)  # noqa: E731
    feed = Feed(display.api, display.live, somebody, display.sentences.learn)
    assert (await refused(display.api, feed._once)).status == 401
    assert not gone.is_in
    assert (await refused(display.api, feed._once)).status == 404  # let in; this API has no tags
    assert here.is_in


def test_sessions_do_not_grow_for_ever(display: Display) -> None:
    for number in range(MOST_SESSIONS + 5):
        display.session_of(str(number), "")
    assert len(display.sessions) == MOST_SESSIONS
    assert str(MOST_SESSIONS + 4) in display.sessions


async def refused(api: Api, work: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as found:
        await work()
    return found.value


async def test_a_refusal_carries_its_sentence_and_silence_is_told_apart() -> None:
    api = Api("http://127.0.0.1:9")
    assert isinstance(await refused(api, lambda: api.get("/status")), ApiGone)
    await api.close()
    fake = FakeApi()
    fake.has_users = False
    api._http = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(fake.answer))
    error = await refused(api, lambda: api.post("/runs", {}))
    assert (error.status, error.detail) == (409, "not started: drying is not connected")
    await api.close()


def test_rights_are_denied_by_default() -> None:
    session = Session()
    assert not session.may("")
    session.take({"user": "li", "rights": ["view"], "token": "x"})
    assert session.may("")
    assert session.may("view")
    assert not session.may("operate")
    session.forget()
    assert not session.may("view")
    assert session.token == ""
