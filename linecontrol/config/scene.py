"""All that is known of a line while its file is checked: its stations, their tags, and what went missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from linecontrol.config.brand import Brand
from linecontrol.config.document import Document, Loc
from linecontrol.config.endpoint import Endpoint
from linecontrol.config.fields import near_names
from linecontrol.config.line import LineFile, StationAt
from linecontrol.config.reading import Checked
from linecontrol.config.station import Placed, StationProfile
from linecontrol.core.errors import Problem
from linecontrol.core.model import DataType, Tag


@dataclass(frozen=True)
class Site:
    """One station of a line.

    Attributes:
        checked: its station file; None when there is none.
        brand: with the line's settings applied; None when the file is missing or wrong.
        endpoint: None when the URL is wrong.
        placed: its tags; empty when brand or station are too wrong.
    """

    name: str
    at: StationAt
    checked: Checked[StationProfile] | None = None
    brand: Brand | None = None
    shipped_brand: Brand | None = None
    endpoint: Endpoint | None = None
    placed: tuple[Placed, ...] = ()

    @property
    def profile(self) -> StationProfile | None:
        return self.checked.model if self.checked is not None else None


@dataclass(frozen=True)
class Scene:
    """A line file with its stations, for the rules to look at."""

    checked: Checked[LineFile]
    line: LineFile
    sites: Mapping[str, Site]
    owners: Mapping[str, tuple[Site, Placed]] = field(default_factory=dict)

    @property
    def doc(self) -> Document:
        return self.checked.doc

    @property
    def is_whole(self) -> bool:
        """False when a station could not be read: then an unknown tag may be one of its."""
        return all(site.profile is not None for site in self.sites.values())

    def tag(self, name: str) -> Tag | None:
        """The tag of that name, if its row is sound."""
        found = self.owners.get(name)
        return found[1].tag if found is not None else None

    def is_declared(self, name: str) -> bool:
        """True when some station file has a row of that name, or when that cannot be known."""
        if name in self.owners or not self.is_whole:
            return True
        return any(name in site.checked.declared("tags") for site in self.sites.values() if site.checked)

    def unknown(self, loc: Loc, name: str, known: list[str] | None = None) -> Iterator[Problem]:
        """The problem of naming a tag that no station has."""
        if not self.is_declared(name):
            names = sorted(self.owners) if known is None else known
            yield self.doc.problem(loc, f"{name} is no tag of this line", near_names(name, names))

    def number(self, loc: Loc, name: str) -> Iterator[Problem]:
        """Problems of a tag that must exist and be a number."""
        yield from self.unknown(loc, name)
        tag = self.tag(name)
        if tag is not None and tag.type in (DataType.BOOL, DataType.STRING):
            yield self.doc.problem(loc, f"{name} is a {tag.type}", "a tag that is a number")

    def within(self, loc: Loc, value: float, low: float, high: float, what: str) -> Iterator[Problem]:
        """The problem of a value outside limits."""
        if not low <= value <= high:
            yield self.doc.problem(loc, f"{value:g} lies outside {what}", f"{low:g} to {high:g}")
