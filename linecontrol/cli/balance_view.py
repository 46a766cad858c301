"""The balance and the versions of a run's record as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from linecontrol.cli.output import paper

if TYPE_CHECKING:
    from linecontrol.history import VersionRow


def print_balance(record: Mapping[str, Any], versions: Sequence[VersionRow]) -> None:
    """Streams measured and reconciled, what the tests say, and who made which version; nothing for an older record."""
    balance = record.get("balance")
    if balance and "refused" in balance:
        paper.print(f"\nThe balance cannot be made: {balance['refused']}", markup=False, soft_wrap=True)
    elif balance:
        paper.print(_streams(balance))
        paper.print(balance["statement"], markup=False, soft_wrap=True)
    if versions:
        paper.print(_versions(versions, record.get("version")))


def _streams(balance: Mapping[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Balance [kg, kg/kg; ± k = 1]", title_justify="left")
    for column in ("", "measured", "reconciled", "test", "from"):
        table.add_column(column, justify="left" if column in ("", "from") else "right")
    suspects = {name for row in balance["gross_error"]["suspects"] for name in row["names"]}
    for name, row in balance["streams"].items():
        test = "" if row["z"] is None else f"{row['z']:+.1f}"
        mark = " ◀ suspect" if name in suspects else ""
        source = row["kind"] if row["kind"] in ("none", "assumed") else f"{row['kind']}: {row['source']}"
        table.add_row(
            escape(name),
            _figures(row["measured"], row["u"]),
            _figures(row["reconciled"], row["u_reconciled"]),
            test + mark,
            escape("worked out" if source == "none" else source),
        )
    return table


def _versions(versions: Sequence[VersionRow], shown: Any) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Versions of this record", title_justify="left")
    for column in ("", "made", "by", "why", "yield reconciled %"):
        table.add_column(column)
    for row in versions:
        best, u = row.record.get("extraction_yield_reconciled"), row.record.get("extraction_yield_reconciled_u")
        text = "-" if best is None else f"{100 * best:.1f} ± {100 * (u or 0.0):.1f}"
        made = str(row.record.get("version_at", "")).replace("T", " ").split(".")[0]
        mark = " ◀ shown" if row.version == shown else ""
        table.add_row(f"{row.version}{mark}", made, escape(row.who), escape(row.why), text)
    return table


def _figures(value: float | None, u: float | None) -> str:
    """With as many digits as the uncertainty has to say something."""
    if value is None:
        return "-"
    if not u:
        return f"{value:.6g}"
    digits = max(0, 1 - math.floor(math.log10(u)))
    return f"{value:.{digits}f} ± {u:.{digits}f}"
