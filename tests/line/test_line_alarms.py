"""Alarms of a line beside a real history: recorded, acted on, kept, and found again after a kill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from line_rig import Controller, line_file, simulator

from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, StateError
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Event, Sample, Severity, Status, Value
from linecontrol.history import AlarmStateRow, Historian
from linecontrol.line import loading
from linecontrol.line.alarms import AlarmDesk, UnknownAlarm
from linecontrol.line.build import line_tags

T0 = 1_750_000_000.0
HOT, DUST, STOOD = "TT-303.HIGH", "AT-319.EXPLOSIVE", "WET.GROWTH.HIGH"


@dataclass
class Bench:
    """A desk beside a real historian; its clock stands where the test puts it."""

    historian: Historian
    now: float = T0
    events: list[Event] = field(default_factory=list)
    told: int = 0

    def __post_init__(self) -> None:
        self.config = read_line("demo")
        self.image = ProcessImage(line_tags(self.config))
        self.clock = SimpleNamespace(now=lambda: self.now)
        self.runs = SimpleNamespace(state="Running", count_alarm=self._count)
        self.alarms = AlarmDesk(cast(Any, self))

    def _count(self) -> None:
        self.told += 1

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.historian.event(event)
        self.alarms.note(event)

    def tick(self, seconds: int = 1, **values: Value | None) -> None:
        """Time passes while tags show this (``_`` for ``-``)."""
        samples = {
            name.replace("_", "-"): Sample(v, Status.GOOD if v is not None else Status.BAD_SENSOR_FAILURE, self.now)
            for name, v in values.items()
        }
        if samples:
            self.image.publish(Scan("drying", self.now, samples))
        for _ in range(seconds):
            self.now += 1.0
            self.alarms.tick(self.now)

    def state(self, name: str) -> str:
        return str(self.alarms.row(name)["state"])


@asynccontextmanager
async def bench(folder: Path, now: float = T0) -> AsyncIterator[Bench]:
    config = read_line("demo")
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    historian = Historian(url, folder / "spool", "demo", line_tags(config), flush_s=0.02)
    await historian.start()
    found = Bench(historian, now)
    await found.alarms.load()
    try:
        yield found
    finally:
        found.alarms.close()
        await historian.stop()


async def test_an_alarm_comes_is_acknowledged_and_goes_and_all_of_it_is_in_the_journal(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.tick(10, TT_303=200.0)
        assert line.state(HOT) == "UNACK"
        assert line.told == 1
        answer = await line.alarms.acknowledge([HOT], "li", "burner turned down")
        assert [row["name"] for row in answer["acknowledged"]] == [HOT]
        line.tick(20, TT_303=150.0)
        assert line.state(HOT) == "NORM"
        rows = await line.alarms.journal(name=HOT)
        assert [row["verb"] for row in reversed(rows)] == ["raised", "acknowledged", "commented", "cleared"]
        assert rows[-1]["annunciated"] is True
        assert rows[2]["who"] == "li"
        assert rows[-1]["value"] == 200.0
        assert "进风温度过高" in rows[-1]["text"]["zh"]
        assert await line.alarms.journal(name=DUST) == []
        assert [row["name"] for row in await line.alarms.journal(verb="acknowledged")] == [HOT]


async def test_what_a_row_tells(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.tick(10, TT_303=200.0)
        row = line.alarms.row(HOT)
        assert row["station"] == "drying"
        assert (row["value"], row["set_point"], row["unit"]) == (200.0, 195.0, "°C")
        assert row["annunciated"] is True
        assert row["action"]["zh"].startswith("关加热器")
        assert [one["name"] for one in line.alarms.rows() if one["state"] == "UNACK"] == [HOT]
        with pytest.raises(UnknownAlarm, match=r"TT-999\.HIGH"):
            line.alarms.row("TT-999.HIGH")


async def test_verbs_are_refused_with_the_reason_and_what_is_accepted(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        desk = line.alarms
        with pytest.raises(StateError, match=r"TT-303\.HIGH: it is normal"):
            await desk.acknowledge([HOT], "li")
        with pytest.raises(ConfigError, match="60 to 43200 s"):
            await desk.shelve(HOT, "li", "noisy", 90_000.0)
        with pytest.raises(ConfigError, match="60 to 3600 s"):
            await desk.shelve(DUST, "li", "noisy", 7200.0)
        for act in (desk.shelve(HOT, "li", " ", 600.0), desk.remove(HOT, "li", "")):
            with pytest.raises(ConfigError, match="why, in a few words"):
                await act
        with pytest.raises(StateError, match="not latched"):
            await desk.reset(HOT, "li")
        assert (await desk.acknowledge(None, "li")) == {"acknowledged": [], "refused": []}


async def test_a_latched_alarm_stays_until_it_is_reset(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.tick(5, AT_319=20.0)
        line.tick(20, AT_319=0.0)
        assert line.state(DUST) == "LUNAK"
        await line.alarms.acknowledge([DUST], "li")
        row = await line.alarms.reset(DUST, "li", "bag changed")
        assert row["state"] == "NORM"


async def test_events_of_the_program_are_alarms_and_a_run_that_is_held_is_one_with_its_cause(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.emit(Event(line.now, "link.down", "drying", "no answer", Severity.ALARM, active=True))
        line.tick(12, TT_303=None, MT_306=None, ZT_312=None)
        line.emit(Event(line.now, "run.held", "run-7", "drying has not answered", Severity.ALARM, active=True))
        assert line.told == 1
        states = {row["name"]: row["first_out"] for row in line.alarms.rows() if row["state"] == "UNACK"}
        assert states["drying.LINK-DOWN"] is None
        assert states["RUN.HELD"] == states["TT-303.QUALITY"] == "drying.LINK-DOWN"
        await line.alarms.acknowledge(["drying.LINK-DOWN"], "li")
        assert line.state("RUN.HELD") == "ACKED"
        line.emit(Event(line.now, "link.up", "drying", "answers again", Severity.ALARM, active=False))
        line.emit(Event(line.now, "run.held", "run-7", "no longer held", Severity.INFO, active=False))
        assert (line.state("drying.LINK-DOWN"), line.state("RUN.HELD")) == ("NORM", "NORM")


async def test_an_interlock_that_trips_without_a_run_is_no_alarm_until_one_is_in_hand(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.runs.state = None
        line.emit(Event(line.now, "interlock.tripped", "IL-401", "not met", Severity.ALARM, active=True))
        line.tick(3)
        assert (line.state("IL-401.INTERLOCK"), line.told) == ("DSUPR", 0)
        line.runs.state = "Running"
        line.tick(2)
        assert (line.state("IL-401.INTERLOCK"), line.told) == ("UNACK", 1)
        line.emit(Event(line.now, "interlock.cleared", "IL-401", "met", Severity.INFO, active=False))
        assert line.state("IL-401.INTERLOCK") == "RTNUN"


async def test_milk_that_stands_is_an_alarm_without_a_run_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.runs.state = None
        line.tick(90, **{"WET.GROWTH": 0.19})
        assert line.state(STOOD) == "NORM"
        line.tick(59, **{"WET.GROWTH": 0.21})
        assert line.state(STOOD) == "NORM"
        line.tick(3, **{"WET.GROWTH": 0.21})
        assert (line.state(STOOD), line.told) == ("UNACK", 1)
        assert line.alarms.row(STOOD)["station"] == "line"
        line.tick(70, **{"WET.GROWTH": 0.0})  # washed
        assert line.state(STOOD) == "RTNUN"


async def test_one_signal_that_is_good_again_does_not_end_the_alarm_of_more_than_half(tmp_path: Path) -> None:
    def told(line: Bench, kind: str, severity: Severity, *, active: bool) -> None:
        line.emit(Event(line.now, kind, "drying", kind, severity, active=active))

    async with bench(tmp_path) as line:
        told(line, "quality.mostly-bad", Severity.ALARM, active=True)
        told(line, "quality.good", Severity.INFO, active=False)
        assert line.state("drying.SIGNALS-BAD") == "UNACK"
        told(line, "quality.mostly-bad", Severity.ALARM, active=False)
        assert line.state("drying.SIGNALS-BAD") == "RTNUN"


async def test_all_that_people_did_is_there_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.tick(10, TT_303=200.0, TT_305=59.0, AT_319=0.0)
        await line.alarms.acknowledge([HOT], "li")
        await line.alarms.shelve("PDT-320.HIGH", "li", "filter is changed", 3600.0)
        await line.alarms.remove("ZT-312.MISMATCH", "wang", "gate taken apart")
        await line.alarms.comment("TT-305.HIGH", "li", "feed raised")
        line.tick(1)
        figures = line.alarms.kpis()
        later = line.now + 30.0
    async with bench(tmp_path, later) as line:
        states = {name: line.state(name) for name in (HOT, "TT-305.HIGH", "PDT-320.HIGH", "ZT-312.MISMATCH")}
        assert list(states.values()) == ["ACKED", "UNACK", "SHLVD", "OOSRV"]
        row = line.alarms.row("TT-305.HIGH")
        assert [one["text"] for one in row["comments"]] == ["feed raised"]
        assert line.alarms.row("PDT-320.HIGH")["put_why"] == "filter is changed"
        line.tick(3, TT_303=200.0, TT_305=59.0)
        assert line.told == 0, "nothing is told anew that was told before"
        assert line.alarms.kpis()["alarms"] == figures["alarms"] == 2
        line.tick(3600)
        assert line.state("PDT-320.HIGH") == "NORM", "its time on the shelf went on"


async def test_a_history_that_is_away_at_the_start_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as line:
        await line.alarms.shelve(HOT, "li", "noisy", 3600.0)
        later = line.now
    from linecontrol.core.errors import StorageError

    asked = 0
    real = Historian.alarms

    async def away(self: Historian) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StorageError("away")
        return await real(self)

    monkeypatch.setattr(Historian, "alarms", away)
    monkeypatch.setattr(loading, "AGAIN_S", 0.01)
    async with bench(tmp_path, later) as line:
        assert line.state(HOT) == "NORM"
        line.tick(10, TT_305=59.0)
        async with asyncio.timeout(5.0):
            while line.state(HOT) == "NORM":
                await asyncio.sleep(0.01)
        assert line.state(HOT) == "SHLVD"
        assert line.state("TT-305.HIGH") == "UNACK", "what came meanwhile stands"
        assert line.alarms.kpis()["alarms"] == 1, "and is counted once"


@pytest.mark.parametrize(
    "odd", [{}, {"state": "LOUD"}, {"comments": 3}, {"raised_at": "noon"}, {"hidden": None}], ids=str
)
async def test_a_row_that_cannot_be_read_is_told_and_keeps_no_other_from_being_taken_up(
    tmp_path: Path, odd: dict[str, Any]
) -> None:
    async with bench(tmp_path) as line:
        await line.alarms.shelve(HOT, "li", "noisy", 3600.0)
        await line.alarms.shelve("PDT-320.HIGH", "li", "filter is changed", 3600.0)
        kept = next(row.state for row in await line.historian.alarms() if row.name == HOT)
        line.historian.alarm(AlarmStateRow(HOT, line.now, {**kept, **odd} if odd else {}))
        await line.historian.flush()
        later = line.now
    async with bench(tmp_path, later) as line:
        assert (line.state(HOT), line.state("PDT-320.HIGH")) == ("NORM", "SHLVD")
        (event,) = [event for event in line.events if event.kind == "alarms.unread"]
        assert (event.source, event.severity) == (HOT, Severity.WARNING)
        assert event.text == f"{HOT}: how this alarm stood before the start cannot be read; it begins anew."
        assert event.data["zh"].startswith(f"{HOT}：无法读取")
        line.tick(10, TT_303=200.0)
        assert line.state(HOT) == "UNACK", "it works"


async def test_only_what_changed_is_handed_out_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        line.tick(10, TT_303=100.0)
        version, _ = line.alarms.rows_since(0)
        assert line.alarms.rows_since(version) == (version, [])
        line.tick(10, TT_303=200.0)
        newer, rows = line.alarms.rows_since(version)
        assert [row["name"] for row in rows] == [HOT]
        await line.alarms.acknowledge([HOT], "li")
        line.tick(20, TT_303=100.0)
        assert [row["state"] for row in line.alarms.rows_since(newer)[1]] == ["NORM"], "so that a display forgets it"


SPEED = 20.0


async def alarm(controller: Controller, name: str) -> dict[str, Any]:
    answer = await controller.ask("GET", f"/alarms/{name}")
    return answer.json() if answer.status_code == 200 else {"state": ""}


async def until_state(controller: Controller, name: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(60.0):
        while (row := await alarm(controller, name))["state"] not in states:
            await asyncio.sleep(0.05)
    return row


@pytest.mark.timeout(240)
async def test_alarms_survive_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with simulator(SPEED) as sim:
        line = line_file(tmp_path, sim.endpoints)
        first = Controller(line, data, SPEED)
        await first.start()
        await sim.tell("fault silent:drying")
        await until_state(first, "drying.LINK-DOWN", "UNACK")
        for path, body in (
            ("acknowledge", {"names": ["drying.LINK-DOWN"], "who": "li", "comment": "cable loose"}),
            ("PDT-320.HIGH/shelve", {"who": "li", "reason": "filter is changed", "for_s": 40_000}),
            ("ZT-312.MISMATCH/out-of-service", {"who": "wang", "reason": "gate taken apart"}),
            ("WT-101.LOW/comment", {"who": "li", "text": "truck comes at noon"}),
        ):
            answer = await first.ask("POST", f"/alarms/{path}", body)
            assert answer.status_code == 200, answer.text
        await first.kill()

        second = Controller(line, data, SPEED)
        await second.start()
        try:
            down = await until_state(second, "drying.LINK-DOWN", "ACKED")
            assert down["acked_by"] == "li"
            assert down["comments"][-1]["text"] == "cable loose"
            shelved = await alarm(second, "PDT-320.HIGH")
            assert (shelved["state"], shelved["put_why"]) == ("SHLVD", "filter is changed")
            assert (await alarm(second, "ZT-312.MISMATCH"))["state"] == "OOSRV"
            assert (await alarm(second, "WT-101.LOW"))["comments"][0]["text"] == "truck comes at noon"
            journal = (await second.ask("GET", "/alarms/journal?name=drying.LINK-DOWN")).json()
            assert [row["verb"] for row in reversed(journal)][:2] == ["raised", "acknowledged"]
            await sim.tell("clear all")
            await until_state(second, "drying.LINK-DOWN", "NORM")
        finally:
            await second.stop()
