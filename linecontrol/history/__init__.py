"""The historian's room: samples, events, commands, runs and recipes in a database; a spool on disk while it is away.

The only room that knows a database. Importing it is cheap: SQLAlchemy is taken when a history is opened, alembic when
one has to be made or migrated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linecontrol.history.access import AccessStore, SessionRow, TokenRow, UserRow
from linecontrol.history.alarms import AlarmStateRow
from linecontrol.history.audit import AuditRow
from linecontrol.history.guarded import BypassRow, CalibrationRow, DeviationRow
from linecontrol.history.historian import Historian
from linecontrol.history.intake import Counters
from linecontrol.history.lab import LabRow
from linecontrol.history.lots import ActRow, BagRow, LotRow, LotUseRow, Traced, TraceRow
from linecontrol.history.policy import Policy
from linecontrol.history.recipe_versions import RecipeVersionRow, RecipeVersionStore
from linecontrol.history.rows import QuarantinedRow, RecipeRow, RunRow
from linecontrol.history.versions import VersionRow

if TYPE_CHECKING:
    from linecontrol.history.reader import HistoryReader

__all__ = [
    "AccessStore",
    "ActRow",
    "AlarmStateRow",
    "AuditRow",
    "BagRow",
    "BypassRow",
    "CalibrationRow",
    "Counters",
    "DeviationRow",
    "Historian",
    "HistoryReader",
    "LabRow",
    "LotRow",
    "LotUseRow",
    "Policy",
    "QuarantinedRow",
    "RecipeRow",
    "RecipeVersionRow",
    "RecipeVersionStore",
    "RunRow",
    "SessionRow",
    "TokenRow",
    "TraceRow",
    "Traced",
    "UserRow",
    "VersionRow",
    "open_reader",
]


def open_reader(url: str, line: str | None = None) -> HistoryReader:
    """Open a history read-only, with or without a controller running. See ``linecontrol.history.reader``."""
    from linecontrol.history import reader

    return reader.open_reader(url, line)


def __getattr__(name: str) -> object:
    if name == "HistoryReader":
        from linecontrol.history.reader import HistoryReader

        return HistoryReader
    raise AttributeError(name)
