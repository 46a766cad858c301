"""Questions a researcher asks of a history, end to end on one that the historian wrote."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from made_history import MadeRun, make_history
from typer.testing import CliRunner

from linecontrol.analysis.charts import asked_charts, charts_of
from linecontrol.analysis.compare import asked_compare, compare_records
from linecontrol.analysis.experiment import asked_surface
from linecontrol.analysis.overlay.answer import asked_overlay
from linecontrol.analysis.records import find_records
from linecontrol.analysis.runs_needed import asked_power, power_answer
from linecontrol.cli.commands import app
from linecontrol.core.errors import ConfigError
from linecontrol.history import open_reader

RNG = np.random.default_rng(2)
LOTS = {f"L{i}": float(RNG.normal(0.0, 2.0)) for i in range(10)}
TWO = {
    "kudzu-lobata-standard": 0.0,
    "kudzu-lobata-less-water": -0.9,
}


def paired() -> list[MadeRun]:
    """Ten lots, each run by two recipes that are 0.9 points apart, in noise of 0.3."""
    return [
        MadeRun(2 * i + k, recipe, 88.0 + LOTS[lot] + apart + float(RNG.normal(0.0, 0.3)), lot, alarms=k)
        for i, lot in enumerate(LOTS)
        for k, (recipe, apart) in enumerate(TWO.items())
    ]


RUNS = paired()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    odd = MadeRun(20, "kudzu-lobata-standard", 87.0, None, moisture=13.1, wobble=0.8, state="Stopped")
    return asyncio.run(make_history(tmp_path_factory.mktemp("history"), [*RUNS, odd], every_s=20.0))


def test_groups_are_compared_within_their_lots_where_these_are_known(folder: Path) -> None:
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        found = asked_compare(reader, by="recipe", metrics=["yield", "energy"])
        [row], [plain] = found["compared"][0]["differences"], found["compared"][0]["without_lots"]
        assert row["a"] == "kudzu-lobata-less-water"
        assert row["method"] == "lots"
        assert row["low"] < 0.9 < row["high"]
        assert row["is_found"]
        assert not plain["is_found"]  # lots differ by more than recipes
        assert plain["effect"] is not None
        assert "a difference" in found["compared"][0]["statements"][0]
        assert not found["compared"][1]["differences"][0]["is_found"]
        assert "none was found" in found["compared"][1]["statements"][0]
        assert len(found["runs"]) == 20  # complete ones only
        with pytest.raises(ConfigError, match="two groups"):
            asked_compare(reader, by="mode")
        with pytest.raises(ConfigError, match="not grouped"):
            asked_compare(reader, by="weather")
        with pytest.raises(ConfigError, match="not a figure"):
            asked_compare(reader, by="recipe", metrics=["taste"])


def test_runs_stand_side_by_side(folder: Path) -> None:
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        found = asked_compare(reader, ["run-001", "run-000"])
        assert [run["run_id"] for run in found["runs"]] == ["run-001", "run-000"]
        rows = {row["metric"]: row for row in found["figures"]}
        assert rows["alarms"]["values"] == [1.0, 0.0]
        assert rows["alarms"]["apart"] == [0.0, -1.0]
        assert rows["hours"]["values"] == pytest.approx([1320 / 3600] * 2, abs=1e-6)
        with pytest.raises(ConfigError, match="no run 'run-999'"):
            asked_compare(reader, ["run-999"])


def test_runs_are_found_newest_first(folder: Path) -> None:
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        assert [row["run_id"] for row in find_records(reader, 'lot == "L3"')] == ["run-007", "run-006"]
        assert [row["run_id"] for row in find_records(reader, "", ["last"])] == ["run-020"]
        assert len(find_records(reader, "alarms == 0", limit=4)) == 4


def test_a_run_that_was_otherwise_is_seen_against_the_golden_ones(folder: Path) -> None:
    golden = [run.run_id for run in RUNS[:6]]
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        found = asked_overlay(reader, ["run-020"], ["MT-306", "drying.inlet_air_temp"], "phase", golden)
        worst = found["deviations"][0]
        assert (worst["run_id"], worst["tag"], worst["phase"]) == ("run-020", "MT-306", "drying")
        assert worst["mean"] == pytest.approx(1.1, abs=0.15)
        assert [p["name"] for p in found["signals"][0]["phases"]] == ["warm-up", "drying", "cooling"]
        assert found["signals"][0]["unit"] == "% wb"
        assert asked_overlay(reader, ["run-000"], (), "start")["signals"]  # the usual signals
        with pytest.raises(ConfigError, match="not recorded"):
            asked_overlay(reader, ["run-000"], ["TT-999"])
        with pytest.raises(ConfigError, match="needs 3 runs"):
            asked_overlay(reader, ["run-020"], ["MT-306"], "phase", golden[:2])
        with pytest.raises(ConfigError, match="1 to 60"):
            asked_overlay(reader)


def test_charts_go_by_time_and_tell_what_is_missing(folder: Path) -> None:
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        found = asked_charts(reader, ["yield", "moisture"], 'recipe == "kudzu-lobata-standard" and yield > 0')[0]
        assert [row["run_id"] for row in found["runs"]][:2] == ["run-000", "run-002"]
        assert found["charts"]["EWMA"]["points"][0] is not None
    with pytest.raises(ConfigError, match="8 runs"):
        charts_of([run.record() for run in RUNS[:4]], "yield")


def test_the_runs_needed_follow_from_the_runs_on_record(folder: Path) -> None:
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        apart, within = asked_power(reader, "1%"), asked_power(reader, "1%", paired=True)
        assert within["sd"] < 0.8 < apart["sd"]
        assert within["needed"]["each"] < 10 < apart["needed"]["each"]
        assert within["needed"]["low"] <= within["needed"]["each"] <= within["needed"]["high"]
    assert power_answer("1%", 1.2, 88.0)["difference"] == pytest.approx(0.88)
    for see, mean, says in (("much", 88.0, "no difference"), ("1%", None, "which mean"), ("0", 88.0, "no difference")):
        with pytest.raises(ConfigError, match=says):
            power_answer(see, 1.2, mean)


async def test_an_experiment_gives_a_proposal_with_its_gain(tmp_path: Path) -> None:
    draw, runs = np.random.default_rng(5), []
    for i in range(27):
        rpm, water = (i % 3 - 1), (i // 3 % 3 - 1)
        found = 88.0 + 0.5 * rpm - 1.0 * rpm**2 + 0.8 * water + float(draw.normal(0.0, 0.1))
        values = {"root_kg": 60.0, "rasp_rpm": 1500.0 + 100.0 * rpm, "sieve_water_pct": 20.0 + 2.0 * water}
        runs.append(MadeRun(i, "kudzu-lobata-standard", found, f"L{i // 9}", values=values))
    folder = await make_history(tmp_path / "h", runs, every_s=0.0)
    with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
        found = asked_surface(reader, "yield")
        proposal = found["proposal"]
        assert found["surface"]["model"] == "quadratic"
        assert found["surface"]["lots"] == 3
        assert proposal["at"]["rasp_rpm"] == pytest.approx(1525.0, abs=8.0)
        assert proposal["on_border"] == ("sieve_water_pct",)
        assert proposal["gain_low"] < 0.8 + 0.0625 < proposal["gain_high"]
        assert proposal["is_better"]
        assert "to be tried by a person" in found["statement"]
        none = asked_surface(reader, "energy")
        assert not none["proposal"]["is_better"]
        assert "No setting is told to be better" in none["statement"]
        with pytest.raises(ConfigError, match="no run has a recipe value"):
            asked_surface(reader, "yield", ["colour"])


def test_p_values_are_adjusted_over_all_figures_asked_for() -> None:
    records = [run.record() for run in RUNS]
    [alone] = compare_records(records, "recipe", ["yield"], lots="no")
    several = compare_records(records, "recipe", ["yield", "moisture_sd", "alarms", "powder"], lots="no")
    assert several[0].differences[0].p_adjusted > alone.differences[0].p_adjusted
    assert several[0].differences[0].p == alone.differences[0].p


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "--limit", "2"),
        ("show", "last", "--json"),
        ("compare", "last", "--json"),
        ("export", "last", "--what", "runs"),
        ("spc", "--metric", "yield", "--json"),
        ("power", "--see", "1%", "--paired"),
        ("report", "last", "--json"),
    ],
)
def test_a_history_is_named_by_its_folder_or_its_url_and_line(folder: Path, words: tuple[str, ...]) -> None:
    """Lines of a site share a database, which has no folder."""
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    by_folder, by_url, other, both = (
        CliRunner().invoke(app, [*words, *more])
        for more in (
            ("--data", str(folder)),
            ("--database", url, "--line", "demo"),
            ("--database", url, "--line", "south"),
            ("--database", url, "--data", str(folder)),
        )
    )
    assert (by_folder.exit_code, by_url.exit_code) == (0, 0), by_url.output
    assert by_url.output == by_folder.output != ""
    assert (other.exit_code, both.exit_code) == (3, 2)
    assert "'south' is not in it" in other.output.replace("\n", " ")


def test_no_run_that_fits_is_said(folder: Path) -> None:
    done = CliRunner().invoke(app, ["runs", "--where", "values.no_such_value == 1", "--data", str(folder)])
    assert (done.exit_code, "No run fits" in done.output) == (0, True)
