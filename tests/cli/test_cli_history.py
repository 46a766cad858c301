"""`linecontrol history` on a history of its own: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linecontrol.cli.commands import app
from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Sample, Status, Tag, Text
from linecontrol.history import Historian

T0 = 1_750_000_000.0
RUNNER = CliRunner()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with 4,000 seconds of a level and a few texts, one of them dangerous in a spreadsheet."""
    tags = [
        Tag("LT-1", "s", Text("Level", "液位"), "%", DataType.FLOAT64, "1", alias="s.level"),
        Tag("ZT-1", "s", Text("State", "状态"), "", DataType.STRING, "2", alias="s.state"),
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    history = Historian(f"sqlite:///{folder / 'history.sqlite3'}", folder / "spool", "demo", tags)
    await history.start()
    for n in range(4000):
        odd = ("空", "+1+1", "=1+1", 2**60 + 1, math.nan)
        texts = {"ZT-1": Sample(odd[n], Status.GOOD, T0 + n)} if n < len(odd) else {}
        history.offer(Scan("s", T0 + n, {"LT-1": Sample(n % 100 / 10, Status.GOOD, T0 + n), **texts}))
        if n in (3700, 3999):
            await history.flush()
    await history.stop()
    return folder


def told(*words: str, code: int = 0) -> str:
    done = RUNNER.invoke(app, ["history", *words])
    assert done.exit_code == code, done.output
    return done.output


def test_statistics_samples_and_files(data: Path, tmp_path: Path) -> None:
    found = json.loads(told("stats", "--data", str(data), "--json"))
    assert found["rows"] + found["tail_rows"] == 4005
    assert found["blocks"] == 1
    assert 0.0 < found["bytes_per_row"] < 2.0
    assert found["days_left"] > 1000
    assert {tag["tag"] for tag in found["tags"]} == {"LT-1", "ZT-1"}
    assert "Bytes a sample" in told("stats", "--data", str(data))
    rows = told("samples", "LT-1", "ZT-1", "--to", "2025-06-15T15:06:45", "--data", str(data)).splitlines()
    assert rows == [
        "tag,time,value,unit,quality",
        "LT-1,2025-06-15T15:06:40.000Z,0.0,%,GOOD",
        "LT-1,2025-06-15T15:06:41.000Z,0.1,%,GOOD",
        "LT-1,2025-06-15T15:06:42.000Z,0.2,%,GOOD",
        "LT-1,2025-06-15T15:06:43.000Z,0.3,%,GOOD",
        "LT-1,2025-06-15T15:06:44.000Z,0.4,%,GOOD",
        "ZT-1,2025-06-15T15:06:40.000Z,空,,GOOD",
        "ZT-1,2025-06-15T15:06:41.000Z,'+1+1,,GOOD",
        "ZT-1,2025-06-15T15:06:42.000Z,'=1+1,,GOOD",
        "ZT-1,2025-06-15T15:06:43.000Z,1152921504606846977,,GOOD",
        "ZT-1,2025-06-15T15:06:44.000Z,nan,,GOOD",
    ]
    out = tmp_path / "new" / "level.parquet"
    told("samples", "LT-1", "--out", str(out), "--data", str(data))
    import pyarrow.parquet  # type: ignore[import-untyped]

    assert pyarrow.parquet.read_table(out).num_rows == 4000
    told("samples", "ZT-1", "--out", str(out), "--data", str(data))
    read = pyarrow.parquet.read_table(out).to_pydict()
    assert read["text"][:4] == ["空", "+1+1", "=1+1", "1152921504606846977"]
    assert read["text"][4] is None
    assert read["value"][3] is None
    assert math.isnan(read["value"][4])
    told("samples", "LT-1", "--out", str(out.with_suffix(".csv")), "--data", str(data))
    assert len(out.with_suffix(".csv").read_text(encoding="utf-8").splitlines()) == 4001


def test_backup_restore_and_quarantine(data: Path, tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "other"
    assert json.loads(told("backup", str(copy), "--data", str(data), "--json"))["bytes"] == copy.stat().st_size
    told("restore", str(copy), "--data", str(folder))
    assert told("samples", "LT-1", "--data", str(folder)) == told("samples", "LT-1", "--data", str(data))
    assert json.loads(told("quarantine", "--data", str(data), "--json")) == []
    assert json.loads(told("quarantine", "--retry", "--data", str(data), "--json")) == {"stored": 0, "left": 0}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("stats", "--data", "nothing-here"), 3, "no history at"),
        (("restore", "copy"), 2, "--data FOLDER or --database URL"),
        (("readers", "a b", "--database", "postgresql://h/d"), 3, "no plain name"),
        (("keep", "--line-file", "demo"), 0, "kept for ever"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(words: tuple[str, ...], code: int, said: str) -> None:
    assert said in told(*words, code=code).replace("\n", " ")


def test_unknown_tags_times_and_names_are_told_in_words(data: Path) -> None:
    for words, code, said in (
        (("samples", "NOPE", "--data", str(data)), 3, "not recorded on this line: NOPE"),
        (("samples", "LT-1", "--from", "yesterday", "--data", str(data)), 2, "is no time"),
        (("samples", "LT-1", "--out", "x.doc", "--data", str(data)), 2, ".csv or .parquet"),
        (("stats", "--line", "south", "--data", str(data)), 3, "'south' is not in it"),
    ):
        assert said in told(*words, code=code).replace("\n", " ")
