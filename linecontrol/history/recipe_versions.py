"""Versions of recipes that a site has made, as they are kept. Blocking: call it from a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linecontrol.history.small_store import SmallStore, row_of

if TYPE_CHECKING:
    from linecontrol.history.reader import HistoryReader


@dataclass(frozen=True, slots=True)
class RecipeVersionRow:
    """One version. Times are line time [s since 1970, UTC].

    Attributes:
        id: ``NAME:VERSION``.
        state: ``draft``, ``approved``, ``active`` (in force), ``retired`` (was in force) or ``rejected``.
        text: the recipe as JSON. hash: its sha256. based_on: the version it was made from; empty = none.
        author: who wrote it last. note: what was changed, and why.
        judged_by, judgement, judged_at: who approved or rejected it, why, when.
        activated_by, activation, activated_at: who put it in force last, why, when. retired_at: when it was replaced.
    """

    id: str
    name: str
    version: str
    state: str
    text: str
    hash: str
    based_on: str
    author: str
    note: str
    made_at: float
    judged_by: str = ""
    judgement: str = ""
    judged_at: float | None = None
    activated_by: str = ""
    activation: str = ""
    activated_at: float | None = None
    retired_at: float | None = None


class RecipeVersionStore:
    """Keeps them in the database of a history that is open. Raises StorageError for whatever the database says."""

    def __init__(self, url: str, line: str) -> None:
        self._store = SmallStore(url, line, {RecipeVersionRow: "recipe_version"}, "versions of recipes")

    def versions(self) -> list[RecipeVersionRow]:
        return self._store.all(RecipeVersionRow)

    def save(self, *rows: RecipeVersionRow) -> None:
        """Keep these versions, in one transaction; one that is there already is replaced."""
        self._store.save(*rows)


def version_run(reader: HistoryReader, recipe_hash: str) -> RecipeVersionRow | None:
    """The site's own version whose text a run has run, with who approved it; None for a shipped recipe or a file."""
    import sqlalchemy as sa

    from linecontrol.history import schema

    table = schema.recipe_version
    with reader.opened() as (connection, line_id):
        if not sa.inspect(connection).has_table(table.name):
            return None
        query = table.select().where(table.c.line_id == line_id, table.c.hash == recipe_hash)
        judged = query.where(table.c.judged_us.is_not(None), table.c.state != "rejected")
        row = connection.execute(judged.order_by(table.c.made_us.desc())).mappings().first()
    return None if row is None else row_of(RecipeVersionRow, dict(row))
