"""The command line as a person and as a program use it."""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import Result
from typer.testing import CliRunner

from linecontrol.cli import demo
from linecontrol.cli.commands import app
from linecontrol.cli.output import Patient
from linecontrol.cli.serve import log_line
from linecontrol.config import load_document, shipped_dir
from linecontrol.config.schema_files import MODELS
from linecontrol.core.errors import LineError
from linecontrol.core.model import Event, Severity
from simulator.__main__ import _make_plant, _parser
from simulator.plant import Plant


def linecontrol(*words: str | Path, cwd: Path | None = None) -> Result:
    """The command in this process, which spares each test a second of imports."""
    with contextlib.chdir(cwd or Path.cwd()):
        return CliRunner().invoke(app, list(map(str, words)))


def test_as_a_program_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "linecontrol", "show", "none", "--data", "nothing-here"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing-here" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_finds_the_shipped_files_right() -> None:
    done = linecontrol("check")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "files are right" in done.stderr


def test_check_says_file_line_key_and_what_is_accepted(tmp_path: Path) -> None:
    text = (shipped_dir() / "stations" / "screening.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "screening.yaml"
    wrong.write_text(text.replace("scan_s: 0.5", "scan_s: fast"), encoding="utf-8")
    done = linecontrol("check", wrong)
    assert done.exit_code == 2
    assert "screening.yaml:5: scan_s:" in done.stdout
    rows = json.loads(linecontrol("check", wrong, "--json").stdout)
    assert rows[0]["key"] == "scan_s"
    assert rows[0]["line"] == 5


def test_check_holds_a_recipe_against_the_line(tmp_path: Path) -> None:
    text = (shipped_dir("recipes") / "kudzu-lobata-standard.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "mine.yaml"
    wrong.write_text(text.replace("SC-103", "SC-999"), encoding="utf-8")
    done = linecontrol("check", wrong)
    assert done.exit_code == 2
    assert "SC-999" in done.stdout


@pytest.mark.parametrize("kind", ["brand", "station", "line", "recipe"])
def test_schema_accepts_what_is_shipped(kind: str) -> None:
    schema: dict[str, Any] = json.loads(linecontrol("schema", kind).stdout)
    folder = shipped_dir("recipes") if kind == "recipe" else shipped_dir() / f"{kind}s"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for path in files:
        jsonschema.validate(load_document(path).data, schema)


def test_schemas_are_written_for_an_editor(tmp_path: Path) -> None:
    done = linecontrol("schema", "--out", tmp_path)
    assert done.exit_code == 0
    assert {path.name.removesuffix(".schema.json") for path in tmp_path.glob("*.schema.json")} == {"recipe", *MODELS}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("schema", "cheese"), 2, "brand, station, line, recipe"),
        (("demo", "--set", "root_kg"), 2, "name=number"),
        (("demo", "--set", "root_kg=1"), 2, "50 to 20000 kg"),
        (("demo", "--recipe", "none"), 2, "kudzu-lobata-standard"),
        (("demo", "--species", "potato"), 2, "lobata_cultivated"),
        (("demo", "--line-type", "magic"), 2, "mechanised"),
        (("demo", "--plant", "rasp.colour=1"), 2, "rasp.colour"),
        (("demo", "--plant", "rasp.size_um"), 2, "rasp.size_um=160"),
        (("serve", "--host", "0.0.0.0"), 2, "refused without TLS"),
        (("serve", "--line", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("show", "none", "--data", "nothing-here"), 2, "nothing-here"),
        (("status", "--url", "http://127.0.0.1:9"), 3, "does not answer"),
        (("demo", "--speed", "0"), 2, "0.1"),
    ],
)
def test_bad_input_is_told_in_words(words: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    done = linecontrol(*words, cwd=tmp_path)
    assert done.exit_code == code, done.stderr
    assert said in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_recipes_are_listed_for_people_and_programs() -> None:
    rows = json.loads(linecontrol("recipes", "--json").stdout)
    assert {row["name"] for row in rows} == {"kudzu-lobata-standard", "kudzu-thomsonii-fine", "end-of-day-wash"}
    assert "root_kg" in linecontrol("recipes").stdout


def test_certificate_is_made_once(tmp_path: Path) -> None:
    done = linecontrol("certificate", "--out", tmp_path / "keys", "--host", "mill", "--json")
    facts = json.loads(done.stdout)
    assert (done.exit_code, facts["application_uri"]) == (0, "urn:mill:linecontrol")
    assert Path(facts["private_key"]).stat().st_mode & 0o777 == 0o600
    before = Path(facts["certificate"]).read_bytes()
    again = linecontrol("certificate", "--out", tmp_path / "keys", "--host", "mill")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert Path(facts["certificate"]).read_bytes() == before


def test_the_demo_hands_its_plant_on_to_the_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []

    def not_started(_config: object, _speed: float, _seed: int, more: list[str]) -> None:
        told.extend(more)
        raise LineError("far enough")

    monkeypatch.setattr(demo, "simulator", not_started)
    words = ["--species", "thomsonii_cultivated", "--line-type", "manual"]
    words += ["--plant", "hopper.start_kg=77", "--plant", "site.month=5"]
    done = CliRunner().invoke(app, ["demo", "--data", str(tmp_path), *words])
    assert done.exit_code == 3
    handed_on = _parser().parse_args(told)
    assert (handed_on.species, handed_on.line_type) == ("thomsonii_cultivated", "manual")
    plant = _make_plant(handed_on)
    assert isinstance(plant, Plant)
    assert plant.hopper.mass_kg == pytest.approx(77.0)
    assert plant.parameters.site.month == 5.0


def test_a_schedule_is_held_against_a_line(tmp_path: Path) -> None:
    """File, line, key and what is accepted, for each fault that the line cannot have."""
    day = tmp_path / "day.yaml"
    day.write_text(
        'kind: schedule\nname: day\nfaults:\n  - "stone:rasp@5"\n  - "stone:drum@5"\n  - "word-order:drying"\n',
        encoding="utf-8",
    )
    done = linecontrol("check", "day.yaml", "--json", cwd=tmp_path)
    assert done.exit_code == 2
    assert [(row["line"], row["key"], row["accepted"]) for row in json.loads(done.stdout)] == [
        (5, "faults[1]", "rasp"),
        (6, "faults[2]", "screening, grinding"),
    ]
    real = (shipped_dir() / "lines" / "demo.yaml").read_text(encoding="utf-8")
    (tmp_path / "real.yaml").write_text(real.replace("simulated: true", "simulated: false"), encoding="utf-8")
    refused = linecontrol("check", "day.yaml", "--line", "real.yaml", cwd=tmp_path)
    assert refused.exit_code == 2
    assert "is a real plant" in refused.stdout + refused.stderr
    missing = linecontrol("check", "day.yaml", "--line", "none.yaml", cwd=tmp_path)
    assert missing.exit_code == 2
    assert "none.yaml" in missing.stderr


def test_the_log_may_lose_its_reader_and_the_line_is_driven_on() -> None:
    """As in ``linecontrol serve 2>&1 | head``, on a full disk, or in a terminal that was closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        log = Patient(file=gone, highlight=False)
        log.print("nobody reads this")
        log.print("nor this")
    assert log.quiet
    if (full_disk := Path("/dev/full")).exists():
        with full_disk.open("w", encoding="utf-8") as full:
            crowded = Patient(file=full, highlight=False)
            crowded.print("nowhere to put this")
            assert crowded.quiet


def test_a_line_of_the_log_has_a_time_and_tells_what_is_over() -> None:
    came = Event(1.0, "link.down", "drying", "drying: no answer", Severity.ALARM, active=True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:01  alarm   drying: no answer", log_line(came))
    assert "  over    " in log_line(replace(came, kind="link.up", active=False))
    follows = replace(came, kind="alarm.raised", data={"annunciated": False})
    assert "  info    " in log_line(follows)
    assert "  alarm   " in log_line(replace(follows, data={"annunciated": True}))


def test_ctrl_c_while_a_command_still_loads_ends_it_without_a_traceback() -> None:
    """As a signal would, at the moment the commands are imported."""
    program = """
import sys
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == "linecontrol.cli.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
from linecontrol.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
