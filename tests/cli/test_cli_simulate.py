"""`linecontrol simulate` as a person and a program use it; the rows of --validate: simulator/test_validation.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from linecontrol.cli import simulate as cli_simulate
from linecontrol.cli.commands import app
from linecontrol.cli.simulate import plan, read_seeds, replay
from linecontrol.config import check_paths
from linecontrol.core.errors import ConfigError
from linecontrol.twin import campaign
from linecontrol.twin.design import points, read_design
from linecontrol.twin.trial import Trial
from simulator.validation import Check, Kind, Row, Span

ASK = {
    "line": "demo",
    "seeds": (1,),
    "policies": ("auto",),
    "values": {},
    "plant": {},
    "faults": (),
    "vary": None,
    "every_s": 30.0,
}


SHORT = "root_kg=50 start_level=5 feed_pct=40 screen_runout_s=60 centrifuge_runout_s=180 warm_up_per_min=40 settle_s=60"
SET = tuple(word for value in SHORT.split() for word in ("--set", value))


def simulate(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *words])


@pytest.fixture(scope="module")
def two_runs() -> Result:
    return simulate(*SET, "--runs", "2", "--json")


def test_json_is_all_that_stdout_has_and_the_same_twice(two_runs: Result) -> None:
    assert two_runs.exit_code == 0, two_runs.stderr
    assert two_runs.stdout == simulate(*SET, "--runs", "2", "--json", "--jobs", "2").stdout
    found = json.loads(two_runs.stdout)
    assert [row["trial"]["seed"] for row in found["trials"]] == [1, 2]
    assert found["summary"][0]["measures"]["extraction_yield"]["n"] == 2


def test_a_table_for_people(two_runs: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column for each policy; the runs are those of above, one of them as if nobody had kept the moisture."""

    def made_before(trials: Sequence[Trial], *_: object) -> list[campaign.Row]:
        asked.extend(trial.policy for trial in trials)
        auto, other = json.loads(two_runs.stdout)["trials"]
        return [auto, {**other, "trial": {**other["trial"], "policy": "hold"}}]

    asked: list[str] = []
    monkeypatch.setattr(cli_simulate, "rows_of", made_before)
    done = simulate(*SET, "--policy", "auto", "--policy", "hold")
    assert done.exit_code == 0, done.stderr
    assert asked == ["auto", "hold"]
    for word in ("auto", "hold", "Extraction yield, true", "Bad bags", "Energy per kg"):
        assert word in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no-such-recipe",), "no-such-recipe"),
        (("--set", "root_kg=1"), "50 to 20000"),
        (("--policy", "lazy"), "auto, manual, hold"),
        (("--fault", "flood:drying"), "flood"),
        (("--plant", "rasp.colour=3"), "rasp.colour"),
        (("--seeds", "9..3"), "A..B"),
        (("--vary", "nowhere.yaml"), "nowhere.yaml"),
        (("--plant", "rasp.size_um=-5"), "20 to 2000 um"),
        (("--plant", "rasp.sise=160"), "rasp.size_um, rasp.reference_rpm"),
        (("--species", "turnip"), "--species: no species 'turnip' (accepted: lobata_cultivated"),
        (("--line-type", "craft"), "--line-type: no line type 'craft' (accepted: mechanised, manual)"),
        (("--seeds", "3..4", "--runs", "5"), "together with --seed or --runs"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(words: tuple[str, ...], told: str) -> None:
    done = simulate(*words)
    assert done.exit_code == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_seeds() -> None:
    assert list(read_seeds("3..5")) == [3, 4, 5]
    assert list(read_seeds(None, 7, 2)) == [7, 8]
    assert list(read_seeds(None)) == [1]


def test_a_dask_address_that_is_none_is_refused_with_a_sentence() -> None:
    done = simulate(*SET, "--dask", "nonsense")
    assert done.exit_code == 2
    assert "--dask: 'nonsense' is not an address (accepted: as tcp://scheduler:8786)" in done.stderr


def test_a_failing_seed_tells_the_command_that_shows_it_again() -> None:
    trial = plan(
        "kudzu-lobata-standard", **{**ASK, "seeds": (17,), "faults": ("random",), "values": {"root_kg": 60.0}}
    )[0]
    assert replay(trial) == (
        "linecontrol simulate kudzu-lobata-standard --seeds 17..17 --fault 'random' --set root_kg=60.0"
    )
    assert "--laboratory" in replay(replace(trial, has_laboratory=True))


DESIGN = {"kind": "design", "name": "d", "method": "grid", "recipe": {"moisture_sp": {"values": [12, 13]}}}


def written(tmp_path: Path, **changes: object) -> str:
    path = tmp_path / "design.yaml"
    path.write_text(yaml.safe_dump({**DESIGN, **changes}))
    return str(path)


def test_a_grid_takes_every_combination(tmp_path: Path) -> None:
    design = read_design(written(tmp_path, plant={"rasp.size_um": {"low": 100, "high": 200, "levels": 3}}))
    found = [(point.values["moisture_sp"], point.plant["rasp.size_um"]) for point in points(design)]
    assert found == [(m, s) for m in (12.0, 13.0) for s in (100.0, 150.0, 200.0)]


@pytest.mark.parametrize("method", ["latin-hypercube", "sobol"])
def test_spread_points_lie_in_their_ranges_and_are_the_same_again(tmp_path: Path, method: str) -> None:
    factors = {"rasp.size_um": {"low": 100, "high": 200}, "site.water_c": {"low": 8, "high": 16}}
    design = read_design(written(tmp_path, method=method, points=16, plant=factors))
    found = points(design)
    assert found == points(design)
    assert len({point.plant["rasp.size_um"] for point in found}) == 16
    assert all(100 <= p.plant["rasp.size_um"] <= 200 and 8 <= p.plant["site.water_c"] <= 16 for p in found)
    cells = {int((p.plant["rasp.size_um"] - 100) / 100 * 16) for p in found}
    assert len(cells) == 16, "one in each sixteenth of the range"
    assert [p.values["moisture_sp"] for p in found].count(12.0) == 8


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "sobol", "points": 12}, "power of two"),
        ({"method": "sobol"}, "needs points"),
        ({"points": 8}, "a grid has no points"),
        ({"recipe": {}}, "varies nothing"),
        ({"recipe": {"moisture_sp": {"low": 13, "high": 12}}}, "low must be below high"),
        ({"recipe": {"moisture_sp": {"low": 12, "high": 13}}}, "needs values or levels"),
        ({"recipe": {"moisture_sp": {"values": [12], "low": 1, "high": 2}}}, "either values, or low and high"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_design_is_refused_by_name(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(ConfigError, match=told):
        points(read_design(path))
    assert any(told in str(problem) for problem in check_paths([path]))


def test_a_design_outside_the_recipe_s_limits_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, recipe={"moisture_sp": {"values": [12, 99]}})
    with pytest.raises(ConfigError, match="moisture_sp"):
        plan("kudzu-lobata-standard", **{**ASK, "vary": path})


def test_a_wrong_value_of_a_design_is_told_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    head = "kind: design\nname: d\nmethod: grid\n"
    path.write_text(head + "recipe:\n  root_kg: {values: [60]}\n  moisture_sp: {values: [12, 99]}\n")
    with pytest.raises(ConfigError, match=r"d\.yaml:6: recipe\.moisture_sp: 99.* is too large \(accepted: 11 to 13\.5"):
        plan("kudzu-lobata-standard", **{**ASK, "vary": str(path)})
    with pytest.raises(ConfigError, match="--vary: root_kg is given on the command line, too"):
        plan("kudzu-lobata-standard", **{**ASK, "vary": str(path), "values": {"root_kg": 70.0}})
    path.write_text(head + "plant:\n  rasp.size_um: {values: [140, -5]}\n  rasp.colour: {values: [1]}\n")
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 2
    assert "d.yaml:5: plant.rasp.size_um: plant parameter rasp.size_um = -5 cannot be" in done.stderr + done.stdout
    assert "d.yaml:6: plant.rasp.colour: no plant parameter" in done.stderr + done.stdout
    path.write_text(head.replace("grid", "sobol") + "points: 12\nplant:\n  rasp.size_um: {low: 100, high: 200}\n")
    with pytest.raises(ConfigError, match=r"d\.yaml:4: points: sobol needs a power of two"):
        read_design(str(path))


def test_the_shipped_design_is_right() -> None:
    path = Path(__file__).parent.parent.parent / "docs" / "examples" / "grind-and-moisture.yaml"
    assert check_paths([path]) == []
    assert len(plan("kudzu-lobata-standard", **{**ASK, "vary": str(path)})) == 4


def _row(name: str, value: float, kind: Kind, high: float) -> Row:
    check: Check[None] = Check("Group", name, "kg", kind, "S", "a book", lambda _: value, Span(0.0, high))
    return check.run(None)


@pytest.mark.parametrize(("value", "code", "told"), [(0.5, 0, "1 bounds, all kept"), (1.5, 3, "1 BROKEN")])
def test_only_a_broken_bound_fails(
    value: float, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [_row("far off", 2.0, Kind.PUBLISHED, 1.0), _row("law of nature", value, Kind.BOUND, 1.0)]
    asked: list[object] = []

    def rows(plant: object) -> list[Row]:
        asked.append(plant)
        return made

    monkeypatch.setattr(cli_simulate, "validation_rows", rows)
    monkeypatch.setattr(cli_simulate, "paper", Console(width=100))
    assert cli_simulate.run_validate({"rasp.size_um": 160.0}, as_json=False) == code
    out = capsys.readouterr().out
    for word in ("Group", "far off", "outside by 1", "S1 published: a book", told):
        assert word in out
    assert max(len(line) for line in out.splitlines()) <= 100
    assert asked == [{"rasp.size_um": 160.0}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--runs", "3"), "--plant and --json only"),
        (("--seed", "3"), "--plant and --json only"),
        (("--plant", "rasp.colour=3"), "rasp.colour"),
    ],
)
def test_what_validation_cannot_take_is_refused(words: tuple[str, ...], told: str) -> None:
    done = simulate("--validate", *words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""
