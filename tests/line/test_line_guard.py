"""Interlocks, checks and deviations on a whole line with its simulated plant, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from linecontrol.cli.demo import pass_checks
from linecontrol.config import LineConfig, read_line, shipped_dir
from linecontrol.core.errors import ConfigError, StateError
from linecontrol.core.model import Command, Event, Outcome, Tag, Text
from linecontrol.guard.deviations import Breach, Deviation
from linecontrol.history import BypassRow, DeviationRow
from linecontrol.line.acceptance import acceptance_path
from linecontrol.line.assembly import Line
from linecontrol.line.signing import Signer
from linecontrol.recipe.states import RunState
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.recording import MemoryRecording
from linecontrol.twin.trial import EPOCH, Trial, Twin

RECIPE = "kudzu-lobata-standard"


class Furnished(Twin):
    """A line whose history holds something already."""

    kept: Sequence[BypassRow | DeviationRow] = ()

    def _historian(
        self, config: LineConfig, data: Path, tags: Sequence[Tag], tell: Callable[[Event], None]
    ) -> MemoryRecording:
        found = super()._historian(config, data, tags, tell)
        for row in self.kept:
            if isinstance(row, BypassRow):
                found.kept.bypasses[row.bypass_id] = row
            else:
                found.kept.deviations[row.deviation_id] = row
        return found


@contextlib.asynccontextmanager
async def running(twin: Twin) -> AsyncIterator[Line]:
    """The line of a twin, ready, with time passing."""
    passing = asyncio.create_task(twin.pass_time())
    try:
        async with twin.line as line:
            await line.ready()
            await line.clock.sleep(5.0)
            yield line
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)


def line_with(folder: Path, **changes: str) -> str:
    """A copy of the demo line with some texts replaced."""
    text = (shipped_dir() / "lines" / "demo.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "line.yaml").write_text(text, encoding="utf-8")
    shutil.copy(acceptance_path(read_line("demo")), folder / "line.accepted.json")
    shutil.copy(shipped_dir() / "lines" / "demo.moisture.json", folder / "demo.moisture.json")
    return str(folder / "line.yaml")


async def wait(line: Line, claim: Callable[[], bool], seconds: float) -> None:
    """At most so many line seconds."""
    for _ in range(round(seconds)):
        if claim():
            return
        await line.clock.sleep(1.0)
    raise AssertionError(f"not within {seconds:g} s")


def test_a_refused_command_says_in_both_languages_what_is_measured_and_what_clears_it() -> None:
    async def scenario() -> None:
        twin = Twin(Trial(RECIPE))
        async with running(twin) as line:
            await line.gate.submit(Command("XC-301", True, "operator:li", "by hand"))
            refused = await line.gate.submit(Command("TV-303", 50.0, "operator:li", "heat"))
            assert refused.outcome is Outcome.REFUSED
            assert refused.reason.startswith(
                "TV-303 is interlocked: IL-301 not met (Air flows before heat and feed): FT-307 ="
            )
            assert refused.reason.endswith("must be at least 600 kg/h. Start the fan and wait for the air flow.")
            assert refused.reason_zh.startswith("TV-303 被联锁：IL-301 未满足（先有风")
            assert refused.reason_zh.endswith("应不低于 600 kg/h。启动风机，等待风量建立。")
            assert (await line.gate.submit(Command("TV-303", 0.0, "operator:li"))).ok
            row = line.interlocks.row("IL-301")
            assert (row["state"], row["low"], row["unit"]) == ("blocking", 600.0, "kg/h")
            assert row["value"] == pytest.approx(line.image.latest("FT-307").number, abs=200.0)
            assert (await line.gate.submit(Command("SC-307", 50.0, "operator:li"))).ok
            await wait(line, lambda: line.interlocks.row("IL-301")["state"] == "met", 60)
            assert (await line.gate.submit(Command("TV-303", 5.0, "operator:li", "heat"))).ok
            await line.clock.sleep(2.0)
            fan_off = await line.gate.submit(Command("SC-307", 0.0, "operator:li"))
            assert "IL-305 not met (Feed and heater are off before the fan" in fan_off.reason

    run_virtual(scenario())


def test_a_bypass_is_timed_reasoned_alarmed_kept_and_never_for_all() -> None:
    async def scenario() -> None:
        twin = Twin(Trial(RECIPE))
        async with running(twin) as line:
            with pytest.raises(StateError, match="IL-301 cannot be bypassed: Heat without air"):
                await line.interlocks.bypass("IL-301", "wang", "why not", 600.0)
            with pytest.raises(ConfigError, match="is empty"):
                await line.interlocks.bypass("IL-307", "wang", " ", 600.0)
            with pytest.raises(ConfigError, match="60 to 1800 s"):
                await line.interlocks.bypass("IL-307", "wang", "meter swapped", 7200.0)
            row = await line.interlocks.bypass("IL-307", "wang", "meter swapped", 600.0)
            assert row["state"] == "bypassed"
            assert row["bypass"]["who"] == "wang"
            alarm = line.alarms.row("IL-307.BYPASSED")
            assert alarm["state"] == "UNACK"
            assert line.alarms.row("IL-307.BYPASSED")["detail"].startswith("IL-307 is bypassed by wang for 10 min")
            assert twin.recording is not None
            (kept,) = twin.recording.kept.bypasses.values()
            assert (kept.reason, round(kept.until - kept.since)) == ("meter swapped", 600)
            await line.clock.sleep(602.0)
            assert line.interlocks.row("IL-307")["bypass"] is None
            assert line.alarms.row("IL-307.BYPASSED")["state"] == "RTNUN"
            await line.interlocks.bypass("IL-307", "wang", "meter swapped", 600.0)
            assert (await line.interlocks.end_bypass("IL-307", "li"))["bypass"] is None
            assert [row.ended_by for row in twin.recording.kept.bypasses.values()] == ["", "li"]
            with pytest.raises(StateError, match="is not bypassed"):
                await line.interlocks.end_bypass("IL-307", "li")

    run_virtual(scenario())


def test_a_restart_goes_on_with_the_bypass_and_with_what_is_suspect() -> None:
    async def scenario() -> None:
        twin = Furnished(Trial(RECIPE))
        broken = DeviationRow(
            "D1-CCP1-moisture", "before", "CCP1-moisture", "ccp", "packing", EPOCH - 90.0, EPOCH - 60.0, None,
            14.6, 14.0, "% wb", "wet", "湿", "rework", "返工", "operator",
        )  # fmt: skip
        over = BypassRow("B0", "IL-306", "wang", "over", EPOCH - 900.0, EPOCH - 1.0)
        twin.kept = (BypassRow("B1", "IL-307", "wang", "swapped", EPOCH - 300.0, EPOCH + 300.0), over, broken)
        async with running(twin) as line:
            assert line.interlocks.row("IL-307")["bypass"]["left_s"] == pytest.approx(295.0, abs=10.0)
            assert line.interlocks.row("IL-306")["bypass"] is None
            (row,) = await line.haccp.deviations()
            assert row["until"] is not None
            assert "its end is not known" in row["note"]
            assert [found.deviation_id for found in line.haccp.unresolved("before")] == ["D1-CCP1-moisture"]

    run_virtual(scenario())


def test_what_is_overdue_keeps_a_run_from_starting_until_it_is_entered(tmp_path: Path) -> None:
    async def scenario() -> None:
        old = "every_h: 4, responsible: operator"
        twin = Twin(Trial(RECIPE, line=line_with(tmp_path, **{old: old.replace("4", "0.01")})))
        async with running(twin) as line:
            await line.clock.sleep(40.0)
            with pytest.raises(StateError, match="METAL-TEST Metal detector finds the test pieces: nobody has done"):
                await line.runs.start(RECIPE, {}, who="operator:li")
            assert line.alarms.row("METAL-TEST.CHECK-DUE")["state"] == "UNACK"
            with pytest.raises(ConfigError, match="what was found"):
                await line.checks.enter("METAL-TEST", "li", result="failed")
            row = await line.checks.enter("METAL-TEST", "li", result="failed", found="stainless piece not found")
            assert (row["is_overdue"], row["result"]) == (True, "failed")
            (deviation,) = await line.haccp.deviations()
            assert deviation["text"]["en"].endswith("failed: stainless piece not found")
            assert deviation["corrective_action"]["en"].startswith("Powder goes to rework. Find where the metal")
            key, boss = deviation["deviation_id"], Signer("operator:wang", "supervisor", "I close this deviation")
            with pytest.raises(StateError, match="has no corrective action yet"):
                await line.haccp.verify(key, boss, "seen")
            with pytest.raises(ConfigError, match="what was done"):
                await line.haccp.act(key, "li", "  ")
            acted = await line.haccp.act(key, "li", "detector set anew; no bag was filled since")
            assert (acted["state"], acted["acted_by"]) == ("acted", "li")
            assert line.haccp.unresolved() == []
            with pytest.raises(StateError, match="takes a signature"):
                await line.haccp.verify(key, replace(boss, meaning=""), "seen")
            closed = await line.haccp.verify(key, boss, "seen")
            assert (closed["state"], closed["closed_by"]) == ("closed", "wang")
            with pytest.raises(StateError, match="was closed by wang"):
                await line.haccp.act(key, "li", "more")
            passed = await line.checks.enter("METAL-TEST", "li", result="passed", certificate="T-17")
            assert (passed["is_overdue"], passed["certificate"]) == (False, "T-17")
            assert line.alarms.row("METAL-TEST.CHECK-DUE")["state"] == "RTNUN"
            started = await line.runs.start(RECIPE, {}, who="operator:li")
            assert started["state"] == "Running"
            await line.runs.command(started["run_id"], "abort", who="operator:li")

    run_virtual(scenario())


def test_a_demo_enters_what_is_due_and_can_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        old = "every_h: 4, responsible: operator"
        async with running(Twin(Trial(RECIPE, line=line_with(tmp_path, **{old: old.replace("4", "0.01")})))) as line:
            await line.clock.sleep(40.0)
            assert await pass_checks(line) == ["METAL-TEST"]
            assert await pass_checks(line) == []
            row = line.checks.row("METAL-TEST")
            assert (row["who"], row["result"], row["found"]) == ("demo", "passed", "simulated plant")
            started = await line.runs.start(RECIPE, {}, who="operator:demo")
            await line.runs.command(started["run_id"], "abort", who="operator:demo")

    run_virtual(scenario())


def test_stopped_while_hot_the_fan_overruns_and_then_stops() -> None:
    async def scenario() -> None:
        async with running(Twin(Trial(RECIPE))) as line:
            run_id = (await line.runs.start(RECIPE, {}, who="operator:li"))["run_id"]
            await wait(line, lambda: line.image.latest("TT-303").number > 92.0, 1200)
            await line.runs.command(run_id, "stop", who="operator:li")
            await wait(line, lambda: line.runs.state is RunState.STOPPED, 30)
            assert line.image.latest("TV-303").number == 0.0
            assert line.image.latest("SC-307").number > 20.0
            assert await line.historian.events(kinds=["run.safe_failed"]) == []
            (waits,) = await line.historian.events(kinds=["interlock.postponed"])
            assert "The fan overruns until the duct is cool" in waits.text
            await wait(line, lambda: line.image.latest("SC-307").number == 0.0, 1200)
            assert line.image.latest("TT-303").number < 85.0

    run_virtual(scenario())


def test_sparks_hold_the_run_until_somebody_has_looked() -> None:
    async def scenario() -> None:
        twin = Twin(Trial(RECIPE))
        async with running(twin) as line:
            run_id = (await line.runs.start(RECIPE, {}, who="operator:li"))["run_id"]
            await wait(line, lambda: line.image.latest("SC-307").number > 20.0, 60)
            twin.plant.sentinels.is_sparking = True
            await wait(line, lambda: line.runs.state is RunState.HELD, 30)
            view = line.runs.view_of_current()
            assert view["cause"] == "interlock"
            assert view["reason"].startswith("IL-309 not met (No sparks in the duct): XT-322 =")
            assert view["reason_zh"].startswith("IL-309 未满足（风管内无火花）：XT-322 =")
            twin.plant.sentinels.is_sparking = False
            await line.clock.sleep(70.0)
            with pytest.raises(StateError, match=r"IL-309 not met \(No sparks in the duct"):
                await line.runs.command(run_id, "restart", who="operator:li")
            assert line.interlocks.row("IL-309")["can_reset"]
            await line.interlocks.reset("IL-309", "li", "nothing glows")
            await line.runs.command(run_id, "restart", who="operator:li")
            await line.runs.command(run_id, "abort", who="operator:li")

    run_virtual(scenario())


def test_a_deviation_of_an_interlock_is_about_its_stage_from_before_it_showed() -> None:
    async def scenario() -> None:
        async with running(Twin(Trial(RECIPE))) as line:
            now, look = line.clock.now(), line.haccp.look
            line.interlocks.system.standings["IL-201"].outside_since = now - 10.0
            breach = Breach(9.0, 8.0, Text("fibre", "纤维"))
            since = look.since(now, {"IL-201": breach})["IL-201"]
            assert since == pytest.approx(now - 10.0 - 3.0 * 120.0), "it is a mean over 120 s"
            row = line.haccp._new(Deviation("IL-201", since, now, 9.0, 8.0, breach.text))
            assert (row.kind, row.stage, row.since) == ("oprp", "concentrator", since)

    run_virtual(scenario())
