"""The researcher's tutorial and guide: every snippet and command as written, on runs made up for them."""

import asyncio
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from made_history import MadeRun, make_history
from typer.testing import CliRunner

from linecontrol.cli.commands import app

ROOT = Path(__file__).parent.parent
REFUSED = 4


def planned() -> list[MadeRun]:
    """What `simulate --vary docs/examples/rasp-and-water.yaml --seeds 1..4` leaves behind: lots at nine settings."""
    draw, runs = np.random.default_rng(3), []
    lots = {f"seed{i}": float(draw.normal(0.0, 2.5)) for i in range(1, 5)}
    for rpm in (-1, 0, 1):
        for water in (-1, 0, 1):
            for i, (lot, far) in enumerate(lots.items()):
                found = 85.0 + far + 0.4 * rpm + 0.9 * water - 0.3 * water**2 + float(draw.normal(0.0, 0.15))
                values = {"root_kg": 60.0, "rasp_rpm": 1500.0 + 100 * rpm, "sieve_water_pct": 21.0 + 2 * water}
                n = len(runs)
                run = MadeRun(n, "kudzu-lobata-standard", found, lot, values=values, moisture=12.8 + 0.02 * (n % 5))
                runs.append(run)
                run.lengths = (280.0 + 10 * i, 900.0, 120.0)
    return runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tutorial")
    asyncio.run(make_history(folder / "build" / "trials", planned(), every_s=60.0))
    return folder


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_tutorial_runs_from_top_to_bottom(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    said, names = io.StringIO(), {}  # type: ignore[var-annotated]
    with redirect_stdout(said):
        for block in blocks("tutorial-compare.md", "python"):
            exec(compile(block, "tutorial-compare.md", "exec"), names)  # noqa: S102 - the tutorial is ours
    names["history"].close()
    text = said.getvalue()
    assert "36 runs; kWh/kg" in text
    assert "a difference" in text
    assert "Proposal, to be tried by a person: rasp_rpm = " in text
    assert "half widths of the band" in text


def test_every_command_of_the_guide_does_what_it_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    said = []
    for line in "".join(blocks("compare.md", "sh")).splitlines():
        words = shlex.split(line.replace("sim-00000-auto-seed1", "run-000"))
        if words[:2] == ["linecontrol", "simulate"]:
            continue  # its runs are made up here: the twin takes a minute or two
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code in (0, REFUSED), f"{line}\n{done.output}"
        said.append(done.output)
    text = "\n".join(said)
    for part in ("run-", "Compared within", "golden band", "lots, each run both ways",
                 "Proposal, to be tried by a person", "written:"):  # fmt: skip
        assert part in text
    for name in (
        "yields.png",
        "groups.png",
        "overlay.png",
        "spc.png",
        "surface.png",
        "run.png",
        "run.csv",
        "runs.parquet",
        "report.html",
    ):
        assert (folder / "build" / name).stat().st_size > 1000, name
    assert (folder / "build" / "run.csv-metadata.json").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("runs --where 'yeld > 3'", "not understood"),
        ("compare --by weather", "not grouped by"),
        ("compare --by recipe", "two groups"),
        ("compare run-999 run-000", "no run 'run-999'"),
        ("compare --by recipe --method guess", "t, bootstrap"),
        ("compare run-000 --signal TT-999", "is not recorded"),
        ("compare run-000 --signal TT-303 --by recipe", "do not go with"),
        ("compare run-000 --plot x.doc", "not written in this format"),
        ("spc --rules 9", "no rule"),
        ("power --see much", "no difference"),
        ("surface --factor colour", "no run has"),
        ("export", "which runs"),
        ("export last --format parquet", "needs --out"),
        ("export last --what runs --plot x.png", "does not go with"),
        ("report last --out x.doc", ".html, .pdf"),
        ("report run-999", "no run"),
    ],
)
def test_what_a_command_cannot_do_is_told_with_exit_2(folder: Path, words: str, says: str) -> None:
    found = shlex.split(words)
    done = CliRunner().invoke(app, [found[0], *found[1:], "--data", str(folder / "build" / "trials")])
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())


def test_json_is_the_whole_answer_and_nothing_else(folder: Path) -> None:
    import json

    data = ["--data", str(folder / "build" / "trials"), "--json"]
    for words in ("compare --by values.rasp_rpm", "surface", "report last", "compare run-001 --signal MT-306"):
        done = CliRunner().invoke(app, [*words.split(), *data])
        assert json.loads(done.stdout), words
