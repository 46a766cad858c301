"""What a report of a run says, as plain texts, figures and charts: the same for HTML and PDF."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from linecontrol import __version__
from linecontrol.analysis.metrics import number
from linecontrol.analysis.overlay.read import read_traces, seconds_of
from linecontrol.analysis.overlay.trace import RunTraces, Trace
from linecontrol.analysis.records import find_records
from linecontrol.analysis.report.svg import Line, line_chart
from linecontrol.analysis.wallclock import face_of
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history.reader import HistoryReader
from linecontrol.recipe.model import ControlRecipe
from linecontrol.sentences import terms

LANGUAGES = ("en", "zh")
MOST_ALARMS = 60
MINUTE_S = 60.0
FIGURES = (
    ("root_kg", "kg", 2), ("root_starch_kg", "kg", 2), ("powder_kg", "kg", 2), ("powder_dry_starch_kg", "kg", 2),
    ("moisture_mean_pct_wb", "% wb", 2), ("moisture_sd_pct_wb", "% wb", 2), ("out_of_band_s", "s", 0),
    ("diverted_kg", "kg", 2), ("suspect_kg", "kg", 2), ("water_m3", "m³", 3), ("energy_kwh", "kWh", 2),
)  # fmt: skip
TIMES = (("began", "started_at"), ("ended", "ended_at"))
TRENDS = (
    ("moisture", ("drying.powder_moisture",)),
    ("temperatures", ("drying.inlet_air_temp", "drying.outlet_air_temp", "drying.product_temp")),
    ("rates", ("screening.root_rate", "drying.powder_rate")),
)
_STATES_ZH = {
    "Idle": "空闲", "Running": "运行", "Complete": "完成", "Pausing": "暂停中", "Paused": "已暂停",
    "Holding": "保持中", "Held": "已保持", "Restarting": "恢复中", "Stopping": "停止中", "Stopped": "已停止",
    "Aborting": "中止中", "Aborted": "已中止", "Automatic": "自动", "Semi-automatic": "半自动", "Manual": "手动",
}  # fmt: skip


@cache
def texts(language: str) -> dict[str, str]:
    """The report's texts in one language. Raises ConfigError for one it is not written in."""
    if language not in LANGUAGES:
        message = f"a report is not written in {language!r}"
        raise ConfigError([Problem("", None, "lang", message, ", ".join(LANGUAGES))])
    found: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "texts.json").read_text(encoding="utf-8"))
    return found[language]


def report_content(reader: HistoryReader, run_id: str, language: str = "en") -> dict[str, Any]:
    """Everything on the report of one run. Raises ConfigError for a run or a language that is not there."""
    t = texts(language)
    [record] = find_records(reader, "", [run_id])
    control = _recipe(reader, record)
    aliases = {row["alias"] for row in reader.tags_by_name().values()}
    wanted = [alias for _, names in TRENDS for alias in names if alias in aliases]
    traces = read_traces(reader, [record], wanted) if wanted else read_traces(reader, [record])
    run = traces[0] if traces else RunTraces(str(record["run_id"]), 0.0)
    began = seconds_of(record.get("started_at"))
    return {
        "language": language,
        "t": {**t, "made": t["made"].format(version=__version__)},
        "run_id": str(record["run_id"]),
        "recipe_title": _title(control, language) or str(record.get("recipe")),
        "head": _head(record, t, language),
        "yield_text": _yield(record),
        "is_simulated": bool(record.get("simulated")),
        "figures": [
            (t[key], _figure(record.get(key), digits), terms.unit(language, unit)) for key, unit, digits in FIGURES
        ],
        "recipe_values": _values(record, control, language),
        "charts": _charts(run, t, language),
        "phases": [
            (_unit(control, p.unit, language), _phase(control, p.unit, p.name, language),
             f"{p.begin_s / MINUTE_S:.1f}", f"{(p.end_s - p.begin_s) / MINUTE_S:.1f}")
            for p in run.phases
        ],
        **_alarms(reader, began, began + run.length_s, t, language),
    }  # fmt: skip


def _recipe(reader: HistoryReader, record: dict[str, Any]) -> ControlRecipe | None:
    """The recipe as the run froze it; None when the history has it no more, or in a form of another time."""
    row = reader.recipe(str(record.get("recipe_hash")))
    if row is None:
        return None
    try:
        return ControlRecipe.from_text(row.text, record.get("values") or {})
    except (ValueError, ConfigError):
        return None


def _said(text: Any, language: str) -> str:
    return str(getattr(text, language, "") or getattr(text, "en", "") or "")


def _title(control: ControlRecipe | None, language: str) -> str:
    return "" if control is None else _said(control.recipe.title, language)


def _unit(control: ControlRecipe | None, name: str, language: str) -> str:
    units = () if control is None else control.units
    return next((_said(unit.title, language) for unit in units if unit.name == name), "") or name


def _phase(control: ControlRecipe | None, unit_name: str, name: str, language: str) -> str:
    units = () if control is None else control.units
    steps = [step for unit in units if unit.name == unit_name for step in unit.steps if step.name == name]
    return (_said(steps[0].title, language) if steps else "") or name


def _head(record: dict[str, Any], t: dict[str, str], language: str) -> list[tuple[str, str]]:
    def word(value: Any) -> str:
        return _STATES_ZH.get(str(value), str(value)) if language == "zh" else str(value)

    def told(name: str) -> str:
        return terms.species(language, record[name]) if name == "species" else str(record[name])

    face = face_of(record)
    hours = (seconds_of(record.get("ended_at")) - seconds_of(record.get("started_at"))) / 3600.0
    return [
        (t["run"], str(record["run_id"])),
        (t["recipe"], f"{record.get('recipe')} {record.get('recipe_version') or ''}".strip()),
        (t["state"], word(record.get("state"))),
        (t["mode"], word(record.get("mode"))),
        *((t[name], f"{face.moment(record.get(key))} {face.name}") for name, key in TIMES),
        (t["length"], "–" if math.isnan(hours) else f"{hours:.2f} h"),
        (t["line"], str(record.get("line") or "–")),
        *((t[name], told(name)) for name in ("lot", "species", "season", "reason") if record.get(name)),
        (t["recipe_hash"], str(record.get("recipe_hash"))[:16]),
    ]


def _figure(value: Any, digits: int) -> str:
    found = number(value)
    return "–" if math.isnan(found) else f"{found:.{digits}f}"


def _yield(record: dict[str, Any]) -> str:
    found, u = number(record.get("extraction_yield")), number(record.get("extraction_yield_u"))
    if math.isnan(found):
        return "–"
    return f"{100 * found:.1f}" + ("" if math.isnan(u) else f" ± {100 * u:.1f}") + " %"


def _values(record: dict[str, Any], control: ControlRecipe | None, language: str) -> list[tuple[str, str, str]]:
    formula = {} if control is None else control.recipe.formula
    rows = []
    for name, value in (record.get("values") or {}).items():
        about = formula.get(name)
        title = _said(about.title, language) if about is not None else ""
        shown = str(value) if isinstance(value, bool | str) else f"{value:g}"
        rows.append((title or name, shown, "" if about is None else terms.unit(language, about.unit)))
    return rows


def _charts(run: RunTraces, t: dict[str, str], language: str) -> list[tuple[str, str]]:
    by_alias = {trace.alias: (tag, trace) for tag, trace in run.signals.items()}
    found = []
    for name, aliases in TRENDS:
        shown = [by_alias[alias] for alias in aliases if alias in by_alias]
        lines = [Line(tag, (trace.t_s / MINUTE_S).tolist(), trace.values.tolist()) for tag, trace in shown]
        if not lines:
            continue
        chart = line_chart(
            [_inside(line) for line in lines], _unit_of(shown, language), t["minutes"], _shades(run, shown)
        )
        if chart:
            found.append((t[name], chart))
    return found


def _inside(line: Line) -> Line:
    """What held when the run began stands at its beginning."""
    return Line(line.name, [max(0.0, x) for x in line.x], line.y, line.step)


def _unit_of(shown: list[tuple[str, Trace]], language: str) -> str:
    return ", ".join(dict.fromkeys(terms.unit(language, trace.unit) for _, trace in shown))


def _shades(run: RunTraces, shown: list[tuple[str, Trace]]) -> list[tuple[float, float]]:
    """Every other phase of the station, so that a chart shows where they end."""
    phases = [p for p in run.phases_of(shown[0][1].station) if p.end_s - p.begin_s > 1.0]
    return [(p.begin_s / MINUTE_S, p.end_s / MINUTE_S) for p in phases[::2]]


def _alarms(reader: HistoryReader, began: float, ended: float, t: dict[str, str], language: str) -> dict[str, Any]:
    """Alarms that came up during the run. One that another told of is not repeated."""
    if math.isnan(began):
        return {"alarms": [], "more_alarms": ""}
    events = [
        event
        for event in reader.events(began, ended + 1e-6, 10_000, ["alarm.raised"])
        if event.data.get("counts", True)
    ]
    rows = [
        (f"{(event.time - began) / MINUTE_S:.1f}",
         f"{event.source} {event.data['zh']}" if language == "zh" and event.data.get("zh") else event.text)
        for event in events[:MOST_ALARMS]
    ]  # fmt: skip
    more = len(events) - len(rows)
    return {"alarms": rows, "more_alarms": t["more_alarms"].format(count=more) if more else ""}
