"""`linecontrol bags`, `recall`, `evidence` and `verify`: asked of the history itself, with or without a controller."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from linecontrol.cli.options import Json
from linecontrol.cli.output import BAD_INPUT, DONE, FAILED, paper, people, print_json, stop
from linecontrol.cli.records import folder_of, folders
from linecontrol.core.errors import ConfigError, LineError, StorageError

if TYPE_CHECKING:
    from linecontrol.history import HistoryReader

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the historian; default: every one of this user.")]
Lang = Annotated[Literal["en", "zh"], typer.Option("--lang", help="Language: en or zh.")]
Run = Annotated[str, typer.Argument(help="Run, or: last")]


@contextmanager
def _history(folder: Path) -> Iterator[HistoryReader]:
    from linecontrol.history import open_reader

    try:
        with open_reader(f"sqlite:///{folder / 'history.sqlite3'}") as reader:
            yield reader
    except ConfigError as error:
        stop(str(error), BAD_INPUT)
    except LineError as error:
        stop(str(error), FAILED)


def bags(
    run: Run = "last",
    labels: Annotated[Path | None, typer.Option(help="Write a sheet of labels with QR codes (HTML) here.")] = None,
    lang: Lang = "en",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """The bags of a run, and labels for them."""
    from linecontrol.history.trace import traced
    from linecontrol.line.bag_acts import bag_view

    folder, name = folder_of(data, run)
    with _history(folder) as reader:
        found, record = traced(reader, name), reader.run(name)
    rows = [bag_view(bag, found, found.acts) for bag in found.bags]
    if labels is not None:
        from linecontrol.analysis.labels import label_sheet
        from linecontrol.analysis.wallclock import face_of

        facts = {} if record is None else record.record
        title = (facts.get("line_title") or {}).get(lang) or str(facts.get("line", ""))
        about, face = str(facts.get("line", "")), face_of(facts)
        sheet = label_sheet(about, title, rows, lang, face, is_simulated=bool(facts.get("simulated")))
        labels.write_text(sheet, encoding="utf-8")
        people.print(f"Labels of {name}: {labels}", markup=False, soft_wrap=True)
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Bag", "Status", "kg", "% wb", "Water activity", "Roots", "Suspect"):
        table.add_column(title)
    for row in rows:
        aw = "-" if row["water_activity"] is None else _activity(row)
        roots = ", ".join(f"{lot['lot_id']} {100 * lot['share']:.0f} %" for lot in row["lots"])
        moisture = "-" if row["moisture_mean_pct_wb"] is None else f"{row['moisture_mean_pct_wb']:.2f}"
        why = "; ".join(one["why"] for one in row["suspects"])
        table.add_row(
            row["bag_id"].removeprefix(f"{name}-"), row["status"], f"{row['weight_kg']:.2f}", moisture, aw, roots, why
        )
    if rows:
        paper.print(f"Bags of {name}; their names in full: {name}-B…", markup=False, soft_wrap=True)
    paper.print(table)


def _activity(row: dict[str, Any]) -> str:
    return f"{row['water_activity']:.2f} ({row['water_activity_low']:.2f} to {row['water_activity_high']:.2f})"


def recall(
    lot: Annotated[str | None, typer.Option(help="Which bags hold powder of this root lot?")] = None,
    bag: Annotated[str | None, typer.Option(help="Which roots made this bag?")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Recall, both ways: from a root lot to its bags, and from a bag to its roots."""
    if (lot is None) == (bag is None):
        stop("give either --lot or --bag", BAD_INPUT)
    missing = ""
    for folder in folders(data):
        with _history(folder) as reader:
            try:
                answer = _of_lot(reader, lot) if lot is not None else _of_bag(reader, str(bag))
            except StorageError as error:
                missing = str(error)
                continue
        if as_json:
            print_json(answer)
        else:
            _show_recall(answer)
        return
    stop(missing, BAD_INPUT)


def _of_lot(reader: HistoryReader, lot: str) -> dict[str, Any]:
    from linecontrol.history.trace import NO_LOT, bags_of_lot
    from linecontrol.line.lots import lot_view

    found, bags = bags_of_lot(reader, lot)
    unnamed = [] if lot == NO_LOT else bags_of_lot(reader, NO_LOT)[1]
    rows = [
        {
            "bag_id": one.bag.bag_id,
            "run_id": one.bag.run_id,
            "status": one.bag.status,
            "weight_kg": one.bag.weight_kg,
            "share": one.share,
            "kg": one.kg,
        }
        for one in bags
    ]
    return {
        **lot_view(found),
        "bags": rows,
        "bags_kg": round(sum(one.kg for one in bags), 3),
        "unnamed_bags": len(unnamed),
    }


def _of_bag(reader: HistoryReader, bag: str) -> dict[str, Any]:
    from linecontrol.history.lots import Traced
    from linecontrol.history.trace import roots_of_bag
    from linecontrol.line.bag_acts import act_view, bag_view
    from linecontrol.line.lots import lot_view

    found = roots_of_bag(reader, bag)
    view = bag_view(found.bag, Traced(lots=found.lots), found.acts)
    return {**view, "roots": [lot_view(lot) for lot in found.lots], "acts": [act_view(act) for act in found.acts]}


def _show_recall(answer: dict[str, Any]) -> None:
    if "bags" in answer:
        facts = f"Lot {answer['lot_id']} ({answer['species']}, {answer['received_kg']:g} kg)"
        facts = "Roots that nobody named" if answer["lot_id"] == "?" else facts
        paper.print(f"{facts}: {answer['bags_kg']:g} kg of powder in {len(answer['bags'])} bags", markup=False)
        for row in answer["bags"]:
            text = f"  {row['bag_id']}  {row['status']:9} {row['kg']:7.2f} kg of {row['weight_kg']:.2f}"
            paper.print(f"{text} ({100 * row['share']:.1f} %)", markup=False, soft_wrap=True)
        if answer["unnamed_bags"]:
            text = f"  Roots that nobody named are in {answer['unnamed_bags']} bags more: linecontrol recall --lot '?'"
            paper.print(text, markup=False, soft_wrap=True)
        return
    paper.print(f"Bag {answer['bag_id']}: {answer['status']}, {answer['weight_kg']:.2f} kg", markup=False)
    roots = {row["lot_id"]: row for row in answer["roots"]}
    for lot in answer["lots"]:
        facts = roots.get(lot["lot_id"], {})
        words = ", ".join(str(facts[key]) for key in ("species", "origin", "grower", "harvested") if facts.get(key))
        paper.print(f"  {lot['lot_id']:20} {100 * lot['share']:5.1f} %  {lot['kg']:7.2f} kg  {words}", markup=False)
    for one in answer["suspects"]:
        paper.print(f"  suspect {one['id']} ({100 * one['share']:.0f} %): {one['why']}", markup=False)
    for act in answer["acts"]:
        paper.print(f"  {act['time']} {act['kind']} {act['target']}: {act['reason']} ({act['who']})", markup=False)


def evidence(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="File to write: .html, .json or .pdf.")],
    lang: Lang = "en",
    data: Data = None,
) -> None:
    """Write the evidence pack of a run: all that is on record of it, for people (HTML, PDF) or programs (JSON)."""
    from linecontrol.analysis.evidence import gather, page

    folder, name = folder_of(data, run)
    kind = out.suffix.lower()
    if kind not in (".html", ".json", ".pdf"):
        stop(f"--out {out}: not understood (accepted: a name that ends in .html, .json or .pdf)", BAD_INPUT)
    with _history(folder) as reader:
        pack = gather(reader, name, time.time())
    if kind == ".json":
        out.write_text(json.dumps(pack, ensure_ascii=False, indent=1), encoding="utf-8")
    elif kind == ".html":
        out.write_text(page(pack, lang), encoding="utf-8")
    else:
        from linecontrol.analysis.evidence.pdf import write_pdf

        try:
            write_pdf(pack, lang, out)
        except ImportError:
            stop("a PDF needs the extra `pdf`: pip install 'linecontrol[pdf]'. The HTML page prints as well", BAD_INPUT)
    people.print(f"Evidence of {name}: {out}", markup=False, soft_wrap=True)
    people.print(f"Chain of evidence: {pack['chain']['links']} links, head {pack['chain']['head']}", markup=False)


def verify(
    pack: Annotated[
        Path | None, typer.Option(help="An evidence pack (HTML or JSON) to hold against the history.")
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(help="A file kept elsewhere: its heads are looked for, and today's is added when all is sound."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Look whether any record of evidence was changed, removed, added, reordered or cut off. Exit 3 when one was."""
    from linecontrol.analysis.evidence import check_pack, pack_in
    from linecontrol.history import verify as looking
    from linecontrol.history.chain import Head

    all_found = []
    for folder in folders(data):
        with _history(folder) as reader:
            anchors = _anchors(anchor, folder)
            if pack is not None:
                packed = pack_in(pack.read_text(encoding="utf-8"), str(pack))
                if reader.run(str(packed["run"]["run_id"])) is None and data is None:
                    continue  # of another line
                found = check_pack(reader, packed)
                also = looking.verify(reader, anchors).findings if anchors else ()
                known = set(found.findings)
                extra = [one for one in also if one not in known]
                found = replace(found, findings=[*found.findings, *extra], anchors=found.anchors + len(anchors))
            else:
                found = looking.verify(reader, anchors)
        all_found.append((folder, found))
        if anchor is not None and found.is_sound:
            _keep_anchor(anchor, folder, Head(found.head.count, found.head.hash))
    if not all_found:
        stop(f"no history here has the run of {pack}", BAD_INPUT)
    if as_json:
        print_json([{"folder": str(folder), **looking.as_json(found)} for folder, found in all_found])
    else:
        for folder, found in all_found:
            _show_verified(folder, found)
    raise typer.Exit(DONE if all(found.is_sound for _, found in all_found) else FAILED)


def _show_verified(folder: Path, found: Any) -> None:
    head = f"{found.head.count} links, head {found.head.hash[:16]}…"
    if found.is_sound:
        against = f", against {found.anchors} heads kept elsewhere" if found.anchors else ""
        text = f"{folder}: sound. {found.records} records are as they were written ({head}{against})."
        if not found.anchors:
            text += " A cut-off tail shows only against a pack (--pack) or an anchor file (--anchor)."
        paper.print(text, markup=False, soft_wrap=True)
    else:
        paper.print(f"{folder}: NOT sound ({head}):", markup=False, soft_wrap=True)
        for one in found.findings[:50]:
            paper.print(f"  {one.what:8} {one.text}", markup=False, soft_wrap=True)
    for text in found.known:
        paper.print(f"  known    {text}", markup=False, soft_wrap=True)
    if found.statement:
        paper.print(f"  {found.statement}", markup=False, soft_wrap=True)


def _anchors(anchor: Path | None, folder: Path) -> list[Any]:
    from linecontrol.history.chain import Head

    if anchor is None or not anchor.exists():
        return []
    rows = [json.loads(line) for line in anchor.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Head(int(row["links"]), str(row["head"])) for row in rows if row["history"] == folder.name]


def _keep_anchor(anchor: Path, folder: Path, head: Any) -> None:
    row = {
        "history": folder.name,
        "links": head.count,
        "head": head.hash,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    with anchor.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
