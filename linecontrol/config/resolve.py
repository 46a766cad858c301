"""A line file with all it refers to, checked and frozen: what the composition root builds the line from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from linecontrol.config.access import Access, access_of
from linecontrol.config.address import Table
from linecontrol.config.alarm import ControllerAlarms
from linecontrol.config.brand import Brand
from linecontrol.config.endpoint import Endpoint, EndpointError, parse_endpoint
from linecontrol.config.fields import near_names
from linecontrol.config.files import find_file, line_path
from linecontrol.config.library import Library
from linecontrol.config.line import LineFile
from linecontrol.config.reporting import Reporting, reporting_of
from linecontrol.config.scene import Site
from linecontrol.config.station import Probe, StationProfile
from linecontrol.config.tag_rules import wire_of
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Tag


@dataclass(frozen=True, slots=True)
class StationConfig:
    """One station, ready to be built.

    Attributes:
        brand: with the line's ``settings`` applied.
        scan_s: scan period [s, real time]: the line's, else the profile's.
        namespace: OPC UA namespace URI: the profile's, else the brand's; empty for Modbus.
        wires: Modbus table and wire register by tag; empty for OPC UA.
        probes: what a technician's probe expects, by tag.
        fingerprint: SHA-256 over all that decides how a value is read or written. A probe accepted under one
            fingerprint says nothing about another. Titles, notes and sources do not count; nor does the endpoint.
        access: certificates and user name for its server.
        reporting: whether its server is asked or reports.
    """

    name: str
    profile: StationProfile
    brand: Brand
    endpoint: Endpoint
    scan_s: float
    namespace: str
    tags: tuple[Tag, ...]
    wires: Mapping[str, tuple[Table, int]]
    probes: Mapping[str, Probe]
    fingerprint: str
    access: Access
    reporting: Reporting


@dataclass(frozen=True, slots=True)
class LineConfig:
    """A whole line, checked."""

    path: Path
    line: LineFile
    stations: Mapping[str, StationConfig]
    controller_alarms: ControllerAlarms

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Every tag of every station, in file order."""
        return tuple(tag for station in self.stations.values() for tag in station.tags)

    def with_endpoints(self, urls: Mapping[str, str]) -> LineConfig:
        """The same line with other endpoints, by station; stations that are not named keep theirs.

        Raises ConfigError for an unknown station, a wrong URL or one of another protocol.
        """
        problems = []
        stations = dict(self.stations)
        for name, url in urls.items():
            station = stations.get(name)
            if station is None:
                accepted = near_names(name, sorted(self.stations))
                problems.append(Problem("", None, name, "is no station of this line", accepted))
                continue
            try:
                endpoint = parse_endpoint(url)
            except EndpointError as error:
                problems.append(Problem("", None, name, str(error), error.accepted))
                continue
            if endpoint.protocol != station.brand.protocol:
                message = f"{endpoint.scheme} does not speak {station.brand.protocol}"
                problems.append(Problem("", None, name, message, station.endpoint.scheme))
            stations[name] = replace(station, endpoint=endpoint)
        if problems:
            raise ConfigError(problems)
        return replace(self, stations=MappingProxyType(stations))


CONTROLLER = "controller"
"""Name of the file with the alarms of the controller itself."""


def read_line(path: Path | str) -> LineConfig:
    """Read a line file with its stations and brands.

    Args:
        path: a file, or the bare name of a shipped line such as ``demo``. Stations and brands are looked for beside
            it (``../stations``, ``../brands`` or the same folder), then among the shipped ones.
    Raises:
        ConfigError: with every problem in every file.
    """
    path = line_path(path)
    library = Library()
    scene = library.line(path)
    own = find_file("alarms", CONTROLLER, [path])
    alarms = library.controller_alarms(own) if own is not None else None
    if library.problems or scene is None:
        raise ConfigError(library.problems)
    stations = {name: _station(site, path) for name, site in scene.sites.items()}
    if alarms is None:
        raise ConfigError("the file alarms/controller.yaml of this installation is missing")
    return LineConfig(path, scene.line, MappingProxyType(stations), alarms)


def _station(site: Site, line_file: Path) -> StationConfig:
    profile, brand, endpoint = site.profile, site.brand, site.endpoint
    if profile is None or brand is None or endpoint is None:
        raise ConfigError(f"station {site.name} cannot be read")
    tags = tuple(placed.tag for placed in site.placed)
    wires: dict[str, tuple[Table, int]] = {}
    for tag in tags:
        wire = wire_of(tag, brand)
        if wire is not None:
            wires[tag.name] = (wire.table, wire.register)
    probes = {placed.tag.name: placed.row.probe for placed in site.placed if placed.row.probe is not None}
    namespace = (profile.namespace or brand.namespace) if brand.protocol == "opcua" else ""
    scan_s = site.at.scan_s or profile.scan_s
    return StationConfig(
        name=site.name,
        profile=profile,
        brand=brand,
        endpoint=endpoint,
        scan_s=scan_s,
        namespace=namespace,
        tags=tags,
        wires=MappingProxyType(wires),
        probes=MappingProxyType(probes),
        fingerprint=fingerprint(profile, brand, namespace, tags, wires, probes),
        access=access_of(site.at.settings, line_file),
        reporting=reporting_of(site.at.settings, scan_s),
    )


def fingerprint(
    profile: StationProfile,
    brand: Brand,
    namespace: str,
    tags: tuple[Tag, ...],
    wires: Mapping[str, tuple[Table, int]],
    probes: Mapping[str, Probe],
) -> str:
    """SHA-256 [hex] over what decides how values are read and written at a station."""
    content: dict[str, Any] = {
        "brand": [brand.name, brand.protocol, brand.word_order, brand.byte_order, namespace],
        "roles": profile.roles,
        "safe_outputs": profile.safe_outputs.model_dump(),
        "tags": [
            [
                t.name,
                t.address,
                t.type,
                t.bit,
                t.scale,
                t.offset,
                t.unit,
                t.low,
                t.high,
                t.writable,
                t.methods,
                t.choices,
            ]
            for t in tags
        ],
        "wires": wires,
        "probes": {name: probe.model_dump() for name, probe in probes.items()},
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()
