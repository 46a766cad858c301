"""What leaves the program: tables that other programs read back, and reports that stand alone."""

import asyncio
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import typst
from hypothesis import given
from hypothesis import strategies as st
from made_history import MadeRun, make_history

from linecontrol.analysis.export.table import table_of
from linecontrol.analysis.export.write import csv_pieces, json_pieces, safe_text, write_file
from linecontrol.analysis.records import find_records
from linecontrol.analysis.report import write
from linecontrol.analysis.report.svg import Line, line_chart, ticks
from linecontrol.analysis.report.write import asked_report
from linecontrol.core.errors import ConfigError
from linecontrol.history import HistoryReader, open_reader

RUNS = [
    MadeRun(0, lot='=cmd|"/c calc"!A1', yield_pct=88.1),
    MadeRun(1, lot="<script>alert(1)</script>", yield_pct=87.3, wobble=0.4),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> HistoryReader:
    folder = asyncio.run(make_history(tmp_path_factory.mktemp("history"), RUNS, every_s=30.0))
    return open_reader(f"sqlite:///{folder / 'history.sqlite3'}")


@given(st.text(max_size=20))
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    found = safe_text(text)
    assert found.endswith(text)
    assert not found.lstrip(" \u3000").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


def test_a_csv_is_read_back_as_it_was(reader: HistoryReader, tmp_path: Path) -> None:
    records = find_records(reader, "", ["run-000", "run-001"])
    path, beside = write_file(table_of(reader, records, "samples"), "csv", tmp_path / "samples.csv")
    found = pd.read_csv(path, parse_dates=["time"])
    assert set(found["tag"]) == {"MT-306", "TT-303", "WT-102", "RUN.STATE"}
    one = found[(found["run_id"] == "run-001") & (found["tag"] == "MT-306")]
    assert one["t_s"].iloc[0] == 0.0
    assert one["value"].between(12.6, 13.4).all()
    assert set(one["unit"]) == {"% wb"}
    meta = json.loads(beside.read_text(encoding="utf-8"))
    assert meta["url"] == "samples.csv"
    assert [c["name"] for c in meta["tableSchema"]["columns"]] == list(found.columns)
    units = {c["name"]: c.get("linecontrol:unit") for c in meta["tableSchema"]["columns"]}
    assert units["t_s"] == "s"
    assert found["text"].dropna().iloc[0].startswith("'=HYPERLINK")


def test_a_run_is_a_row_with_units_in_the_metadata(reader: HistoryReader, tmp_path: Path) -> None:
    records = find_records(reader, "", ["run-000", "run-001"])
    rows = list(csv.DictReader(io.StringIO("".join(csv_pieces(table_of(reader, records, "runs"))))))
    assert float(rows[0]["yield"]) == 88.1
    assert rows[0]["lot"].startswith("'=cmd")
    [path] = write_file(table_of(reader, records, "runs"), "parquet", tmp_path / "runs.parquet")
    table = pq.read_table(path)
    assert table.column("yield").to_pylist() == [88.1, 87.3]
    assert table.schema.field("energy").metadata[b"unit"] == b"kWh/kg"
    assert table.column("lot").to_pylist()[0] == RUNS[0].lot  # no spreadsheet: as it is
    found = json.loads("".join(json_pieces(table_of(reader, records, "runs"))))
    assert found["rows"][1]["run_id"] == "run-001"
    assert found["rows"][1]["values.moisture_sp"] == 12.8
    assert "policy" not in found["rows"][0], "no run on the twin is among them"
    trial = records[1] | {"policy": "hold", "line_type": "manual", "plant": {"rasp.size_um": 160.0}}
    rows = json.loads("".join(json_pieces(table_of(reader, [records[0], trial], "runs"))))["rows"]
    assert [(row["policy"], row["plant.rasp.size_um"]) for row in rows] == [(None, None), ("hold", 160.0)]


def test_a_grid_holds_values_and_events_have_their_time(reader: HistoryReader) -> None:
    records = find_records(reader, "", ["run-000"])
    [piece] = table_of(reader, records, "samples", ["drying.inlet_air_temp"], 45.0).pieces
    assert [row[2] for row in piece[:3]] == [0.0, 45.0, 90.0]
    assert piece[1][6] == pytest.approx(20.0 + 80.0 * 30.0 / 300.0)  # the value of 30 s holds at 45 s
    assert len(piece) == 1320 // 45 + 1
    [events] = table_of(reader, records, "events").pieces
    assert [row[2] for row in events if "begun" in row[-1]] == [0.0, 300.0, 1200.0]


@pytest.mark.parametrize(("what", "every", "says"), [("bags", None, "no table"), ("samples", 0.0, "from 0.1 s")])
def test_what_is_no_table_is_told(reader: HistoryReader, what: str, every: float | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        table_of(reader, [], what, (), every)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_stands_alone_and_escapes_what_people_wrote(reader: HistoryReader, language: str) -> None:
    page = asked_report(reader, "run-001", language).decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r'(src|href)="', page)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "87.3 ± 2.0 %" in page
    assert ("批生产记录" if language == "zh" else "Batch record") in page
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(charts) == 3
    for chart in charts:
        ET.fromstring(chart)  # noqa: S314 - our own
    assert bool(re.search(r"[一-鿿]", page)) == (language == "zh")


@pytest.mark.skipif(not set(write.CHINESE) & set(typst.Fonts().families()), reason="there is no Chinese font here")
def test_a_report_as_pdf_carries_chinese(reader: HistoryReader) -> None:
    page = asked_report(reader, "run-000", "zh", "pdf")
    assert page.startswith(b"%PDF-")
    assert len(page) > 10_000


def test_a_pdf_without_a_chinese_font_is_told(reader: HistoryReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "CHINESE", ("A font nobody has",))
    with pytest.raises(ConfigError, match="Chinese font"):
        asked_report(reader, "run-000", "zh", "pdf")
    assert asked_report(reader, "run-000", "en", "pdf").startswith(b"%PDF-")


def test_what_there_is_no_report_of_is_told(reader: HistoryReader) -> None:
    for run, language, form, says in (
        ("run-9", "en", "html", "no run"),
        ("run-000", "fr", "html", "en, zh"),
        ("run-000", "en", "doc", "html, pdf"),
    ):
        with pytest.raises(ConfigError, match=says):
            asked_report(reader, run, language, form)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_ticks_are_round_and_span_the_range(low: float, span: float, about: int) -> None:
    found = ticks(low, low + span, about)
    assert found[0] <= low + 1e-6 * abs(low) + 1e-9 * span
    assert found[-1] >= low + span - 1e-6 * abs(low) - 1e-9 * span
    assert 2 <= len(found) <= about + 3


@given(st.lists(st.tuples(st.floats(0, 1e5), st.none() | st.floats(-1e9, 1e9)), min_size=1, max_size=60))
def test_any_line_makes_a_well_formed_chart(points: list[tuple[float, float | None]]) -> None:
    xs = sorted(x for x, _ in points)
    chart = line_chart([Line("a & b", xs, [y for _, y in points])], "°C", "t <min>")
    if chart:
        assert "nan" not in ET.fromstring(chart).attrib.values()  # noqa: S314 - our own
        assert "nan" not in chart
