"""Labels for bags, as a sheet to print: what is in the bag in words, and the same in a QR code that any telephone reads
without a network. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined

from linecontrol.analysis.wallclock import Face

_WORDS = {
    "en": {
        "title": "Bag labels",
        "powder": "Kudzu starch powder",
        "bag": "Bag",
        "net": "Net",
        "moisture": "Moisture",
        "wb": "% wb",
        "aw": "Water activity",
        "closed": "Closed",
        "roots": "Roots",
        "status": "Status",
        "unknown": "unknown lot",
        "simulated": "Simulated plant: not food",
        "statuses": {
            "good": "good",
            "held": "HELD: do not use",
            "released": "released",
            "rejected": "REJECTED: not food",
        },
    },
    "zh": {
        "title": "袋标签",
        "powder": "葛根淀粉",
        "bag": "袋号",
        "net": "净重",
        "moisture": "水分",
        "wb": "% 湿基",
        "aw": "水分活度",
        "closed": "封袋时间",
        "roots": "原料批号",
        "status": "状态",
        "unknown": "批号不明",
        "simulated": "仿真设备：非食品",
        "statuses": {"good": "合格", "held": "扣留：禁止使用", "released": "已放行", "rejected": "拒收：非食品"},
    },
}


def label_text(line: str, bag: Mapping[str, Any]) -> str:
    """What the QR code says: lines of plain text, the bag's name first."""
    lots = " ".join(f"{row['lot_id']}:{100.0 * row['share']:.0f}%" for row in bag["lots"])
    rows = (
        f"BAG {bag['bag_id']}",
        f"LINE {line}",
        f"NET {bag['weight_kg']:.2f} kg",
        f"CLOSED {bag['closed_at']}",
        f"LOTS {lots}",
    )
    return "\n".join(rows)


def label_sheet(
    line: str, title: str, bags: Sequence[Mapping[str, Any]], lang: str, face: Face, *, is_simulated: bool
) -> str:
    """A whole HTML page with a label for each closed bag, for A4 paper. ``lang``: en or zh; ``face``: for its times."""
    rows = []
    for bag in bags:
        if bag["closed_at"] is None:
            continue
        code = segno.make(label_text(line, bag), error="m", micro=False)
        closed = f"{face.moment(bag['closed_at'])[:16]} {face.name}"
        rows.append({**bag, "closed": closed, "qr": code.svg_inline(scale=3, border=2, omitsize=True)})
    page = Environment(
        loader=PackageLoader("linecontrol.analysis", "templates"), autoescape=True, undefined=StrictUndefined
    ).get_template("labels.html")
    return page.render(words=_WORDS[lang], lang=lang, title=title, bags=rows, is_simulated=is_simulated)
