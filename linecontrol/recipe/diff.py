"""What differs between two versions of a recipe, in the words a person finds it by. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NOT_COMPARED = frozenset({"version"})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. ``path`` from the top, rows by their names; ``old`` or ``new`` None = not there."""

    path: tuple[str, ...]
    old: Any
    new: Any

    @property
    def where(self) -> str:
        return ".".join(self.path)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """From ``old`` to ``new`` (recipes as mappings), in the order of ``new``; the version's own number left out."""
    return list(_changes(_without(old), _without(new), ()))


def _without(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in recipe.items() if key not in _NOT_COMPARED}


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    before, after = _members(old), _members(new)
    if before is None or after is None or bool(before) != bool(after):
        if not _same(old, new):
            yield Change(path, old, new)
        return
    for key in (*after, *(key for key in before if key not in after)):
        yield from _changes(before.get(key), after.get(key), (*path, key))
    order = [key for key in after if key in before]
    if isinstance(new, list) and order != [key for key in before if key in after]:
        yield Change((*path, "order"), list(before), list(after))


def _members(value: Any) -> dict[str, Any] | None:
    """Members by name, so that a row put in between moves nothing; None for what has none."""
    if isinstance(value, Mapping):
        return {str(key): one for key, one in value.items()}
    if isinstance(value, list):
        names = [str(one.get("name", "")) if isinstance(one, Mapping) else "" for one in value]
        if all(names) and len(set(names)) == len(names):
            return dict(zip(names, value, strict=True))
        return {str(i): one for i, one in enumerate(value)}
    return None


def _same(one: Any, other: Any) -> bool:
    """300 and 300.0 say the same; 1 and true do not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
