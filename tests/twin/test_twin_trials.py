"""Trials on the twin: the same again, alone or side by side, stored as ordinary runs, watched."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from short_run import VALUES

from linecontrol.core.errors import ConfigError, LineBusy
from linecontrol.history import open_reader
from linecontrol.line.lock import lock_file
from linecontrol.recipe.states import ENDED
from linecontrol.twin import campaign
from linecontrol.twin.campaign import LOCK, PLAN, RESULTS, numbered, rows_of
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.summary import mean_of, summary
from linecontrol.twin.trial import EPOCH, TRIAL_LENGTH_S, Outcome, Trial, Twin, run_trial
from simulator.plant import Plant

SHORT = Trial("kudzu-lobata-standard", values={**VALUES, "centrifuge_runout_s": 240.0})  # the last cake comes out
SEEDS = numbered([replace(SHORT, seed=seed) for seed in (1, 2, 3)])


def told(outcome: Outcome) -> str:
    """All that a trial says, as one text."""
    kept = outcome.kept
    assert kept is not None
    everything = [outcome.record, outcome.truth, outcome.line_s, kept.scans, kept.events, kept.commands, kept.run]
    return "\n".join(map(repr, everything))


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """A quiet run, watched; unwatched it is the same (test_the_same_seed_gives_the_same_to_the_last_bit)."""
    return run_trial(replace(SHORT, watched=True))


def test_a_run_on_the_twin_is_whole(outcome: Outcome) -> None:
    record = outcome.record
    assert record["state"] == "Complete"
    assert 45.0 < record["root_kg"] < 60.0
    assert 0.4 < record["extraction_yield"] < 0.95
    assert abs(record["extraction_yield"] - outcome.truth["extraction_yield"]) < 3 * record["extraction_yield_u"]
    assert record["reads"]["modbus"] > 1000
    assert record["reads"]["opcua"] > 500
    assert record["started_at"].startswith("2023-11-14")
    assert (record["policy"], record["line_type"], record["plant"]) == ("auto", "mechanised", {})


def test_the_same_seed_gives_the_same_to_the_last_bit(outcome: Outcome) -> None:
    assert told(run_trial(SHORT)) == told(outcome)


Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def alone() -> Rows:
    """Three seeds, one after the other, stored nowhere."""
    return list(rows_of(SEEDS))


def test_another_seed_gives_another_lot(outcome: Outcome, alone: Rows) -> None:
    records = [row["record"] for row in alone]
    assert {record["state"] for record in records} == {"Complete"}
    assert records[0] == outcome.record
    assert len({record["root_starch_kg"] for record in records}) == 3


def plain(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, sort_keys=True) for row in rows]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same campaign side by side, in a folder, stopped after its first trial and in the middle of a line."""
    out = tmp_path_factory.mktemp("campaign") / "study"
    begun = rows_of(SEEDS, jobs=2, out=out)
    next(begun)
    begun.close()  # type: ignore[attr-defined]  # a generator; as Ctrl-C would end it
    finished = (out / RESULTS).read_text(encoding="utf-8").splitlines()
    assert len(finished) == 1
    with (out / RESULTS).open("a", encoding="utf-8") as results:
        results.write('{"trial": {"seed": 2, ')  # a line the power cut short
    return out


def test_jobs_side_by_side_a_folder_and_a_stop_change_nothing(study: Path, alone: Rows) -> None:
    assert plain(rows_of(SEEDS, jobs=2, out=study)) == plain(alone)
    assert plain(rows_of(SEEDS, out=study)) == plain(alone), "all is there: nothing is run again"
    with open_reader(f"sqlite:///{study / 'history.sqlite3'}") as reader:
        runs = {run.run_id: run for run in reader.runs(10)}
        assert sorted(runs) == [trial.run_id for trial in SEEDS]
        assert [runs[t.run_id].record for t in SEEDS] == [row["record"] for row in json.loads(json.dumps(alone))]
        for trial in SEEDS:
            start = EPOCH + trial.number * TRIAL_LENGTH_S
            found = reader.samples(["MT-306", "RUN.STATE"], start, start + 86_400.0, 100_000)
            assert {sample.value for sample in found["RUN.STATE"]} >= {"Running", "Complete"}
            assert any(sample.is_good for sample in found["MT-306"])


def test_another_campaign_is_refused_its_folder(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds another campaign"):
        list(rows_of(numbered([replace(SHORT, seed=9)]), out=study))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="not empty"):
        list(rows_of(numbered([SHORT]), out=tmp_path / "full"))
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["letter.txt"], "nothing is left behind"
    (tmp_path / PLAN).write_text('{"campaign": "ab')
    with pytest.raises(ConfigError, match="cannot be read"):
        next(rows_of(numbered([SHORT]), out=tmp_path))


def test_a_folder_belongs_to_one_campaign_at_a_time(tmp_path: Path) -> None:
    held, _ = lock_file(tmp_path / LOCK)
    assert held is not None
    try:
        with pytest.raises(LineBusy, match="another process records into"):
            next(rows_of(numbered([SHORT]), out=tmp_path))
    finally:
        os.close(held)
    assert [one.name for one in tmp_path.iterdir()] == [LOCK]


def test_a_worker_ends_with_its_campaign() -> None:
    """Even if that was killed: what it still had to do is run anew when the campaign goes on."""
    code = """
import multiprocessing, os, signal, sys, time
from linecontrol.twin.campaign import _end_with_parent
def work():
    _end_with_parent()
    print("at work", flush=True)
    time.sleep(600)
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work).start()
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as campaign:
        assert campaign.stdout is not None
        assert campaign.stdout.readline() == "at work\n"
        campaign.kill()
        assert campaign.stdout.read() == ""  # ends when nobody holds the pipe any more: the worker has gone, too


def test_the_hand_and_the_holder_take_the_moisture_loop_and_the_hand_moves_it() -> None:
    for policy, least_moves in (("hold", 0), ("manual", 1)):
        trial = replace(SHORT, policy=policy, values={**VALUES, "root_kg": 80.0})
        kept = run_trial(trial).kept
        assert kept is not None
        by_hand = [r for r in kept.commands if r.command.who == f"operator:{policy}" and r.ok]
        assert any(r.command.tag == "MIC-306.MODE" and r.command.value == 0 for r in by_hand)
        moves = [r for r in by_hand if r.command.tag == "MIC-306.OP"]
        assert (len(moves) >= least_moves) if least_moves else not moves


def test_a_long_hold_does_not_keep_a_run_from_going_on() -> None:
    """While the line is held no powder passes the moisture meter; that must not bar moisture control for ever."""
    values = {**SHORT.values, "root_kg": 95.0, "feed_pct": 20.0}  # fed until after moisture control is on
    trial = replace(SHORT, values=values, faults=("exception:grinding@1110+60",), watched=True)
    outcome = run_trial(trial)
    kept = outcome.kept
    assert kept is not None
    held = [event.text for event in kept.events if event.kind == "run.held"]
    assert any("stayed bad" in text for text in held), held
    modes = [r for r in kept.commands if r.command.tag == "MIC-306.MODE" and r.command.value == 1]
    assert len(modes) >= 2, "moisture control is put in automatic again after the hold"
    assert all(receipt.ok for receipt in modes)
    assert outcome.record["state"] == "Complete", outcome.record["reason"]
    assert outcome.record["lot"] == f"seed{trial.seed}"
    assert outcome.breaches == ()


def test_a_fault_that_lasts_is_told_once_not_every_second() -> None:
    trial = replace(SHORT, faults=("exception:grinding@200+60",))
    kept = run_trial(trial).kept
    assert kept is not None
    assert sum(event.kind == "plc.refused" for event in kept.events) <= 3
    failed = [event for event in kept.events if event.kind == "command.failed"]
    assert len(failed) == len({(event.source, event.text) for event in failed})


# -- the invariants can fail


def watched(trial: Trial, plant: Plant | None = None) -> set[str]:
    """The rules breached first, or none in the whole run: what comes after a breach proves no more."""

    async def main() -> set[str]:
        twin = Twin(replace(trial, watched=True), plant)
        watchman = twin.watchman
        assert watchman is not None
        passing = asyncio.create_task(twin.pass_time())
        try:
            async with twin.line as line:
                await line.ready()
                await line.runs.start(trial.recipe, trial.values, who="operator:auto", run_id=trial.run_id)
                while not watchman.breaches and line.runs.state not in ENDED and not passing.done():
                    await line.clock.sleep(1.0)
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
        return {breach.rule for breach in watchman.breaches}

    return run_virtual(main())


def test_a_quiet_run_breaches_nothing(outcome: Outcome) -> None:
    assert outcome.breaches == ()


def test_a_plant_that_loses_starch_is_noticed() -> None:
    class Leaky(Plant):
        def step(self, dt_s: float) -> None:
            super().step(dt_s)
            self.milk_tank.milk[0] *= 0.999

    assert "ledgers close" in watched(SHORT, Leaky(seed=1))


def test_a_gate_that_does_not_turn_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from linecontrol.guard.divert import DivertGuard, Verdict

    monkeypatch.setattr(DivertGuard, "tick", lambda self, *_looks: Verdict(self.settings.good, {}))
    assert "no suspect powder in a good bag" in watched(replace(SHORT, faults=("nan:drying:MT-306@1000+300",)))


def test_outputs_that_stay_on_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from linecontrol.line.assembly import Line

    async def nothing(self: Line, *_wishes: object) -> None:
        del self

    monkeypatch.setattr(Line, "drive", nothing)
    trial = replace(SHORT, faults=("nan:grinding:DT-204@450+60",))
    assert "safe outputs in safe states" in watched(trial)


def test_a_link_that_lies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from linecontrol.core.link import Reading
    from linecontrol.twin.link import TwinLink

    honest = TwinLink.read

    async def lying(self: TwinLink, names: Any = None) -> dict[str, Reading]:
        found = await honest(self, names)
        return {name: r._replace(value=r.value + 7) if name == "FT-104" and r.value else r for name, r in found.items()}

    monkeypatch.setattr(TwinLink, "read", lying)
    assert watched(SHORT) == {"no wrong value GOOD"}


# -- the summary


def test_parameters_that_cannot_be_worked_out_together_are_told_of_their_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_trial: Trial) -> Outcome:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(campaign, "run_trial", fails)
    [row] = rows_of(numbered([replace(SHORT, plant={"rasp.size_um": 20.0})]))
    assert row["trial"]["plant"] == {"rasp.size_um": 20.0}
    assert "cannot be worked out together: division by zero" in row["error"]
    assert summary([row])[0]["measures"]["powder_kg"]["mean"] is None
    with pytest.raises(ZeroDivisionError):  # what is wrong with the program is not
        list(rows_of(numbered([SHORT])))


def test_means_and_their_intervals() -> None:
    found = mean_of([1.0, 2.0, 3.0, None, float("nan")])
    assert found.n == 3
    assert found.mean == pytest.approx(2.0)
    assert found.half == pytest.approx(4.303 / 3**0.5, rel=1e-3)  # t(0.975, 2) of any table
    assert mean_of([5.0]).half is None
    assert mean_of([]).mean is None


def test_a_summary_puts_policies_side_by_side(outcome: Outcome, alone: Rows) -> None:
    row = alone[0]
    other = {**row, "trial": {**row["trial"], "policy": "hold"}}
    found = summary([row, other, {"trial": row["trial"], "error": "x"}, row])
    assert [(group["policy"], group["trials"], group["complete"], group["errors"]) for group in found] == [
        ("auto", 3, 2, 1),
        ("hold", 1, 1, 0),
    ]
    measured = found[0]["measures"]["extraction_yield"]
    assert measured["mean"] == pytest.approx(100 * outcome.record["extraction_yield"])
    assert measured["half_95"] == pytest.approx(0.0)
