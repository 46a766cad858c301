"""What researchers ask over the API, and the client that brings it into a notebook."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from line_rig import console, demo_at, driven, simulator
from made_history import MadeRun, make_history

import linecontrol.api.app  # noqa: F401 - before scans begin
from linecontrol.cli.serving import serving
from linecontrol.client import Client, Refused

DRAW = np.random.default_rng(4)
RUNS = [
    MadeRun(
        i,
        ("kudzu-lobata-standard", "kudzu-lobata-less-water")[i % 2],
        88.0 - 0.9 * (i % 2) + float(DRAW.uniform(-0.3, 0.3)),
        f"L{i // 2}",
        wobble=0.7 if i == 11 else 0.0,
        values={"root_kg": 60.0, "sieve_water_pct": (21.0, 18.5)[i % 2]},
    )
    for i in range(12)
]


@pytest.mark.timeout(300)
async def test_the_client_asks_a_served_line_what_a_researcher_wants_to_know(tmp_path: Path) -> None:
    await make_history(tmp_path, RUNS, every_s=30.0)
    async with (
        simulator(30.0) as sim,
        driven(demo_at(sim.endpoints), tmp_path, 30.0) as line,
        serving(line, "127.0.0.1", 0) as there,
    ):
        token = console(tmp_path)["Authorization"].removeprefix("Bearer ")
        await asyncio.to_thread(asked, there.url, token, tmp_path)
        async with httpx.AsyncClient(base_url=there.url, trust_env=False) as nobody:
            for path in ("/compare", "/compare/overlay", "/export", "/runs/run-000/report"):
                assert (await nobody.get(path)).status_code == 401


def asked(url: str, token: str, folder: Path) -> None:
    with Client(url, token) as line:
        runs = line.runs("yield > 87.5")
        assert set(runs.index) == {f"run-{i:03d}" for i in range(0, 12, 2)}
        assert runs.attrs["units"]["energy"] == "kWh/kg"
        assert len(line.get("/runs", where='lot == "L2"')) == 2

        [row] = line.compare("recipe").to_dict("records")
        assert row["is_found"]
        assert row["method"] == "lots"
        assert 0.5 < row["difference"] < 1.5

        wide = line.wide("run-003", ["MT-306", "drying.inlet_air_temp"], 60.0)
        assert list(wide.columns) == ["MT-306", "TT-303"]
        assert wide.attrs["units"]["TT-303"] == "°C"
        assert wide["TT-303"].iloc[-1] == pytest.approx(68.0)
        assert set(line.events("run-003")["kind"]) == {"run.phase"}

        laid = line.overlay("run-011", "MT-306", "phase", golden=[f"run-{i:03d}" for i in range(6)])
        assert {"run-011", "low", "high"} <= set(laid.columns)
        worst = laid.attrs["deviations"][0]
        assert (worst["run_id"], worst["phase"]) == ("run-011", "drying")

        assert line.control_charts("yield")["charts"]["CUSUM"]["kind"] == "CUSUM"
        assert line.power("1%", paired=True)["needed"]["each"] < 10
        assert line.surface("yield")["surface"]["factors"].keys() == {"sieve_water_pct"}
        assert line.report("run-001", folder / "r.html", "zh").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        assert line.record("run-001")["lot"] == "L0"

        for path, params, says in (
            ("/compare", {"by": "weather"}, "not grouped"),
            ("/runs", {"where": "yeld > 3"}, "not understood"),
            ("/export", {}, "no runs are named"),
            ("/compare/overlay", {"run": ["run-999"]}, "no run"),
            ("/compare/surface", {"instead_of": ["x"]}, "no setting"),
        ):
            with pytest.raises(Refused, match=says) as caught:
                line.get(path, **params)
            assert caught.value.status == 422


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from linecontrol.analysis.needs import needed
    from linecontrol.core.errors import ConfigError

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"linecontrol\[research\]"):
        needed("pyarrow", "Parquet")
