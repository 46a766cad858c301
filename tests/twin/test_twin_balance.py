"""Balances of whole runs on the twin, held against the plant's own books; what people see of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from typer.testing import CliRunner

from linecontrol.api.problems import install
from linecontrol.api.versions import version_routes
from linecontrol.cli.commands import app
from linecontrol.config import read_line
from linecontrol.history import Historian
from linecontrol.line.build import line_tags
from linecontrol.twin.trial import Outcome, Trial, run_trial
from simulator import material as m
from simulator.plant import Plant

SHORT = Trial("kudzu-lobata-standard", values={"root_kg": 60.0, "start_level": 5.0, "feed_pct": 40.0})
FAR = 4.0  # standard uncertainties that a reconciled stream may be off; one in 16,000


@dataclass
class Watched:
    """A run with the laboratory's values, and the plant it was made on."""

    outcome: Outcome
    plant: Plant


@pytest.fixture(scope="module", params=[3])
def watched(request: pytest.FixtureRequest) -> Watched:
    plant = Plant(seed=request.param)
    trial = Trial(SHORT.recipe, seed=request.param, values=SHORT.values, has_laboratory=True)
    return Watched(run_trial(trial, plant), plant)


def test_the_streams_are_those_of_the_books(watched: Watched) -> None:
    exits, fed = watched.plant.books.exits, watched.plant.hopper.fed
    good, drain, pulp = exits["good"], exits["wet_drain"], exits["pulp"]
    true = {
        "roots": m.mass_kg(fed),
        "roots.starch": m.starch_kg(fed) / m.mass_kg(fed),
        "roots.soil": fed[m.SOIL] / m.mass_kg(fed),
        "soil_removed": exits["wash_drain"][m.SOIL],
        "wash_drain": m.mass_kg(exits["wash_drain"]),
        "pulp": m.mass_kg(pulp),
        "pulp.bound": pulp[m.BOUND] / m.mass_kg(pulp),
        "pulp.free": pulp[m.FREE] / m.mass_kg(pulp),
        "drain": m.mass_kg(drain),
        "drain.starch": m.starch_kg(drain) / m.mass_kg(drain),
        "good": m.mass_kg(good),
        "good.water": good[m.WATER] / m.mass_kg(good),
        "good.purity": m.starch_kg(good) / m.dry_kg(good),
        "evaporated": watched.plant.dryer.evaporated_kg,
    }
    streams = watched.outcome.record["balance"]["streams"]
    off = {name: (streams[name]["reconciled"] - value) / streams[name]["u_reconciled"] for name, value in true.items()}
    assert {name: round(z, 1) for name, z in off.items() if abs(z) > FAR} == {}


def test_the_yields_interval_holds_the_books_and_narrows_with_the_laboratory(watched: Watched) -> None:
    record, kept = watched.outcome.record, watched.outcome.kept
    assert kept is not None
    assert kept.run is not None
    first, true = kept.versions[0].record, watched.outcome.truth["extraction_yield"]
    assert [row.version for row in kept.versions] == list(range(1, record["version"] + 1))
    assert record["version"] == 8, "as the run ended, and seven sample points"
    assert kept.run.record == record
    for one in (first, record):
        assert abs(one["extraction_yield_reconciled"] - true) < 3.0 * one["extraction_yield_reconciled_u"]
        assert not one["balance"]["gross_error"]["found"], one["balance"]["statement"]
    assert first["extraction_yield_reconciled_u"] < record["extraction_yield_u"]
    assert record["extraction_yield_reconciled_u"] < 0.6 * first["extraction_yield_reconciled_u"]


def test_energy_is_that_of_the_plant(watched: Watched) -> None:
    record, truth = watched.outcome.record, watched.outcome.truth
    used = record["energy_by_carrier_kwh"]
    assert used["fuel"] == pytest.approx(truth["fuel_kwh"], rel=0.04)
    assert used["electricity"] == pytest.approx(truth["electricity_kwh"], rel=0.08)
    assert record["energy_kwh_per_kg"] == pytest.approx(sum(used.values()) / record["powder_kg"], rel=1e-3)
    assert record["currency"] == "CNY"


@pytest.fixture(scope="module")
def study(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Two runs of one lot on record: the second with a slower rasp, which opens fewer cells."""
    values = {**SHORT.values, "rasp_rpm": 900.0}
    slow = run_trial(Trial(SHORT.recipe, number=1, seed=3, values=values, has_laboratory=True))
    folder = tmp_path_factory.mktemp("study")
    asyncio.run(_stored(folder, [watched.outcome, slow]))
    return folder, [watched.outcome.record, slow.record]


async def _stored(folder: Path, outcomes: list[Outcome]) -> None:
    tags = line_tags(read_line("demo"))
    history = Historian(f"sqlite:///{folder / 'history.sqlite3'}", folder / "spool", "demo", tags)
    await history.start()
    for outcome in outcomes:
        assert outcome.kept is not None
        await outcome.kept.store(history)
    await history.stop()


def asked(*words: str) -> str:
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_command_line_shows_versions_and_explains_a_slower_rasp(
    study: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    folder, (usual, slow) = study
    data = ("--data", str(folder))
    newest = json.loads(asked("show", usual["run_id"], *data, "--json"))
    assert newest == json.loads(json.dumps(usual))
    first = json.loads(asked("show", usual["run_id"], "--version", "1", *data, "--json"))
    assert first["version"] == 1
    assert first["balance"]["streams"]["pulp.bound"]["kind"] == "assumed"
    text = asked("show", usual["run_id"], *data)
    assert "reconciled" in text
    assert "8 ◀ shown" in text
    assert "kg CO₂/kg" in text
    assert CliRunner().invoke(app, ["show", usual["run_id"], "--version", "99", *data]).exit_code == 2
    assert "kWh/kg" in asked("runs", *data)

    chart = tmp_path / "fall.svg"
    told = json.loads(asked("attribute", usual["run_id"], slow["run_id"], "--plot", str(chart), *data, "--json"))
    parts = {step["name"]: step for step in told["steps"]}
    assert sum(step["kg"] for step in told["steps"]) == pytest.approx(told["difference"]["kg"], abs=1e-9)
    assert parts["liberation"]["high_95"] < 0.0, "fewer cells opened: seen beyond its uncertainty"
    assert min(parts.values(), key=lambda step: step["kg"])["name"] == "liberation"
    assert chart.read_text(encoding="utf-8").startswith("<?xml")
    assert "锉磨释放" in asked("attribute", usual["run_id"], slow["run_id"], *data)


class _Runs:
    """Stands for the line's runs."""

    def __init__(self, outcome: Outcome) -> None:
        assert outcome.kept is not None
        self._record, self._versions = outcome.record, outcome.kept.versions

    async def record(self, run_id: str) -> dict[str, Any] | None:
        old = {"run_id": "old", "state": "Complete"}
        return {self._record["run_id"]: self._record, "old": old}.get(run_id)

    async def versions(self, run_id: str) -> list[Any]:
        return [row for row in self._versions if row.run_id == run_id]


async def test_versions_and_attribution_over_the_api(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(work: Any, *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr("linecontrol.api.versions.aside", at_once)
    config = SimpleNamespace(line=SimpleNamespace(balance=None))
    api, line = FastAPI(), type("Line", (), {"runs": _Runs(watched.outcome), "config": config})()
    install(api)
    api.include_router(version_routes(line))
    run = watched.outcome.record["run_id"]
    async with AsyncClient(transport=ASGITransport(api), base_url="http://line") as client:
        rows = (await client.get(f"/runs/{run}/versions")).json()
        assert [row["version"] for row in rows] == list(range(1, 9))
        assert rows[0]["who"] == "controller"
        assert "PULP-BOUND" in " ".join(row["why"] for row in rows)
        assert (await client.get(f"/runs/{run}/versions/1")).json()["version"] == 1
        assert (await client.get(f"/runs/{run}/versions/99")).status_code == 404
        assert (await client.get("/runs/none/versions")).status_code == 404
        [starch] = [row for row in (await client.get(f"/runs/{run}/flows")).json() if row["quantity"] == "starch"]
        sizes = {row["stream"]: row["kg"] for row in starch["flows"]}
        assert sizes["roots"] == pytest.approx(sizes["pulp"] + sizes["drain"] + sizes["cake"], rel=1e-6)
        assert (await client.get("/runs/old/flows")).status_code == 409
        same = (await client.get(f"/runs/{run}/attribution/{run}")).json()
        assert same["difference"]["kg"] == 0.0
        assert same["steps"][0]["title"]["zh"] == "投料量"
        refused = await client.get(f"/runs/{run}/attribution/old")
        assert refused.status_code == 409
        assert "old has no balance" in refused.json()["detail"]
