"""The page Compare and the exports of a batch record, as a researcher uses them, on answers that the analysis gives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import httpx
import numpy as np
import pytest
from made_history import MadeRun
from nicegui import ui
from nicegui.testing import User, user_simulation

from linecontrol.analysis.attribution import Attribution, Step
from linecontrol.analysis.charts import charts_of
from linecontrol.analysis.compare import compare_records, side_by_side
from linecontrol.analysis.experiment import analyse
from linecontrol.analysis.flows import Flow
from linecontrol.analysis.overlay.answer import laid
from linecontrol.analysis.overlay.trace import Phase, RunTraces, Trace
from linecontrol.analysis.reconcile import Quantity
from linecontrol.analysis.runs_needed import power_answer
from linecontrol.analysis.where import parse_where
from linecontrol.core.errors import ConfigError
from linecontrol.core.model import Text
from linecontrol.hmi.app import root
from linecontrol.hmi.client import Api
from linecontrol.hmi.display import Display
from linecontrol.hmi.pages.compare_groups import BY

DRAW = np.random.default_rng(1)
RUNS = [
    MadeRun(i, ("standard", "fine")[i % 2], 88.0 - 0.8 * (i % 2) + float(DRAW.normal(0, 0.1)), f"L{i // 2}")
    for i in range(12)
]
RECORDS = [run.record() for run in RUNS]


def traces(run: MadeRun) -> RunTraces:
    t = np.arange(0.0, run.length_s, 30.0)
    values = 12.8 + 0.05 * np.random.default_rng(run.number).normal(size=len(t)) + (1.0 if run.number == 11 else 0.0)
    warming, drying = Text("Warm-up", "升温"), Text("Drying", "干燥")
    phases = (
        Phase("drying", "warm-up", 0.0, 300.0, warming),
        Phase("drying", "drying", 300.0, run.length_s, drying),
    )
    return RunTraces(run.run_id, run.length_s, {"MT-306": Trace(t, values, "% wb", "drying")}, phases)


FLOWS = [Flow("roots", "", "wet end", 54.0), Flow("pulp", "wet end", "", 3.0), Flow("cake", "wet end", "", 51.0)]
WHY = Attribution(
    Quantity(50.0, 0.2),
    Quantity(48.5, 0.2),
    Quantity(-1.5, 0.2),
    (Step("liberation", Quantity(-2.0, 0.3), 0.97, 0.93), Step("unaccounted", Quantity(0.5, 0.3), 1.0, 1.01)),
    ("diverted",),
)


FORMULA = {"rasp_rpm": {"title": {"en": "Rasp speed", "zh": "锉磨机转速"}, "unit": "rpm"}}
EXPERIMENT = [
    {
        "run_id": f"x{i}",
        "lot": "",
        "values": {"rasp_rpm": rpm, "water": water},
        "extraction_yield": 0.8 + 0.02 * (rpm - 1500.0) / 100.0 + 0.0002 * (-1) ** i,
    }
    for i, (rpm, water) in enumerate([(r, w) for r in (1400.0, 1500.0, 1600.0) for w in (19.0, 21.0, 23.0)] * 2)
]


class Answers:
    """An API that answers a researcher; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.language, self.records = "en", RECORDS

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params: dict[str, list[str]] = {}
        for name, value in request.url.params.multi_items():
            params.setdefault(name, []).append(value)
        self.asked.append((request.url.path, params))
        try:
            return httpx.Response(200, content=self._content(request.url.path, params))
        except ConfigError as error:
            return httpx.Response(422, json={"detail": str(error)})

    def _content(self, path: str, params: dict[str, list[str]]) -> bytes:
        first = {name: values[0] for name, values in params.items()}
        if path in ("/export", "/runs/run-003/report"):
            return b"run_id,yield\r\n"
        return json.dumps(self._answer(path, params, first), default=str).encode()

    def _answer(self, path: str, params: dict[str, list[str]], first: dict[str, str]) -> Any:
        if path == "/session":
            return {"user": "chen", "role": "researcher", "rights": ["view"], "language": self.language, "token": "t"}
        if path == "/runs":
            where = parse_where(first["where"]) if first.get("where") else None
            return [row for row in self.records if where is None or where.holds(row)]
        if path == "/compare" and "by" in params:
            found = compare_records(self.records, first["by"], params["metric"])
            return {"runs": [], "by": first["by"], "compared": [one.to_dict() for one in found]}
        if path == "/compare":
            chosen = [row for row in RECORDS if row["run_id"] in params["run"]]
            return {"runs": chosen, "figures": side_by_side(chosen)}
        if path == "/compare/overlay":
            names = {*params.get("run", []), *params.get("golden", [])}
            return laid([traces(r) for r in RUNS if r.run_id in names], first["align"], params.get("golden", []), 60)  # type: ignore[arg-type]
        if path == "/compare/control-charts":
            return [charts_of(RECORDS, name) for name in params["metric"]]
        if path == "/compare/power":
            return power_answer(first["see"], 0.5, 88.0, first["metric"], paired=first["paired"] == "true", sd_df=10)
        if path == "/compare/surface":
            return analyse(EXPERIMENT, first["metric"], goal=first["goal"], model=first["model"]).to_dict()  # type: ignore[arg-type]
        if path == "/recipes":
            return [{"name": "standard", "title": {"en": "Standard", "zh": "标准"}, "formula": FORMULA}]
        if path == "/runs/run-003":
            return RECORDS[3]
        if path == "/runs/run-000/flows":
            flows = [asdict(flow) | {"title": {"en": flow.stream, "zh": flow.stream}} for flow in FLOWS]
            return [{"quantity": "starch", "flows": flows}]
        if path == "/runs/run-000":
            figures = dict.fromkeys(("reconciled", "low_95", "high_95"), 0.88)
            suspects = {"found": True, "suspects": [{"names": ["drain"]}]}
            return {f"extraction_yield_{k}": v for k, v in figures.items()} | {"balance": {"gross_error": suspects}}
        if path == "/runs/run-001/attribution/run-000":
            return WHY.to_dict()
        return {} if path.startswith("/recipes/") else []


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def user(answers: Answers) -> AsyncIterator[User]:
    display = Display(Api("http://api"))
    await display.api.close()
    display.api._http = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(answers))
    async with user_simulation(root=lambda: root(display)) as found:
        yield found
    await display.api.close()


def box(user: User, run: str, what: str) -> Any:
    return next(
        e for e in user.find(ui.checkbox).elements if e.props.get("data-run") == run and e.props["data-what"] == what
    )


async def test_runs_are_chosen_and_laid_over_the_golden_band(user: User, answers: Answers) -> None:
    await user.open("/compare")
    await user.should_see("Choose runs to draw")
    await user.should_see("L3")
    user.find(kind=ui.button, content="Compare").click()
    await user.should_see("Choose at least one run.")
    for number in range(4):
        box(user, f"run-{number:03d}", "golden").set_value(True)
    box(user, "run-011", "draw").set_value(True)
    user.find(kind=ui.button, content="Compare").click()
    await user.should_see("How far from the golden band")
    asked = next(params for path, params in answers.asked if path == "/compare/overlay")
    assert asked["run"] == ["run-011"]
    assert asked["golden"] == [f"run-{n:03d}" for n in range(4)]
    assert asked["align"] == ["phase"]
    await user.should_see("whole run")
    [chart] = user.find(ui.echart).elements
    names = [row.get("name") for row in chart.options["series"]]
    assert names == ["run-011", None, "Golden band, 95 %"]
    await user.should_see("Side by side")
    await user.should_see("Warm-up")  # as the recipe calls the phase, not by its name


async def test_runs_are_found_by_a_condition_and_a_wrong_one_is_told(user: User, answers: Answers) -> None:
    await user.open("/compare/overlay")
    await user.should_see("L0")
    user.find("Which runs").type('lot == "L5"')
    user.find(kind=ui.button, content="Find").click()
    await user.should_not_see("L0")
    await user.should_see("L5")
    user.find("Which runs").clear().type("yeld > 3")
    user.find(kind=ui.button, content="Find").click()
    await user.should_see("'yeld' is not understood")


async def test_groups_are_compared_with_their_lots(user: User) -> None:
    await user.open("/compare/groups")
    user.find(kind=ui.button, content="Compare").click()
    await user.should_see("standard less fine")
    await user.should_see("different")
    await user.should_see("Compared within 6 lots")


@pytest.mark.parametrize(
    ("language", "ask", "find", "words"),
    [
        ("en", "Compare", "Find", ("by hand less own loop", "own loop", "by hand")),
        ("zh", "比较", "查找", ("人工 减 自动回路", "自动回路", "人工")),
    ],
)
async def test_runs_of_the_twin_are_grouped_and_found_by_who_kept_the_moisture(
    user: User, answers: Answers, language: str, ask: str, find: str, words: tuple[str, ...]
) -> None:
    answers.language = language
    answers.records = [
        row | {"policy": ("auto", "manual")[i // 6], "line_type": "mechanised"} for i, row in enumerate(RECORDS)
    ]
    await user.open("/compare/groups")
    by = next(e for e in user.find(ui.select).elements if "policy" in e.options)
    assert set(by.options) == set(BY)
    by.set_value("policy")
    user.find(kind=ui.button, content=ask).click()
    for text in words:
        await user.should_see(text)
    assert dict(answers.asked)["/compare"]["by"] == ["policy"]
    await user.open("/compare")
    user.find(kind=ui.input).type('policy == "manual"')
    user.find(kind=ui.button, content=find).click()
    await user.should_see("L4")
    await user.should_not_see("L1")


async def test_control_charts_of_three_figures(user: User) -> None:
    records = RECORDS[:]
    for i, row in enumerate(records):  # energy and moisture that differ at all
        row["energy_kwh"] = 11.0 + 0.1 * (i % 3)
        row["moisture_mean_pct_wb"] = 12.8 + (1.0 if i == 9 else 0.02 * (i % 4))
    await user.open("/compare/charts")
    user.find(kind=ui.button, content="Compare").click()
    await user.should_see("12 runs, centre")
    assert len(user.find(ui.echart).elements) == 12
    await user.should_see("beyond 3 sigma")


async def test_where_the_starch_of_a_run_went(user: User) -> None:
    await user.open("/compare/balance")
    await user.should_see("Measurements that do not fit")
    await user.should_see("drain")
    [chart] = user.find(ui.echart).elements
    [series] = chart.options["baseOption"]["series"]
    assert [(link["target"], link["value"]) for link in series["links"]] == [
        ("wet end", 54.0),
        ("pulp", 3.0),
        ("cake", 51.0),
    ]
    assert [node["name"] for node in series["data"]] == ["roots ", "wet end", "pulp", "cake"]


async def test_why_one_run_made_less_than_another(user: User) -> None:
    await user.open("/compare/why")
    await user.should_see("Good powder: −1.50 ± 0.20 kg")
    await user.should_see("Liberation by the rasp")
    await user.should_see("Steps that one run does not know: 1")
    [chart] = user.find(ui.echart).elements
    base, bars, intervals = (row["data"] for row in chart.options["series"])
    tops = [low + bar["value"] for low, bar in zip(base, bars, strict=True)]
    assert tops == pytest.approx([50.0, 50.0, 48.5, 48.5])  # down by two from the first, up by a half to the last
    assert base[1:3] == [48.0, 48.0]
    assert intervals[0] == pytest.approx([1, 50.0 - 2.588, 50.0 - 1.412], abs=1e-3)


async def test_how_many_runs_it_takes_to_see_a_difference(user: User, answers: Answers) -> None:
    await user.open("/compare/power")
    [size] = user.find(ui.number).elements
    size.set_value(0.5)
    user.find(kind=ui.button, content="Work out").click()
    await user.should_see("22 runs of each way")
    await user.should_see("0.440 points (0.50 %)")
    await user.should_see("What so many runs show")
    asked = dict(answers.asked)["/compare/power"]
    assert (asked["see"], asked["paired"], asked["power"]) == (["0.5%"], ["false"], ["0.8"])
    size.set_value(None)
    user.find(kind=ui.button, content="Work out").click()
    await user.should_see("is no difference")


async def test_an_experiment_tells_what_to_try_next(user: User) -> None:
    await user.open("/compare/surface")
    user.find(kind=ui.button, content="Work out").click()
    await user.should_see("A better setting to try")
    await user.should_see("Rasp speed, rpm")  # as the recipe calls it
    await user.should_see("The proposal lies at the end of what was tried: Rasp speed")
    await user.should_see("not told from chance")
    [chart] = user.find(ui.echart).elements
    cells, tried, proposed = (row["data"] for row in chart.options["series"])
    assert len(cells) == 25 * 25
    assert len(tried) == 9
    assert proposed[0][0] == pytest.approx(1600.0)
    best = max(cells, key=lambda cell: cell[2])
    assert best[0] == pytest.approx(1600.0)
    assert best[2] == pytest.approx(82.0, abs=0.1)


async def test_a_record_is_taken_along(user: User, answers: Answers) -> None:
    await user.open("/runs/run-003")
    await user.should_see("Take it along")
    user.find(kind=ui.button, content="Record, CSV").click()
    found = await user.download.next()
    assert found.content.startswith(b"run_id")
    user.find(kind=ui.button, content="Report, PDF").click()
    await user.download.next()
    asked = dict(answers.asked)
    assert asked["/export"] == {"what": ["runs"], "format": ["csv"], "run": ["run-003"]}
    assert asked["/runs/run-003/report"] == {"lang": ["en"], "format": ["pdf"]}
