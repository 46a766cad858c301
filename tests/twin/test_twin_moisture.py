"""The moisture strategies on the twin: closer than the PID, and safe with a meter that is lost or stuck."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from short_run import VALUES

from linecontrol.config import read_line, shipped_dir
from linecontrol.core.model import Event
from linecontrol.history import open_reader
from linecontrol.line.acceptance import acceptance_path
from linecontrol.line.check import check_paths
from linecontrol.line.moisture_model import commissioned
from linecontrol.line.moisture_record import moisture_loop, run_columns
from linecontrol.twin.campaign import rows_of
from linecontrol.twin.trial import EPOCH, Outcome, Trial, run_trial

QUICK = {**VALUES, "centrifuge_runout_s": 420.0}  # dries from about 900 s; moisture control from 970 s
RUN = Trial("kudzu-lobata-standard", seed=1, values={**QUICK, "root_kg": 200.0}, watched=True, every_s=5.0)
LOST_S = 1150.0


def told(outcome: Outcome, kind: str) -> list[Event]:
    assert outcome.kept is not None
    return [event for event in outcome.kept.events if event.kind == kind]


def series(outcome: Outcome, tag: str) -> list[tuple[float, float]]:
    assert outcome.kept is not None
    return [(s.time - EPOCH, s.samples[tag].number) for s in outcome.kept.scans if tag in s.samples]


def with_mode(folder: Path, mode: str) -> str:
    """The demo line with another strategy at the start."""
    text = (shipped_dir() / "lines" / "demo.yaml").read_text(encoding="utf-8")
    assert "mode: predictive" in text
    path = folder / "line.yaml"
    path.write_text(text.replace("mode: predictive", f"mode: {mode}"), encoding="utf-8")
    shutil.copy(acceptance_path(read_line("demo")), folder / "line.accepted.json")
    return str(path)


def test_the_model_holds_the_moisture_closer_than_the_pid_for_less_movement(tmp_path: Path) -> None:
    model, pid = run_trial(RUN), run_trial(replace(RUN, line=with_mode(tmp_path, "pid")))
    for outcome in (model, pid):
        assert outcome.record["state"] == "Complete"
        assert outcome.breaches == ()
        assert outcome.truth["wet_in_good_kg"] == 0.0
    assert model.truth["moisture_sd_pct_wb"] < 0.9 * pid.truth["moisture_sd_pct_wb"]
    moved = {name: max(v for _, v in series(o, "MIC-306.TRAVEL")) for name, o in (("model", model), ("pid", pid))}
    assert 0.0 < moved["model"] < 0.5 * 3600.0


@pytest.mark.parametrize("fault", ["nan", "stuck"])
def test_a_lost_or_stuck_meter_is_bridged_diverted_and_then_held(fault: str) -> None:
    trial = replace(RUN, values={**QUICK, "root_kg": 150.0}, faults=(f"{fault}:drying:MT-306@{LOST_S:.0f}+420",))
    outcome = run_trial(trial)
    assert outcome.breaches == ()
    diverted = told(outcome, "guard.divert")
    assert any(event.active and 0 <= event.time - EPOCH - LOST_S < 30 for event in diverted)
    bridge = told(outcome, "moisture.bridge")
    begun, ended = (next(e.time - EPOCH for e in bridge if e.active is flag) for flag in (True, False))
    assert 0 <= begun - LOST_S < 30
    assert ended - begun <= 302
    held = told(outcome, "run.held")
    assert "measurement stayed bad" in held[0].text
    assert 320 < held[0].time - EPOCH - begun < 345
    if fault == "stuck":
        assert any(event.active for event in told(outcome, "moisture.nir-stuck"))


def test_a_short_loss_costs_no_run() -> None:
    trial = replace(RUN, values={**QUICK, "root_kg": 100.0}, faults=(f"nan:drying:MT-306@{LOST_S:.0f}+120",))
    outcome = run_trial(trial)
    assert (outcome.record["state"], outcome.breaches) == ("Complete", ())
    assert told(outcome, "run.held") == []
    assert [event.active for event in told(outcome, "moisture.bridge")] == [True, False]


def test_a_dryer_is_commissioned_from_the_history_of_a_step_test(tmp_path: Path) -> None:
    trial = Trial("kudzu-lobata-standard", seed=4, values={**QUICK, "root_kg": 400.0}, policy="test", every_s=5.0)
    list(rows_of([trial], out=tmp_path / "record"))
    config = read_line("demo")
    with open_reader(f"sqlite:///{tmp_path / 'record' / 'history.sqlite3'}") as reader:
        columns = run_columns(reader, config, trial.run_id)
    assert {"time_s", "inlet_sp_c", "moisture_pct_wb", "feed_kg_h", "cake_pct_wb"} <= columns.keys()
    assert max(columns["inlet_sp_c"]) - min(columns["inlet_sp_c"]) >= 11.0
    content, found = commissioned(columns, moisture_loop(config)[0], "a test")
    gain = next(row for row in found["effects"] if (row["of"], row["on"]) == ("inlet air", "moisture"))
    assert gain["low_95"] < gain["gain"] < gain["high_95"] < 0.0
    assert -0.25 < gain["gain"] < -0.05
    assert content["made_from"] == "a test"


def test_a_model_that_cannot_be_read_is_an_alarm_and_the_loop_a_pid(tmp_path: Path) -> None:
    line = with_mode(tmp_path, "predictive")
    (tmp_path / "demo.moisture.json").write_text('{"format": 0}', encoding="utf-8")
    outcome = run_trial(replace(RUN, line=line, values=VALUES))
    assert (outcome.record["state"], outcome.breaches) == ("Complete", ())
    assert "cannot be used" in told(outcome, "moisture.model")[0].text
    (problem,) = check_paths([tmp_path / "line.yaml"])[0]
    assert (problem.key, "moisture commission" in problem.accepted) == ("loops[MIC-306].moisture.model", True)
