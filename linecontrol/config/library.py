"""Reads files once each, applies every rule, and keeps all problems in the order they were found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from linecontrol.config.alarm import ControllerAlarms
from linecontrol.config.alarm_rules import controller_problems
from linecontrol.config.brand import Brand
from linecontrol.config.brand_rules import brand_problems
from linecontrol.config.document import Document, load_document
from linecontrol.config.endpoint import EndpointError, parse_endpoint
from linecontrol.config.fields import near_names
from linecontrol.config.files import find_file, known_names
from linecontrol.config.line import ACCESS_KEYS, REPORTING_KEYS, LineFile, StationAt
from linecontrol.config.line_rules import line_problems
from linecontrol.config.reading import Checked, read_model
from linecontrol.config.scene import Scene, Site
from linecontrol.config.station import Placed, StationProfile
from linecontrol.config.station_rules import place_tags, station_problems
from linecontrol.core.errors import ConfigError, Problem

M = TypeVar("M", bound=BaseModel)


class Library:
    """The files of one check. Each problem is told once, however many lines use its file."""

    def __init__(self) -> None:
        self._documents: dict[Path, Document | None] = {}
        self._brands: dict[Path, Checked[Brand] | None] = {}
        self._stations: dict[tuple[Path, Path | None], Checked[StationProfile] | None] = {}
        self._problems: dict[Problem, None] = {}
        self._wrong_kinds: set[Path] = set()

    @property
    def problems(self) -> list[Problem]:
        """All problems found so far."""
        return list(self._problems)

    def tell(self, problems: Sequence[Problem]) -> None:
        """Add problems; those told already stay where they are."""
        self._problems.update(dict.fromkeys(problems))

    def tell_kind(self, doc: Document, message: str, accepted: str) -> None:
        """A problem of a file's kind; once for each file, however many look at it."""
        if doc.path.absolute() not in self._wrong_kinds:
            self._wrong_kinds.add(doc.path.absolute())
            self.tell([doc.problem(("kind",), message, accepted)])

    def document(self, path: Path) -> Document | None:
        """A file as read; None when it cannot be."""
        key = path.absolute()
        if key not in self._documents:
            try:
                self._documents[key] = load_document(path)
            except ConfigError as error:
                self.tell(error.problems)
                self._documents[key] = None
        return self._documents[key]

    def adopt(self, doc: Document) -> None:
        """Use a document that was read already instead of its file."""
        self._documents[doc.path.absolute()] = doc

    def brand(self, path: Path) -> Brand | None:
        """A brand; None when something in its file is wrong."""
        key = path.absolute()
        if key not in self._brands:
            self._brands[key] = self._read(path, Brand, "brand")
            checked = self._brands[key]
            if checked is not None:
                self.tell(brand_problems(checked))
        checked = self._brands[key]
        return checked.model if checked is not None and not checked.problems else None

    def station(self, path: Path, near: Sequence[Path] = ()) -> tuple[Checked[StationProfile] | None, Brand | None]:
        """A station with its brand. ``near``: files beside which brands are looked for, before the station's own."""
        checked = self._read(path, StationProfile, "station")
        if checked is None:
            return None, None
        brand, brand_path = self._brand_of(checked, [*near, path])
        key = (path.absolute(), brand_path)
        if key not in self._stations:
            self._stations[key] = checked
            self.tell(station_problems(checked, brand))
        return self._stations[key], brand

    def line(self, path: Path) -> Scene | None:
        """A line with its stations and brands, all rules applied; None when its file is too wrong."""
        checked = self._read(path, LineFile, "line")
        if checked is None or checked.model is None:
            return None
        sites = {name: self._site(checked, name, at) for name, at in checked.model.stations.items()}
        owners: dict[str, tuple[Site, Placed]] = {}
        for site in sites.values():
            for placed in site.placed:
                owners.setdefault(placed.tag.name, (site, placed))
        scene = Scene(checked, checked.model, sites, owners)
        self.tell(line_problems(scene))
        return scene

    def controller_alarms(self, path: Path) -> ControllerAlarms | None:
        """The controller's own alarms; None when something in their file is wrong."""
        checked = self._read(path, ControllerAlarms, "alarms")
        if checked is None:
            return None
        found = list(controller_problems(checked))
        self.tell(found)
        return checked.model if not (found or checked.problems) else None

    def _read(self, path: Path, model: type[M], kind: str) -> Checked[M] | None:
        doc = self.document(path)
        if doc is None:
            return None
        if doc.kind != kind:
            self.tell_kind(doc, f"this file is looked for as a {kind}", kind)
            return None
        checked = read_model(doc, model)
        self.tell(checked.problems)
        return checked

    def _brand_of(self, checked: Checked[StationProfile], near: Sequence[Path]) -> tuple[Brand | None, Path | None]:
        name = checked.model.brand if checked.model is not None else None
        if name is None:
            return None, None
        path = find_file("brand", name, near)
        if path is None:
            accepted = near_names(name, known_names("brand", near))
            self.tell([checked.doc.problem(("brand",), f"there is no brand {name}", accepted)])
            return None, None
        return self.brand(path), path.absolute()

    def _site(self, line: Checked[LineFile], name: str, at: StationAt) -> Site:
        doc = line.doc
        endpoint = None
        try:
            endpoint = parse_endpoint(at.endpoint)
        except EndpointError as error:
            self.tell([doc.problem(("stations", name, "endpoint"), str(error), error.accepted)])
        path = find_file("station", at.profile, [doc.path])
        if path is None:
            accepted = near_names(at.profile, known_names("station", [doc.path]))
            loc = ("stations", name, "profile")
            self.tell([doc.problem(loc, f"there is no station file {at.profile}", accepted)])
            return Site(name, at, endpoint=endpoint)
        checked, brand = self.station(path, [doc.path])
        if checked is None:
            return Site(name, at, endpoint=endpoint)
        settings = at.settings.model_dump(exclude_none=True, exclude={*ACCESS_KEYS, *REPORTING_KEYS})
        tuned = brand.model_copy(update=settings) if brand is not None else None
        return Site(name, at, checked, tuned, brand, endpoint, place_tags(checked, brand, name))
