"""The evidence pack as a PDF, by the optional extra ``pdf``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from linecontrol.analysis.evidence.answers import answers, lot_name, recipe_line, short, why_suspect
from linecontrol.analysis.evidence.charts import limit_chart
from linecontrol.analysis.evidence.page import interruptions, suspects_of, words_of
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


def write_pdf(pack: Mapping[str, Any], lang: str, out: Path) -> None:
    """The first page, limits with their charts, bags, lots, decisions. Raises ImportError without the extra."""
    import typst

    face = pack_face(pack)
    w = words_of(lang, face)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        charts = []
        plain, pack = pack["limits"], in_words(pack, lang)
        for n, row in enumerate(pack["limits"]):
            name, shaded = f"chart{n}.svg", suspects_of(pack, row["name"])
            (folder / name).write_text(limit_chart(plain[n], face, shaded), encoding="utf-8")
            charts.append(
                {
                    "file": name,
                    "title": f"{row['title'][lang]} {row['tag']}: {limits(row, w)}"
                    + (f" ({w['shaded']})" if shaded else ""),
                }
            )
        content = {
            "lang": lang,
            "title": f"{w['title']}: {pack['run']['run_id']}",
            "sub": f"{pack['recipe']['name']} · {face.moment(pack['start'])} – {face.moment(pack['end'])} {face.name}",
            "warning": w["simulated"] if pack["run"].get("simulated") else "",
            "glance": [
                {"q": one.question, "lines": [{"text": line.text, "look": line.look} for line in one.lines]}
                for one in answers(pack, w, lang)
            ],
            "charts": charts,
            "tables": _tables(pack, w, lang),
            "small": [
                f"{w['recipe']}: {recipe_line(pack, w)}",
                w["supports"],
                w["aw_note"],
                w["genealogy_note"],
                f"{w['pack_hash']}: {pack['pack_hash']}",
            ],
        }
        (folder / "content.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        text = files("linecontrol.analysis").joinpath("templates", "evidence.typ").read_text("utf-8")
        (folder / "main.typ").write_text(text, encoding="utf-8")
        typst.compile(str(folder / "main.typ"), output=str(out), root=str(folder))


def _tables(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    said, moment = speaker(pack, lang), pack_face(pack).moment
    bags = [
        [
            *(
                short(bag["bag_id"], pack),
                number(bag["weight_kg"]),
                f"{number(bag['moisture_mean'])} / {number(bag['moisture_max'])}",
            ),
            f"{number(bag['aw'])} ({number(bag['aw_low'])}–{number(bag['aw_high'])})",
            ", ".join(f"{lot_name(row['lot'], w)} {percent(row['share'])}" for row in bag["lots"]),
            "; ".join(why_suspect(row, pack, lang) for row in bag["suspects"]) or "–",
            w["places"][bag["status"]],
        ]
        for bag in pack["bags"]
    ]
    acts = [
        [
            moment(act["time"]),
            w["did"].get(act["kind"], act["kind"]),
            short(act["target"], pack),
            act["reason"],
            person(act["who"]),
            act["meaning"] or "–",
        ]
        for act in pack["acts"]
    ]
    deviations = [
        [
            *(row["deviation_id"], moment(row["since"]), moment(row["until"]) if row["until"] else w["going_on"]),
            *(w["states"][row["state"]], row["action"] or "–", person(row["acted_by"])),
        ]
        for row in pack["deviations"]
    ]
    checks = [
        [
            titled(row["item"], pack, lang),
            moment(row["done"]),
            moment(row["due"]),
            w["results"][row["result"]],
            person(row["who"]),
        ]
        for row in pack["calibrations"]
    ]
    bypasses = [
        [
            row["interlock"],
            moment(row["since"]),
            moment(row["ended"] or row["until"]),
            row["reason"],
            person(row["who"]),
        ]
        for row in pack["bypasses"]
    ]
    interrupted = [[moment(row["time"]), row["source"], told(row, lang, said)] for row in interruptions(pack)]
    alarms = [[moment(row["time"]), row["source"], told(row, lang, said)] for row in pack["alarms"]]
    return [
        {
            "title": w["bags"],
            "head": [w[k] for k in ("bag", "net", "moisture", "aw", "roots", "suspects", "status")],
            "rows": bags,
        },
        {
            "title": w["decisions"],
            "head": [w[k] for k in ("time", "kind", "target", "reason", "who", "meaning")],
            "rows": acts,
        },
        {
            "title": w["deviations"],
            "head": [w[k] for k in ("what", "since", "until", "state", "action", "who")],
            "rows": deviations,
        },
        {
            "title": w["calibrations"],
            "head": [w[k] for k in ("name", "done", "due", "result", "who")],
            "rows": checks,
        },
        {
            "title": w["bypasses"],
            "head": [w[k] for k in ("name", "since", "until", "reason", "who")],
            "rows": bypasses,
        },
        {
            "title": w["interruptions"],
            "head": [w[k] for k in ("time", "name", "event")],
            "rows": interrupted,
        },
        {"title": w["alarms"], "head": [w[k] for k in ("time", "name", "event")], "rows": alarms},
    ]
