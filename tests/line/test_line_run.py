"""The main job, over the wires: a whole run on the simulated line, and its record against the plant's own ledger."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from line_rig import demo_at, driven, simulator, started, until

from linecontrol.cli.pace import paced
from linecontrol.twin.trial import Trial, run_trial

ROOT_KG = 200.0
"""Of less, what begins and ends a run weighs too much in its water and energy to be compared with the twin's."""


@pytest.mark.timeout(300)
def test_demo_takes_roots_to_powder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "linecontrol", "demo", "--set", f"root_kg={ROOT_KG:g}", "--json"]
    command += ["--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    assert record["state"] == "Complete"
    assert 0.5 < record["extraction_yield"] < 0.95
    assert 0.0 < record["extraction_yield_u"] < 0.06
    assert record["reads"]["modbus"] >= 1000
    assert record["reads"]["opcua"] >= 1000
    assert abs(record["moisture_mean_pct_wb"] - record["values"]["moisture_sp"]) <= 0.5
    assert abs(record["root_kg"] - ROOT_KG) < 7.0
    assert len(done.stdout.splitlines()) == 1  # stdout is JSON and nothing else
    shown = subprocess.run(
        [sys.executable, "-m", "linecontrol", "show", "last", "--data", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(shown.stdout) == record  # what was printed is what was kept
    agrees_with_the_twin(record)
    assert not any(str(tmp_path) in line for line in _processes())


def agrees_with_the_twin(record: dict[str, Any]) -> None:
    """The same seed and recipe without wires; tolerances as docs/twin.md states them.

    Scans fall differently (2.4 s of line time apart here, 1 s in the twin), so noise and control differ, not the lot.
    """
    twin = run_trial(Trial("kudzu-lobata-standard", seed=1, values={"root_kg": ROOT_KG})).record
    assert twin["state"] == "Complete"
    assert abs(twin["root_kg"] - record["root_kg"]) <= 3.0
    assert twin["root_starch_kg"] == pytest.approx(record["root_starch_kg"], rel=0.02)
    made = {name: r["powder_kg"] + r["diverted_kg"] for name, r in (("twin", twin), ("wire", record))}
    assert made["twin"] == pytest.approx(made["wire"], rel=0.02)
    assert abs(twin["extraction_yield"] - record["extraction_yield"]) <= 0.05
    assert abs(twin["moisture_mean_pct_wb"] - record["moisture_mean_pct_wb"]) <= 0.25
    assert abs(twin["moisture_sd_pct_wb"] - record["moisture_sd_pct_wb"]) <= 0.3
    assert twin["water_m3"] == pytest.approx(record["water_m3"], rel=0.05)
    assert twin["energy_kwh"] == pytest.approx(record["energy_kwh"], rel=0.05)


def _processes() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found


@pytest.mark.timeout(300)
async def test_record_agrees_with_the_ledger_and_powder_with_the_guard(tmp_path: Path) -> None:
    truth_file = tmp_path / "truth.json"
    async with simulator(120.0, ["--truth", str(truth_file), "--paced"]) as sim:
        async with (
            driven(demo_at(sim.endpoints), tmp_path, 120.0) as line,
            paced(sim.process, line.clock, line.stations.values(), print),
        ):
            run_id = await started(line, "kudzu-lobata-standard", {"root_kg": 100}, "operator:test")
            await asyncio.wait_for(line.runs.finished(run_id), 200)
            record = line.runs.current_record()
            assert record["state"] == "Complete", record["reason"]
            await until(truth_file.exists)
            mark = truth_file.stat().st_mtime_ns
            await until(lambda: truth_file.stat().st_mtime_ns > mark)
            truth = json.loads(truth_file.read_text())
            counters = line.historian.counters
            assert counters.adds_up
            assert counters.dropped == counters.quarantined == 0
        for station in line.stations.values():  # (a late answer is a matter of the computer; a wrong one is not)
            spoken = station.link.counters
            assert spoken.exceptions == spoken.bad_frames == spoken.lost == 0
            assert spoken.requests - spoken.answers <= spoken.timeouts + 1  # the last may be under way
    found, spread = record["extraction_yield"], record["extraction_yield_u"]
    assert abs(found - truth["extraction_yield"]) <= 3.0 * spread, (found, spread, truth["extraction_yield"])
    assert abs(record["root_kg"] - truth["root_fed_kg"]) < 0.02 * truth["root_fed_kg"]
    assert abs(record["powder_kg"] - truth["good_kg"]) < 0.02 * truth["good_kg"] + 0.2
    assert abs(record["moisture_mean_pct_wb"] - truth["good_moisture_pct_wb"]) < 0.8
    assert truth["good_moisture_pct_wb"] < 14.0
    print(record["extraction_yield"], truth["extraction_yield"], record["powder_kg"], truth["good_kg"])
