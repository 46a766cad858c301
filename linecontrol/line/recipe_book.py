"""The recipes of a line: shipped originals, and the versions its people have made of them.

A version is a draft until somebody with the right approves it, and is run only once it has been put in force; then the
one before it is retired. Shipped recipes are never changed: they are what the first version is copied from, and what is
in force until a site has its own. A run keeps the text it was started with, whatever happens here.

Belongs to the line's loop. Policy while the database cannot be read: nothing is started, because nobody knows which
version is in force. Policy while it cannot be written: the change is refused, and nothing has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from linecontrol.core.errors import ConfigError, Problem, StateError, StorageError
from linecontrol.core.model import Event, Severity
from linecontrol.history import Historian, RecipeVersionRow, RecipeVersionStore
from linecontrol.line.loading import Loading
from linecontrol.line.recipes import RecipeEntry, findings, read_recipe, shipped_recipes
from linecontrol.recipe.model import ControlRecipe, Recipe

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

SHIPPED = "shipped"
VERSIONS_MOST = 500  # of one recipe
RECIPES_MOST = 200
AWAY = "the recipes of this site cannot be read now: the database is away"


@dataclass(frozen=True, slots=True)
class Version:
    """One version as people see it; ``row`` is None for a shipped original."""

    recipe: Recipe
    row: RecipeVersionRow | None
    is_in_force: bool

    @property
    def state(self) -> str:
        return SHIPPED if self.row is None else self.row.state


class RecipeBook:
    """Which recipes there are, in which versions, and which of them is in force."""

    def __init__(self, line: Line) -> None:
        self._line = line
        historian = line.historian
        self._store: RecipeVersionStore | None = (
            historian.recipe_versions() if isinstance(historian, Historian) else None
        )
        self._rows: dict[str, RecipeVersionRow] = {}
        self._read: dict[str, Recipe] = {}  # by id: texts that have been looked at
        self._shipped: dict[str, RecipeEntry] | None = None
        self._lost: set[str] = set()  # recipes whose version in force cannot be read
        self._changing = asyncio.Lock()
        self._loading = Loading(self._read_kept, is_done=self._store is None)

    @property
    def is_loaded(self) -> bool:
        """Whether it is known what is in force."""
        return self._loading.is_done

    async def load(self) -> None:
        """Read what is kept, unless that has been done. Waits two seconds at most: no start hangs on a database."""
        await self._loading.load()

    def look(self) -> None:
        """See in the background whether what could not be read can be now; every five seconds at most."""
        self._loading.look()

    def close(self) -> None:
        """The line ends."""
        self._loading.close()

    async def _read_kept(self) -> None:
        if self._store is None:
            return
        rows, originals, read = await asyncio.to_thread(_read_all, self._store)
        self._shipped = {entry.name: entry for entry in originals}
        self._read = read
        self._rows = {row.id: row for row in rows if row.hash in read}
        for row in rows:
            if row.state == "active" and row.hash not in read:
                self._lost.add(row.name)
                text = f"Recipe {row.name} {row.version} is in force but cannot be read by this program: not offered"
                self._tell("recipe.unreadable", text, Severity.WARNING)

    # -- what there is
    @property
    def shipped(self) -> Mapping[str, RecipeEntry]:
        """Originals by name; read once."""
        if self._shipped is None:
            self._shipped = {entry.name: entry for entry in shipped_recipes()}
        return self._shipped

    def in_force(self) -> list[RecipeEntry]:
        """The recipes that can be run, by name, each in the version that is in force."""
        found = dict(self.shipped)
        for row in self._rows.values():
            if row.state == "active":
                found[row.name] = RecipeEntry(Path(f"{row.name} {row.version}"), self._recipe(row))
        return [found[name] for name in sorted(found) if name not in self._lost]

    def versions(self, name: str | None = None) -> list[Version]:
        """Every version, or those of one recipe; the newest first, the shipped original last."""
        rows = [row for row in self._rows.values() if name in (None, row.name)]
        active = {row.name for row in rows if row.state == "active"}
        made = [Version(self._recipe(row), row, row.state == "active") for row in rows]
        made.sort(key=lambda one: (one.recipe.name, _number(one.recipe.version)), reverse=True)
        originals = [e for e in self.shipped.values() if name in (None, e.name)]
        return [*made, *(Version(entry.recipe, None, entry.name not in active) for entry in originals)]

    def version(self, name: str, version: str) -> Version:
        """Raises LookupError for none."""
        found = next((one for one in self.versions(name) if one.recipe.version == version), None)
        if found is None:
            raise LookupError(f"there is no version {version!r} of a recipe {name!r}")
        return found

    def force_of(self, name: str) -> Version | None:
        """The version in force; None for a recipe that has none yet."""
        return next((one for one in self.versions(name) if one.is_in_force), None)

    def prepare(self, name: str, values: Mapping[str, Any]) -> ControlRecipe:
        """A recipe frozen for a run on this line, by its name or by a file's path.

        Raises ConfigError naming what is wrong and where, StateError while it is not known what is in force.
        """
        if is_file(name):
            entry = read_recipe(Path(name))
        else:
            if not self.is_loaded:
                raise StateError(f"not started: {AWAY}")
            known = {entry.name: entry for entry in self.in_force()}
            if name not in known:
                raise ConfigError([Problem("", None, "recipe", f"there is no recipe {name!r}", ", ".join(known))])
            entry = known[name]
        self._check(entry.recipe, str(entry.path))
        return entry.recipe.control(values)

    # -- what people do
    async def draft(
        self,
        name: str,
        recipe: Mapping[str, Any],
        who: str,
        note: str,
        *,
        version: str | None = None,
        expected: str = "",
    ) -> Version:
        """A new draft; with ``version`` a draft that is there is rewritten, if it still is as ``expected`` (its hash).

        A new one gets the next number. Raises ConfigError with every field that is wrong, StateError, StorageError.
        """
        async with self._changing:
            await self._known()
            old = None if version is None else self.version(name, version).row
            if version is not None:
                if old is None or old.state != "draft":
                    raise StateError(f"{name} {version} is not a draft: copy it into a new version")
                if expected and expected != old.hash:
                    raise StateError(f"{name} {version} has been changed since by {old.author}; look again")
            mine = self.versions(name)
            if version is None and (len(mine) >= VERSIONS_MOST or (not mine and self._count() >= RECIPES_MOST)):
                raise StateError(f"there are too many versions of {name} (accepted: up to {VERSIONS_MOST})")
            number = version or _next([one.recipe.version for one in mine], str(recipe.get("version", "")))
            found = self._checked(name, {**recipe, "version": number})
            base = old.based_on if old is not None else self._base_of(name)
            row = RecipeVersionRow(
                id=f"{name}:{number}",
                name=name,
                version=number,
                state="draft",
                text=found.text,
                hash=found.hash,
                based_on=base,
                author=who,
                note=note,
                made_at=self._now(),
            )
            await self._keep(row)
            return Version(found, row, is_in_force=False)

    async def judge(self, name: str, version: str, who: str, why: str, *, is_good: bool) -> Version:
        """Approve or reject a draft. Where the site wants four eyes, nobody approves what they wrote themselves."""
        async with self._changing:
            await self._known()
            row = self._own(name, version, ("draft",), "is judged once, as a draft")
            if is_good:
                if self._line.config.line.four_eyes and row.author == who:
                    raise StateError(f"{name} {version} was written by {who}: somebody else must approve it")
                self._check(self._recipe(row), f"{name} {version}")  # the line may have changed since
            state = "approved" if is_good else "rejected"
            row = replace(row, state=state, judged_by=who, judgement=why, judged_at=self._now())
            await self._keep(row)
            self._tell(f"recipe.{state}", f"Recipe {name} {version} was {state} by {who}: {why}")
            return self.version(name, version)

    async def activate(self, name: str, version: str, who: str, why: str) -> Version:
        """Put a version in force: an approved one, one that was in force before, or the shipped original."""
        async with self._changing:
            await self._known()
            now = self._now()
            rows = [
                replace(row, state="retired", retired_at=now)
                for row in self._rows.values()
                if row.name == name and row.state == "active" and row.version != version
            ]
            if self.version(name, version).row is not None:
                row = self._own(name, version, ("approved", "retired"), "is put in force once it is approved")
                self._check(self._recipe(row), f"{name} {version}")
                rows.append(replace(row, state="active", activated_by=who, activation=why, activated_at=now))
            elif not rows:
                raise StateError(f"{name} {version} is in force already")
            await self._keep(*rows)
            self._lost.discard(name)
            self._tell("recipe.activated", f"Recipe {name} {version} is in force, by {who}: {why}")
            return self.version(name, version)

    # -- parts
    async def _known(self) -> None:
        await self.load()
        if not self.is_loaded:
            raise StorageError(AWAY)

    def _own(self, name: str, version: str, states: Iterable[str], rule: str) -> RecipeVersionRow:
        row = self.version(name, version).row
        if row is None or row.state not in states:
            state = SHIPPED if row is None else row.state
            raise StateError(f"{name} {version} is {state}; a version {rule}")
        return row

    def _count(self) -> int:
        return len({row.name for row in self._rows.values()})

    def _base_of(self, name: str) -> str:
        force = self.force_of(name)
        return "" if force is None else force.recipe.version

    def _checked(self, name: str, mapping: Mapping[str, Any]) -> Recipe:
        where = f"{name} {mapping['version']}"
        try:
            recipe = Recipe.from_mapping(mapping)
        except ValidationError as error:
            rows = error.errors(include_url=False)
            raise ConfigError(
                [Problem(where, None, _dotted(e["loc"]), *_split(e["msg"].removeprefix("Value error, "))) for e in rows]
            ) from error
        if recipe.name != name:
            raise ConfigError([Problem(where, None, "name", f"is {recipe.name!r}", name)])
        self._check(recipe, where)
        return recipe

    def _check(self, recipe: Recipe, where: str) -> None:
        wrong = findings(recipe, self._line.config)
        if wrong:
            raise ConfigError([Problem(where, None, _dotted(loc), text, accepted) for loc, text, accepted in wrong])

    def _recipe(self, row: RecipeVersionRow) -> Recipe:
        known = self._read.get(row.hash)
        if known is None:
            known = self._read[row.hash] = Recipe.from_mapping(json.loads(row.text))
        return known

    async def _keep(self, *rows: RecipeVersionRow) -> None:
        if self._store is not None:
            await asyncio.to_thread(self._store.save, *rows)
        self._rows |= {row.id: row for row in rows}

    def _now(self) -> float:
        return self._line.clock.now()

    def _tell(self, kind: str, text: str, severity: Severity = Severity.INFO) -> None:
        self._line.emit(Event(self._now(), kind, "recipe", text, severity))


def _read_all(
    store: RecipeVersionStore,
) -> tuple[list[RecipeVersionRow], list[RecipeEntry], dict[str, Recipe]]:
    """In a thread: what is kept, the originals, and the texts that can be read, by hash. Raises StorageError."""
    rows, read = store.versions(), {}
    for row in rows:
        with contextlib.suppress(ValidationError, ValueError):
            read[row.hash] = Recipe.from_mapping(json.loads(row.text))
    return rows, shipped_recipes(), read


def is_file(name: str) -> bool:
    """Whether this is a recipe file's path rather than a recipe's name."""
    return name.endswith((".yaml", ".yml")) or "/" in name


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _next(known: Iterable[str], wished: str) -> str:
    """``wished`` when it is newer than all that are there, else the next one."""
    newest = max((_number(version) for version in known), default=(0, 9))
    try:
        if _number(wished) > newest:
            return wished
    except ValueError:
        pass
    return f"{newest[0]}.{newest[1] + 1}" if newest != (0, 9) else "1.0"


def _dotted(loc: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in loc)


def _split(message: str) -> tuple[str, str]:
    """A message and what is accepted, where it says so in brackets at its end."""
    text, found, accepted = message.rpartition(" (accepted: ")
    return (text, accepted.removesuffix(")")) if found else (message, "")
