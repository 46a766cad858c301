"""Tuning over the wires: `linecontrol tune` beside a served line, gains over a restart, a PLC killed in the middle."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from line_rig import Controller, Simulator, demo_at, driven, end, line_file, simulator, started, until
from tuning_rig import RUN, hot, loop
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from linecontrol.config import read_line
from linecontrol.control.loop import Mode
from linecontrol.control.tuning.moves import Kind
from linecontrol.core.model import Event
from linecontrol.line.assembly import assemble
from linecontrol.line.gains_kept import FileKeeper
from linecontrol.line.wishes import TestWish

SPEED = 60.0


async def linecontrol(*words: str) -> tuple[int, str, str]:
    """Run a command in this process, which spares each a second of imports. Returns exit code, stdout, stderr."""
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    why = [] if done.exception is None else traceback.format_exception(done.exception)
    return done.exit_code, done.stdout, done.stderr + "".join(why if done.exit_code == 1 else [])


async def interrupted(*words: str, when: asyncio.Task[Any]) -> tuple[int, str, str]:
    """The same as a program of its own, with Ctrl-C when ``when`` is done."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "linecontrol", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A suite that was itself started in the background has Ctrl-C ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    await when
    process.send_signal(signal.SIGINT)
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), said.decode()


async def moving(controller: Controller) -> None:
    while True:
        test = (await loop(controller))["last_test"]
        if test is not None and (test["state"], test["stage"]) == ("running", "moving"):
            return
        await asyncio.sleep(0.05)


@pytest.mark.timeout(300)
async def test_a_technician_tunes_a_served_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data = tmp_path / "data"
    async with simulator(SPEED) as sim:
        path = line_file(tmp_path, sim.endpoints)
        first = Controller(path, data, SPEED)
        await first.start()
        try:
            await hot(first)
            await a_whole_tuning(tmp_path)
            await wrong_words()
            await ctrl_c(first)
            await nothing_to_see(first)
            await gains_on_trial(first)
        finally:
            await first.kill()  # as the power does, with gains on trial
        second = Controller(path, data, SPEED)
        await second.start()
        try:
            await after_the_restart(second, data)
        finally:
            assert await second.stop() == 0


async def a_whole_tuning(folder: Path) -> None:
    picture = folder / "test.png"
    code, out, said = await linecontrol(
        *("tune", "TIC-303", "--test", "doublet", "--who", "li", "--reason", "slow", "--json", "--plot", str(picture)),
        *("--apply", "--yes"),
    )
    assert code == 0, said
    found = json.loads(out)
    result = found["result"]
    assert result["offered"]
    assert 2.0 < result["model"]["gain"] < 6.0 or result["model"]["integrating"]
    best, present = result["candidates"][0], result["present"]
    assert best["margins"]["ms"] < 1.5
    assert present["gains"]["k"] == pytest.approx(0.9)
    assert best["load"]["low"][5] <= best["load"]["pv"][5] <= best["load"]["high"][5]
    assert best["noise_gain"] > 0.0
    assert found["view"]["trial"]["falls_back_to"]["k"] == pytest.approx(0.9)
    assert found["view"]["gains"]["k"] == pytest.approx(best["gains"]["k"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = await linecontrol("tune", "TIC-303", "--accept", "--who", "li")
    assert code == 0
    assert "TIC-303: K" in out
    code, out, said = await linecontrol("tune", "TIC-303", "--show")
    assert code == 0
    assert "differ from the line file" in said
    assert "doublet test of 5 started by operator:li: slow" in out


async def wrong_words() -> None:
    for words, code, told in (
        (("TIC-303", "--gains", "k=abc", "--yes"), 2, "not understood"),
        (("TIC-303", "--gains", "k=-1,ti_s=50", "--yes"), 2, "greater than 0"),
        (("TIC-303", "--gains", "k=1,ti_s=50"), 2, "--yes"),
        (("TIC-303", "--abort", "--revert"), 2, "not several"),
        (("XIC-9",), 2, "no loop 'XIC-9'"),
        (("TIC-303", "--test", "dance"), 2, "step"),
        (("MIC-306",), 3, "not GOOD"),
        (("TIC-303", "--abort"), 3, "not under test"),
    ):
        found, out, said = await linecontrol("tune", *words)
        assert found == code, (words, said)
        assert told in said
        assert out == ""
        assert "Traceback" not in said


async def ctrl_c(controller: Controller) -> None:
    before = await loop(controller)
    watcher = asyncio.ensure_future(moving(controller))
    code, _, said = await interrupted(
        "tune", "TIC-303", "--test", "doublet", "--periods", "5", "--who", "li", when=watcher
    )
    assert code == 3
    assert "Ctrl-C" in said
    assert "was aborted: operator:li: Ctrl-C" in said
    after = await loop(controller)
    assert (after["mode"], after["sp"], after["gains"]) == (before["mode"], before["sp"], before["gains"])
    assert after["test"] is None


async def nothing_to_see(controller: Controller) -> None:
    """Exit code 4: the moves were made, but too little of the answer was seen."""
    man = {"tag": "TIC-303.MODE", "value": 0, "who": "li", "reason": "a very small test"}
    assert (await controller.ask("POST", "/commands", man)).status_code == 200
    step = ("tune", "TIC-303", "--test", "step", "--time-limit", "30", "--json")
    code, _, said = await linecontrol(*step, "--size", "0.1")
    assert (code, "accepted: 1 or more: the actuator moves in such steps" in said) == (2, True), said
    for _ in range(5):  # until the PV is at rest again
        code, out, said = await linecontrol(*step, "--size", "1")
        if code != 3:
            break
    assert code == 4, (out, said)
    found = json.loads(out)
    assert found["result"]["offered"] is False
    assert found["result"]["refusal"]["reason"]
    assert found["view"]["mode"] == "MAN"
    assert (await controller.ask("POST", "/commands", {**man, "value": 1})).status_code == 200


async def gains_on_trial(controller: Controller) -> None:
    kept = (await loop(controller))["gains"]
    code, _, said = await linecontrol("tune", "TIC-303", "--gains", "k=0.5,ti_s=120,b=0.6", "--yes", "--who", "li")
    assert code == 0
    assert f"K {kept['k']:.4g}" in said
    assert (await loop(controller))["trial"] is not None


async def after_the_restart(controller: Controller, data: Path) -> None:
    kept = FileKeeper(data).load()["TIC-303"]
    view = await loop(controller)
    assert view["gains"] == kept["kept"]
    assert view["differs_from_line_file"]
    assert view["trial"] is None
    code, out, _ = await linecontrol("tune", "TIC-303", "--show")
    assert code == 0
    assert "ended while gains were on trial (K 0.5" in out
    assert "applied gains hold again" in out
    code, out, said = await linecontrol("assess", "TIC-303", "--data", str(data), "--json")
    assert code == 0, said
    (judged,) = json.loads(out)["loops"]
    assert 0.0 < judged["harris"]["index"] <= 1.0  # which takes the delay, and nobody has told one
    assert any("is that of its last test" in note for note in judged["warnings"])


@pytest.mark.timeout(200)
async def test_a_plc_killed_in_the_middle_of_a_test(tmp_path: Path) -> None:
    async with simulator(SPEED) as sim:
        killed: Simulator = sim
        async with driven(demo_at(sim.endpoints), tmp_path, SPEED) as line:
            events: list[Event] = []
            line.listeners.append(events.append)
            await started(line, RUN["recipe"], RUN["values"], "operator:li")  # type: ignore[arg-type]
            await until(lambda: line.bank.mode_of("TIC-303") is Mode.AUTO)
            await until(lambda: abs(line.image.latest("TT-303").number - 96.0) < 1.0)
            for _ in range(10):
                line.tuning.start(
                    "TIC-303", TestWish(kind=Kind.STEP), who="operator:li", reason="and then the power fails"
                )
                await until(lambda: line.bank.tests.view("TIC-303") in ("moving", None))
                if line.bank.tests.view("TIC-303") == "moving":
                    break
            gains = line.bank.gains_of("TIC-303")
            await killed.kill()
            await until(lambda: line.bank.tests.view("TIC-303") is None)
            test = line.tuning.view("TIC-303")["last_test"]
            assert test["end"] == "aborted"
            assert line.bank.gains_of("TIC-303") == gains
            await until(lambda: line.runs.state is not None and line.runs.state.value == "Held")
            assert "tuning.aborted" in {event.kind for event in events}
        await end(killed.process)


async def test_a_test_that_ended_with_its_controller_is_told_by_the_next(tmp_path: Path) -> None:
    """What a crash leaves on record is a test that began. It is told once, and only of such a test."""
    nowhere = {
        name: re.sub(r":\d+", ":9", row.endpoint.url, count=1) for name, row in read_line("demo").stations.items()
    }
    config = demo_at(nowhere)
    told: list[Event] = []
    began = Event(1000.0, "tuning.started", "TIC-303", "began", data={"kind": "doublet"})
    whole = [replace(began, source="DIC-204"), replace(began, time=1001.0, kind="tuning.ended", source="DIC-204")]
    async with assemble(config, data=tmp_path) as line:
        for event in (began, *whole):
            line.emit(event)
    for _ in range(2):
        async with assemble(config, data=tmp_path) as line:
            line.listeners.append(told.append)
            await line._taking_up
        found = [event for event in told if event.kind == "tuning.aborted"]
        text = "TIC-303: doublet test aborted: the controller ended in the middle of it"
        assert [(event.source, event.text) for event in found] == [("TIC-303", text)]
