"""The evidence pack as a page for people, in one language; the pack itself lies inside it for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(pack: Mapping[str, Any], lang: str) -> str:
    """A self-contained HTML page: no script, no other file. ``lang``: en or zh."""
    from linecontrol.analysis.evidence.charts import limit_chart

    words, suspects = words_of(lang), suspects_of(pack)
    charts = {row["name"]: limit_chart(row, pack["start"], suspects) for row in pack["limits"]}
    whole = Environment(
        loader=PackageLoader("linecontrol.analysis", "templates"), autoescape=True, undefined=StrictUndefined
    )
    whole.filters.update(moment=moment, person=person, number=number)
    inside = json.dumps(pack, ensure_ascii=False).replace("</", "<\\/")
    return whole.get_template("evidence.html").render(
        pack=pack, g=pack["glance"], w=words, lang=lang, charts=charts, inside=inside, suspects=suspects
    )


def words_of(lang: str) -> dict[str, Any]:
    """The words of a page, by what they are for."""
    text = files("linecontrol.analysis").joinpath("templates", f"evidence.{lang}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def suspects_of(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Intervals to shade: deviations on record, else what the divert guard told."""
    if pack["deviations"]:
        return [{"since": row["since"], "until": row["until"]} for row in pack["deviations"]]
    rows: list[dict[str, Any]] = []
    for event in pack["events"]:
        if event["kind"] != "guard.divert":
            continue
        if event["active"]:
            rows.append({"since": event["time"], "until": None})
        elif rows and rows[-1]["until"] is None:
            rows[-1]["until"] = event["time"]
    return rows


def moment(at: Any) -> str:
    """Line time as ``2026-01-12 10:40:05`` UTC; ISO text as well; nothing as a dash."""
    if at in (None, ""):
        return "–"
    if isinstance(at, str):
        return at[:19].replace("T", " ")
    return f"{datetime.fromtimestamp(float(at), UTC):%Y-%m-%d %H:%M:%S}"


def person(who: str | None) -> str:
    return (who or "–").partition(":")[2] or (who or "–")


def number(value: Any, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
