"""The evidence pack as a page for people, in one language; the pack itself lies inside it for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from linecontrol.analysis.evidence.answers import answers, lot_name, recipe_line, short, why_suspect
from linecontrol.analysis.evidence.wording import (
    in_words,
    limits,
    number,
    pack_face,
    percent,
    person,
    speaker,
    titled,
    told,
)
from linecontrol.analysis.wallclock import Face

_ENDS = ("interlock.tripped", "interlock.cleared", "link.up")
_INTERRUPT = ("run.held", "run.safe_failed", "run.not_recorded", "link.down", "interlock.reset", "interlock.postponed")
"""Kinds of events that interrupt a run, or end what did."""


def page(pack: Mapping[str, Any], lang: str) -> str:
    """A self-contained HTML page: no script, no other file. ``lang``: en or zh."""
    from linecontrol.analysis.evidence.charts import limit_chart

    face = pack_face(pack)
    words = words_of(lang, face)
    shaded = {row["name"]: suspects_of(pack, row["name"]) for row in pack["limits"]}
    charts = {row["name"]: limit_chart(row, face, shaded[row["name"]]) for row in pack["limits"]}
    whole = Environment(
        loader=PackageLoader("linecontrol.analysis", "templates"), autoescape=True, undefined=StrictUndefined
    )
    whole.filters.update(clock=face.clock, moment=face.moment, person=person, number=number, percent=percent)
    inside = json.dumps(pack, ensure_ascii=False).replace("</", "<\\/")
    pack = in_words(pack, lang)
    said = speaker(pack, lang)
    about = {
        "zone": face.name,
        "answers": answers(pack, words, lang),
        "lot_name": lot_name,
        "limits": limits,
        "short": short,
        "why_suspect": why_suspect,
        "interrupted": interruptions(pack),
        "told": partial(told, lang=lang, said=said),
        "said": said,
        "titled": titled,
        "recipe_told": recipe_line(pack, words),
    }
    about["shaded"] = [name for name, rows in shaded.items() if rows]
    return whole.get_template("evidence.html").render(
        pack=pack, w=words, lang=lang, charts=charts, inside=inside, **about
    )


def words_of(lang: str, face: Face) -> dict[str, Any]:
    """The words of a page, by what they are for; times are said to be those of ``face``."""
    text = files("linecontrol.analysis").joinpath("templates", f"evidence.{lang}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found | {"time": found["time"].format(zone=face.name)}


def interruptions(pack: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What stopped, held or blinded the run, and what people reset: in the order it came."""
    found = []
    for event in pack["events"]:
        kind, is_on = event["kind"], event["active"]
        if kind in _INTERRUPT or (kind in _ENDS and is_on is not None):
            found.append(event)
    return found


def suspects_of(pack: Mapping[str, Any], limit: str) -> list[dict[str, Any]]:
    """Intervals to shade: deviations of this limit, or what the divert guard told where none is on record at all."""
    if pack["deviations"]:
        return [{"since": row["since"], "until": row["until"]} for row in pack["deviations"] if row["ccp"] == limit]
    rows: list[dict[str, Any]] = []
    for event in pack["events"]:
        if event["kind"] != "guard.divert":
            continue
        if event["active"]:
            rows.append({"since": event["time"], "until": None})
        elif rows and rows[-1]["until"] is None:
            rows[-1]["until"] = event["time"]
    return rows
