"""Rules for interlock rows beyond the types of their fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from linecontrol.config.document import Document, Loc
from linecontrol.config.interlock import InterlockRow
from linecontrol.core.errors import Problem
from linecontrol.core.expression import ExpressionError, parse
from linecontrol.core.model import DataType, Tag

Find = Callable[[str], Tag | None]
Unknown = Callable[[Loc, str], Iterator[Problem]]


def interlock_problems(
    doc: Document, rows: Sequence[tuple[int, InterlockRow]], find: Find, unknown: Unknown
) -> Iterator[Problem]:
    """What is wrong with interlocks. ``find`` gives a sound tag, ``unknown`` the problem of none."""
    names: dict[str, int] = {}
    for at, row in rows:
        loc: Loc = ("interlocks", at)
        first = names.setdefault(row.name.casefold(), at)
        if first != at:
            yield doc.problem((*loc, "name"), f"the interlock {row.name} is given twice", "a name of its own")
        yield from _value(doc, (*loc, "value"), row, find, unknown)
        low, high = row.limits
        if row.low is None and row.high is None:
            yield doc.problem((*loc, "high"), "neither low nor high is given", "low, high or both")
        elif not low + row.deadband <= high - row.deadband:
            message = f"nothing lies between {low:g} and {high:g} with a deadband of {row.deadband:g}"
            yield doc.problem((*loc, "high"), message, "a wider range or a smaller deadband")
        for n, need in enumerate(row.needs):
            yield from unknown((*loc, "needs", n, "tag"), need.tag)
        yield from _refuses(doc, loc, row, find, unknown)
        if row.stage is not None and not row.oprp and "divert" not in row.then:
            yield doc.problem((*loc, "stage"), "its trip is no deviation", "oprp: true, then: divert, or no stage")
        if not row.refuses and not row.then:
            yield doc.problem((*loc, "then"), "it refuses nothing and does nothing", "refuses, then or both")


def _value(doc: Document, loc: Loc, row: InterlockRow, find: Find, unknown: Unknown) -> Iterator[Problem]:
    try:
        expression = parse(row.value)
    except ExpressionError as error:
        said, _, accepted = str(error).partition(" (accepted: ")
        yield doc.problem(loc, said, accepted.removesuffix(")"))
        return
    for tag in expression.tags:
        yield from unknown(loc, tag)
        found = find(tag)
        if found is not None and found.type is DataType.STRING:
            yield doc.problem(loc, f"{tag} is a text", "a tag that is a number or a bool")


def _refuses(doc: Document, loc: Loc, row: InterlockRow, find: Find, unknown: Unknown) -> Iterator[Problem]:
    for n, refused in enumerate(row.refuses):
        here: Loc = (*loc, "refuses", n)
        yield from unknown((*here, "tag"), refused.tag)
        tag = find(refused.tag)
        if tag is not None and not tag.writable:
            yield doc.problem((*here, "tag"), f"{refused.tag} is not writable", "a writable tag")
        if refused.above is None and refused.below is None:
            yield doc.problem((*here, "above"), "neither above nor below is given", "above, below or both")
