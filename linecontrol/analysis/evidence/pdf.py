"""The evidence pack as a PDF, by the optional extra ``pdf``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from linecontrol.analysis.evidence.charts import limit_chart
from linecontrol.analysis.evidence.page import moment, number, person, suspects_of, words_of


def write_pdf(pack: Mapping[str, Any], lang: str, out: Path) -> None:
    """The first page, limits with their charts, bags, lots, decisions. Raises ImportError without the extra."""
    import typst

    w, g = words_of(lang), pack["glance"]
    suspects = suspects_of(pack)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        charts = []
        for n, row in enumerate(pack["limits"]):
            name = f"chart{n}.svg"
            (folder / name).write_text(limit_chart(row, pack["start"], suspects), encoding="utf-8")
            charts.append({"file": name, "title": f"{row['title'][lang]} {row['tag']}"})
        content = {
            "lang": lang,
            "title": f"{w['title']}: {pack['run']['run_id']}",
            "sub": f"{pack['recipe']['name']} · {moment(pack['start'])} – {moment(pack['end'])} UTC",
            "warning": w["simulated"] if pack["run"].get("simulated") else "",
            "glance": _glance(pack, g, w, lang),
            "charts": charts,
            "tables": _tables(pack, w),
            "small": [w["supports"], w["aw_note"], w["genealogy_note"], f"{w['pack_hash']}: {pack['pack_hash']}"],
        }
        (folder / "content.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        text = files("linecontrol.analysis").joinpath("templates", "evidence.typ").read_text("utf-8")
        (folder / "main.typ").write_text(text, encoding="utf-8")
        typst.compile(str(folder / "main.typ"), output=str(out), root=str(folder))


def _glance(pack: Mapping[str, Any], g: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    """The five questions with the lines that answer each."""
    made = f"{number(g['root_kg'], 1)} {w['of_roots']} → {number(g['powder_kg'])} {w['to_powder']}"
    made += f", {len(pack['bags'])} {w['in_bags']}"
    lots = [f"{_lot(row['lot'], w)}: {number(row['powder_kg'])} {w['powder_of_it']}" for row in g["lots"]]
    broken = [
        f"{row['title'][lang]} ({row['name']}): {number(row['min'])} {w['to']} {number(row['max'])} {row['unit']}; "
        f"{w['outside']} {number(row['outside_s'], 0)} s, {w['not_good']} {number(row['to_good_s'], 0)} s"
        for row in g["broken"]
    ]
    text = "text_zh" if lang == "zh" else "text"
    told = [
        f"{moment(row['since'])} {row['ccp']}: {row[text]} ({w['states'][row['state']]})" for row in g["deviations"]
    ]
    kept = w["none_broken"].format(n=g["limits"]) if g["limits"] else w["no_limits"]
    acts = [
        f"{moment(row['time'])} {row['target']}: {row['kind']}, {row['reason']} ({person(row['who'])})"
        for row in g["actions"]
    ]
    diverted = f"{number(g['diverted_kg'])} {w['diverted']}; {number(g['suspect_kg'])} {w['suspect']}"
    missing = [f"{w['unanswered']} {', '.join(g['unanswered'])}"] if g["unanswered"] else []
    people = [f"{person(row['who'])} ({', '.join(row['roles'])}): {', '.join(row['did'])}" for row in g["people"]]
    places = [
        f"{w['places'][name]}: {row['bags']} {w['in_bags']}, {number(row['kg'])} kg"
        for name, row in g["places"].items()
    ]
    return [
        {"q": w["q1"], "lines": [made, *(lots or [w["no_lot"]])]},
        {"q": w["q2"], "lines": [*(broken or [kept]), *told]},
        {"q": w["q3"], "lines": [diverted, *acts, *missing]},
        {"q": w["q4"], "lines": people or [w["nobody"]]},
        {"q": w["q5"], "lines": places or [w["no_bags"]]},
    ]


def _tables(pack: Mapping[str, Any], w: Mapping[str, Any]) -> list[dict[str, Any]]:
    bags = [
        [
            *(
                bag["bag_id"],
                number(bag["weight_kg"]),
                f"{number(bag['moisture_mean'])} / {number(bag['moisture_max'])}",
            ),
            f"{number(bag['aw'])} ({number(bag['aw_low'])}–{number(bag['aw_high'])})",
            ", ".join(f"{_lot(row['lot'], w)} {number(100 * row['share'], 0)} %" for row in bag["lots"]),
            "; ".join(row["why"] for row in bag["suspects"]) or "–",
            w["places"][bag["status"]],
        ]
        for bag in pack["bags"]
    ]
    acts = [
        [moment(act["time"]), act["kind"], act["target"], act["reason"], person(act["who"]), act["meaning"] or "–"]
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
        [row["item"], moment(row["done"]), moment(row["due"]), w["results"][row["result"]], person(row["who"])]
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
    alarms = [[moment(row["time"]), row["source"], row["text"]] for row in pack["alarms"]]
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
        {"title": w["alarms"], "head": [w[k] for k in ("time", "name", "event")], "rows": alarms},
    ]


def _lot(name: str, w: Mapping[str, Any]) -> str:
    return str(w["unknown_lot"]) if name == "?" else name
