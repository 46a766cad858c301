"""The answers to the five questions of the first page, in words: the same for the page and the PDF. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from linecontrol.analysis.evidence.wording import limits, number, pack_face, percent, person, speaker, titled


class Line(NamedTuple):
    """One line of an answer; ``look``: ``big``, ``bad``, ``ok``, ``small``, several of them, or nothing."""

    text: str
    look: str = ""


class Answer(NamedTuple):
    """A question, and the lines that answer it."""

    question: str
    lines: list[Line]


def answers(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> list[Answer]:
    """What was made of what, was a limit broken, what was done, by whom, where is the powder. ``w``: the words."""
    found = (_made, _broken, _done, _people, _places)
    return [Answer(w[f"q{n}"], list(lines(pack, w, lang))) for n, lines in enumerate(found, start=1)]


def _made(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    g = pack["glance"]
    facts = {"root": number(g["root_kg"], 1), "powder": number(g["powder_kg"]), "bags": _bags(len(pack["bags"]), w)}
    yield Line(w["made_of"].format(**facts), "big")
    for row in g["lots"]:
        known = [row[key] for key in ("species", "origin", "grower", "harvested") if row[key]]
        about = f" ({', '.join(known).replace('_', ' ')})" if known else ""
        yield Line(f"{lot_name(row['lot'], w)}{about}: {number(row['powder_kg'])} {w['powder_of_it']}")
    if g["lot_named"] and not pack["uses"]:
        yield Line(w["lot_named"].format(lot=g["lot_named"]))
    if not g["lots"]:
        yield Line(w["no_lot"], "bad")
    for row in g["tipped"]:
        text = row["text_zh"] if lang == "zh" else row["text"]
        yield Line(f"{pack_face(pack).clock(row['since'])} {text}", "" if row["lot"] else "bad")


def _broken(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    g, clock = pack["glance"], pack_face(pack).clock
    if not g["limits"]:
        yield Line(w["no_limits"], "bad")
    if pack["is_cut"]:
        yield Line(w["is_cut"], "bad")
    if g["broken"] or g["deviations"]:
        yield Line(w["broken"].format(n=len(g["broken"]), m=len(g["deviations"])), "bad big")
    elif g["limits"]:
        words = w["none_measured_broken"] if g["unmeasured"] else w["none_broken"]
        yield Line(words.format(n=g["limits"]), "big" if g["unmeasured"] else "ok big")
    for row in g["broken"]:
        outside = w["outside"].format(s=number(row["outside_s"], 0))
        when = ", ".join(f"{clock(since)} – {clock(until)}" for since, until in row["outside_spans"])
        told = _gate(row["outside_s"], row["to_good_s"], row["unseen_s"], w)
        yield Line(
            f"{row['title'][lang]} ({row['name']}): {w['measured']} {number(row['min'])} … {number(row['max'])} "
            f"{row['unit']}, {w['limit']} {limits(row, w)}; {outside} ({when}), {told}",
            "bad" if row["to_good_s"] else "",
        )
    yield from _unmeasured(g["unmeasured"], w, lang)
    yield from _deviations(pack, w, lang)
    for row in pack["bypasses"]:
        span = f"{clock(row['since'])} – {clock(row['ended'] or row['until'])}"
        yield Line(f"{w['bypassed']} {row['interlock']}, {span}: {row['reason']} ({person(row['who'])})", "bad")
    for row in g["unchecked"]:
        item = titled(row["item"], pack, lang)
        yield Line(w["unchecked"].format(item=item, limit=row["title"][lang]), "bad")
    if g["undone"]:
        yield Line(w["undone"].format(items=", ".join(titled(name, pack, lang) for name in g["undone"])), "bad")
    if g["unverified"]:
        yield Line(f"{w['unverified']} {'; '.join(g['unverified'])}", "small")


def _gate(total_s: float, to_good_s: float, unseen_s: float, w: Mapping[str, Any]) -> str:
    """Where the gate stood meanwhile."""
    told = w["on_good"].format(s=number(to_good_s, 0)) if to_good_s else w["never_on_good"]
    parts = [] if unseen_s >= total_s else [str(told)]
    return str(w["and"]).join([*parts, *([w["gate_unseen"].format(s=number(unseen_s, 0))] if unseen_s else [])])


def _deviations(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    """What each deviation made suspect; meters that fell silent together, as with their cabinet, in one line."""
    clock, together = pack_face(pack).clock, dict[tuple[Any, ...], list[Mapping[str, Any]]]()
    for row in pack["deviations"]:
        alone = row["deviation_id"] if row["value"] is not None else ""
        together.setdefault((alone, round(row["opened"]), row["since"], row["until"], row["state"]), []).append(row)
    for rows in together.values():
        shares: dict[str, float] = {}
        names = {row["deviation_id"] for row in rows}
        for bag in pack["bags"]:
            for one in bag["suspects"]:
                if one["id"] in names:
                    shares[bag["bag_id"]] = max(one["share"], shares.get(bag["bag_id"], 0.0))
        bags = ", ".join(f"{short(name, pack)} ({percent(share)})" for name, share in shares.items())
        row = rows[0]
        span = w["made_between"].format(
            since=clock(row["since"]), until=clock(row["until"]) if row["until"] else w["going_on"]
        )
        where = w["in_bags_of"].format(bags=bags) if bags else w["in_no_bag"]
        texts = w["and_deviation"].join(one["text_zh"] if lang == "zh" else one["text"] for one in rows)
        found = f"{w['and'].join(one['ccp'] for one in rows)} ({clock(row['opened'])}): {texts}"
        state = w["states"][row["state"]]
        yield Line(
            w["deviation"].format(found=found, span=span, where=where, state=state), _bad(row["state"] == "open")
        )


def _bad(is_bad: object) -> str:
    return "bad" if is_bad else ""


def _unmeasured(rows: Iterable[Mapping[str, Any]], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    """Meters that gave no reading while powder was made: those that were silent together in one line."""
    spans: dict[tuple[float, float, float], list[str]] = {}
    for row in rows:
        key = (row["unknown_s"], row["unknown_to_good_s"], row["unknown_unseen_s"])
        spans.setdefault(key, []).append(row["title"][lang])
    for (unknown_s, to_good_s, unseen_s), names in spans.items():
        text = w["not_measured"].format(names=w["and"].join(names), s=number(unknown_s, 0))
        yield Line(f"{text}, {_gate(unknown_s, to_good_s, unseen_s, w)}", _bad(to_good_s))


def _done(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    g, clock = pack["glance"], pack_face(pack).clock
    times = sum(event["kind"] == "guard.divert" and bool(event["active"]) for event in pack["events"])
    yield Line(w["diverting"].format(n=times, kg=number(g["diverted_kg"])))
    said = speaker(pack, lang)
    for row in g["holds"]:
        until = clock(row["until"]) if row["until"] else clock(pack["end"])
        span = f"{clock(row['since'])} – {until}"
        why = (row["text_zh"] if lang == "zh" else None) or said(row["text"])
        yield Line(f"{w['run_held']} {span}: {why}")
    yield Line(w["suspect"].format(kg=number(g["suspect_kg"])))
    for row in g["actions"]:
        signed = f", {w['signed']}" if row["meaning"] else ""
        who = f"{person(row['who'])}{', ' + w['roles'].get(row['role'], row['role']) if row['role'] else ''}{signed}"
        what = f"{short(row['target'], pack)}, {w['did'].get(row['kind'], row['kind'])}"
        yield Line(f"{clock(row['time'])} {what}: {row['reason']} ({who})")
    if not g["actions"] and (g["unanswered"] or g["broken"]):
        yield Line(w["actions_none"], "bad")
    if g["unanswered"]:
        yield Line(f"{w['unanswered']} {', '.join(short(name, pack) for name in g['unanswered'])}", "bad")


def _people(pack: Mapping[str, Any], w: Mapping[str, Any], lang: str) -> Iterable[Line]:
    for row in pack["glance"]["people"]:
        roles = ", ".join(w["roles"].get(role, role) for role in row["roles"])
        did = [
            f"{w['did'].get(what) or titled(what, pack, lang)}{f' ×{n}' if n > 1 else ''}"
            for what, n in row["did"].items()
        ]
        yield Line(f"{person(row['who'])}{f' ({roles})' if roles else ''}: {', '.join(did)}")
    if not pack["glance"]["people"]:
        yield Line(w["nobody"])


def _places(pack: Mapping[str, Any], w: Mapping[str, Any], _lang: str) -> Iterable[Line]:
    g = pack["glance"]
    for status, row in g["places"].items():
        names = ", ".join(short(bag["bag_id"], pack) for bag in pack["bags"] if bag["status"] == status)
        look = "bad" if status in ("held", "rejected", "suspect") else ""
        yield Line(f"{w['places'][status]}: {_bags(row['bags'], w)}, {number(row['kg'])} kg ({names})", look)
    if not g["places"]:
        yield Line(w["no_bags"])
    if g["diverted_kg"]:
        yield Line(w["diverted"].format(kg=number(g["diverted_kg"])))


def _bags(count: int, w: Mapping[str, Any]) -> str:
    return str(w["bag_one"] if count == 1 else w["bag_many"]).format(n=count)


def why_suspect(one: Mapping[str, Any], pack: Mapping[str, Any], lang: str) -> str:
    """Why a bag is suspect: what the deviation says, in this language; else as it was written down."""
    for row in pack["deviations"]:
        if row["deviation_id"] == one["id"]:
            return str(row["text_zh"] if lang == "zh" else row["text"])
    return str(one["why"])


def short(name: str, pack: Mapping[str, Any]) -> str:
    """A bag's name without that of the run, which stands above it; a deviation by its limit and when it was found."""
    for row in pack["deviations"]:
        if row["deviation_id"] == name:
            return f"{row['ccp']} ({pack_face(pack).clock(row['opened'])})"
    return name.removeprefix(f"{pack['run']['run_id']}-")


def lot_name(name: str, w: Mapping[str, Any]) -> str:
    """A lot's name, or that nobody knows which it was."""
    return str(w["unknown_lot"]) if name == "?" else name


def recipe_line(pack: Mapping[str, Any], w: Mapping[str, Any]) -> str:
    """Who wrote, approved and put in force the recipe that was run."""
    one = pack["recipe"].get("approval")
    if one is None:
        return str(w["recipe_shipped"])
    moment = pack_face(pack).moment
    told = [f"{w['written_by']} {person(one['author'])} {moment(one['made_at'])}"]
    told.append(f"{w['approved_by']} {person(one['judged_by'])} {moment(one['judged_at'])}: {one['judgement']}")
    if one["activated_by"]:
        told.append(
            f"{w['in_force_by']} {person(one['activated_by'])} {moment(one['activated_at'])}: {one['activation']}"
        )
    return "; ".join(told)
