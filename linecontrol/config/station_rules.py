"""Rules for a station file beyond the types of its fields. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from linecontrol.config.alarm_rules import tag_alarm_problems
from linecontrol.config.brand import Brand
from linecontrol.config.document import Document, Loc
from linecontrol.config.fields import near_names
from linecontrol.config.interlock_rules import interlock_problems
from linecontrol.config.reading import Checked
from linecontrol.config.station import Placed, StationProfile, StationTag, tag_of
from linecontrol.config.tag_rules import Finding, probe_findings, tag_findings, value_finding, wire_of
from linecontrol.core.errors import Problem
from linecontrol.core.model import DataType

FIXED_BY_POINT = ("address", "type", "bit", "methods")
SCANS_IN_HEARTBEAT = 3  # fewer, and one late scan trips the PLC


def place_tags(checked: Checked[StationProfile], brand: Brand | None, station: str) -> tuple[Placed, ...]:
    """The tags of a station with what its brand adds. Rows that name an unknown point are left out."""
    if checked.model is None:
        return ()
    placed = []
    for at, row in enumerate(checked.model.tags):
        tag, point = tag_of(row, brand, station)
        if row.point is None or point is not None:
            placed.append(Placed(row, checked.row("tags", at), tag, point))
    return tuple(placed)


def station_problems(checked: Checked[StationProfile], brand: Brand | None) -> list[Problem]:
    """Everything wrong with a station that its model cannot see; without a brand, its places are not judged."""
    doc, profile = checked.doc, checked.model
    if profile is None:
        return []
    placed = place_tags(checked, brand, profile.name)
    sound = [p for p in placed if not (p.row.point is None and (p.row.address is None or p.row.type is None))]
    ours = _own_tags(checked, profile, sound)
    found = [
        *_head_problems(doc, profile, brand),
        *_name_problems(checked, profile),
        *(problem for row in profile_rows(checked, profile) for problem in _row_problems(doc, *row, brand)),
        *(problem for p in sound for problem in _tag_problems(doc, p, brand, ours)),
        *(_overlaps(doc, sound, brand) if brand is not None else ()),
        *_role_problems(checked, profile, sound, brand),
        *_safe_problems(checked, profile, sound, ours),
    ]
    return [*found, *_alarm_problems(checked, profile, sound, [*checked.problems, *found])]


def profile_rows(checked: Checked[StationProfile], profile: StationProfile) -> Iterator[tuple[int, StationTag]]:
    """Rows of the model with their place in the file."""
    for at, row in enumerate(profile.tags):
        yield checked.row("tags", at), row


def _head_problems(doc: Document, profile: StationProfile, brand: Brand | None) -> Iterator[Problem]:
    if doc.path.stem != profile.name:
        yield doc.problem(("name",), f"{profile.name!r} is not the name of the file", doc.path.stem)
    if brand is not None and brand.protocol != "opcua" and profile.namespace is not None:
        yield doc.problem(("namespace",), f"does not belong to protocol {brand.protocol}", "leave it out")
    if profile.owner is not None and profile.heartbeat is None:  # it would never be claimed, so never written to
        message = "needs a heartbeat: a controller that still drives the PLC is known by it alone"
        yield doc.problem(("owner",), message, "a key heartbeat: too, or neither")
    if profile.heartbeat is not None and profile.heartbeat_timeout_s < SCANS_IN_HEARTBEAT * profile.scan_s:
        least = SCANS_IN_HEARTBEAT * profile.scan_s
        message = (
            f"{profile.heartbeat_timeout_s:g} s is shorter than {SCANS_IN_HEARTBEAT} scans of {profile.scan_s:g} s"
        )
        yield doc.problem(("heartbeat_timeout_s",), message, f"{least:g} or more")


def _name_problems(checked: Checked[StationProfile], profile: StationProfile) -> Iterator[Problem]:
    doc = checked.doc
    names: dict[str, int] = {}
    aliases: dict[str, int] = {}
    for at, row in profile_rows(checked, profile):
        for key, word, seen in (("name", row.name, names), ("alias", row.alias, aliases)):
            if word is None:
                continue
            first = seen.setdefault(word.casefold(), at)
            if first != at:
                message = f"the {key} {word} is given twice (first on line {doc.line_of(('tags', first, key))})"
                yield doc.problem(("tags", at, key), message, f"a {key} of its own")


def _row_problems(doc: Document, at: int, row: StationTag, brand: Brand | None) -> Iterator[Problem]:
    """What a row must and must not hold, with and without a point."""
    loc: Loc = ("tags", at)
    if row.point is None:
        for key, value in (("title", row.title), ("address", row.address), ("type", row.type)):
            if value is None:
                yield doc.problem((*loc, key), "is missing", f"a key {key}:")
        return
    for key in FIXED_BY_POINT:
        if key in row.model_fields_set:
            yield doc.problem((*loc, key), f"is given by the point {row.point}", "leave it out")
    if brand is None:
        return
    point = brand.point(row.point)
    if point is None:
        known = [p.name for p in brand.points]
        message = f"the brand {brand.name} has no point {row.point}"
        yield doc.problem((*loc, "point"), message, near_names(row.point, known) or "address and type")
        return
    if row.writable and not point.writable:
        yield doc.problem((*loc, "writable"), f"the point {row.point} is read-only", "false")
    if not point.readable:
        message = f"the point {row.point} cannot be read, so a write to it cannot be confirmed"
        yield doc.problem((*loc, "point"), message, "a point that can be read")


def _own_tags(checked: Checked[StationProfile], profile: StationProfile, placed: Sequence[Placed]) -> frozenset[str]:
    """Writable tags that are no outputs: heartbeat and owner.

    When one of them is misspelt, any plain counter without range may be it, and is not taken for an output.
    """
    named = {name for name in (profile.heartbeat, profile.owner) if name is not None}
    if named <= checked.declared("tags"):
        return frozenset(named)
    plain = {p.tag.name for p in placed if p.row.range is None and p.tag.type in _INTEGERS and p.tag.scale == 1.0}
    return frozenset(named | plain)


def _tag_problems(doc: Document, placed: Placed, brand: Brand | None, ours: frozenset[str]) -> Iterator[Problem]:
    loc: Loc = ("tags", placed.index)
    tag = placed.tag
    for finding in tag_findings(tag, brand):
        if placed.point is None or finding.key not in FIXED_BY_POINT:
            yield _told(doc, loc, finding)
    if placed.row.probe is not None:
        for finding in probe_findings(tag, placed.row.probe, brand):
            yield _told(doc, loc, finding)
    is_number = tag.type not in (DataType.BOOL, DataType.STRING)
    has_range = placed.row.range is not None or (placed.point is not None and placed.point.range is not None)
    if tag.writable and is_number and not has_range and tag.name not in ours:
        yield doc.problem((*loc, "range"), "is missing: what is written must have limits", "[low, high]")


def _told(doc: Document, loc: Loc, finding: Finding) -> Problem:
    return doc.problem((*loc, *finding.key.split(".")), finding.message, finding.accepted)


def _overlaps(doc: Document, placed: Sequence[Placed], brand: Brand) -> Iterator[Problem]:
    """Two tags on one place. Different bits of one register are two places."""
    taken: dict[tuple[str, int], list[Placed]] = {}
    nodes: dict[str, Placed] = {}
    for one in placed:
        if brand.protocol == "opcua":
            other = nodes.setdefault(one.tag.address, one)
            if other is not one:
                yield _overlap(doc, one, other, f"the node {one.tag.address} is")
            continue
        wire = wire_of(one.tag, brand)
        if wire is None:
            continue
        others: list[Placed] = []
        for register in range(wire.register, wire.register + one.tag.type.words):
            there = taken.setdefault((wire.table, register), [])
            others += [o for o in there if o not in others and not _are_bits_apart(o, one)]
            there.append(one)
        if others:
            yield _overlap(doc, one, others[0], f"{_span(one)} is")


def _are_bits_apart(one: Placed, other: Placed) -> bool:
    return one.tag.bit is not None and other.tag.bit is not None and one.tag.bit != other.tag.bit


def _span(placed: Placed) -> str:
    words = placed.tag.type.words
    at = placed.tag.address + (f" bit {placed.tag.bit}" if placed.tag.bit is not None else "")
    return at if words == 1 else f"{at} ({words} registers)"


def _overlap(doc: Document, one: Placed, other: Placed, what: str) -> Problem:
    key = "point" if one.point is not None else "address"
    line = doc.line_of(("tags", other.index))
    message = f"{what} taken in part or whole by {other.tag.name} at {_span(other)} (line {line})"
    return doc.problem(("tags", one.index, key), message, "a place of its own")


_INTEGERS = (DataType.UINT16, DataType.UINT32, DataType.INT16, DataType.INT32)


def _role_problems(
    checked: Checked[StationProfile], profile: StationProfile, placed: Sequence[Placed], brand: Brand | None
) -> Iterator[Problem]:
    doc = checked.doc
    tags = {p.tag.name: p.tag for p in placed}
    seen: dict[str, str] = {}
    for role, name in profile.roles.items():
        tag = tags.get(name)
        if name not in checked.declared("tags"):
            yield doc.problem((role,), f"{name} is no tag of this station", near_names(name, sorted(tags)))
            continue
        if seen.setdefault(name, role) != role:
            yield doc.problem((role,), f"{name} is the {seen[name]} already", "a tag of its own")
        if tag is None:
            continue
        if role == "trip":
            if tag.type is not DataType.BOOL:
                yield doc.problem((role,), f"{name} is {tag.type}, and must be on or off", "a bool tag")
            continue
        if tag.type not in _INTEGERS or tag.scale != 1.0 or tag.offset != 0.0:
            yield doc.problem((role,), f"{name} is {tag.type}, and must count", "a plain whole number, as uint16")
        if role in ("heartbeat", "owner"):
            if not tag.writable:
                yield doc.problem((role,), f"{name} is not writable", "a writable tag")
            yield from _wear_problem(doc, (role,), tag.name, placed, brand)


def _wear_problem(
    doc: Document, loc: Loc, name: str, placed: Sequence[Placed], brand: Brand | None
) -> Iterator[Problem]:
    one = next((p for p in placed if p.tag.name == name), None)
    wire = wire_of(one.tag, brand) if one is not None and brand is not None else None
    if one is None or brand is None or wire is None:
        return
    run = brand.is_wear_limited(wire.table, wire.register, one.tag.type.words)
    if run is not None:
        yield doc.problem(loc, f"{name} is written all the time, but wears out: {run.why}", "another register")


def _safe_problems(
    checked: Checked[StationProfile], profile: StationProfile, placed: Sequence[Placed], ours: frozenset[str]
) -> Iterator[Problem]:
    doc = checked.doc
    tags = {p.tag.name: p.tag for p in placed}
    declared = checked.declared("tags")
    outputs = [t.name for t in tags.values() if t.writable and t.name not in ours]
    for mode, values in profile.safe_outputs.named():
        for name, value in values.items():
            loc: Loc = ("safe_outputs", mode, name)
            tag = tags.get(name)
            if tag is None:
                if name not in declared:
                    yield doc.problem(loc, f"{name} is no tag of this station", near_names(name, outputs))
                continue
            if name not in outputs:
                what = "is not writable" if not tag.writable else "belongs to the station itself"
                yield doc.problem(loc, f"{name} {what}", near_names(name, outputs))
                continue
            wrong = value_finding(tag, value)
            if wrong is not None:
                yield doc.problem(loc, *wrong)
    for at, name in enumerate(profile.keep):
        if name not in declared or (name in tags and name not in outputs):
            yield doc.problem(("keep", at), f"{name} is no output of this station", near_names(name, outputs))
        elif name in profile.safe_outputs.stopped:
            message = f"{name} has a value in safe_outputs.stopped and cannot be kept too"
            yield doc.problem(("keep", at), message, "one of the two")
    for name in outputs:
        if name not in profile.safe_outputs.stopped and name not in profile.keep:
            message = f"{name} has no value, so a stop would leave it as it is"
            yield doc.problem(("safe_outputs", "stopped"), message, f"{name}: value, or {name} in keep:")


def _alarm_problems(
    checked: Checked[StationProfile], profile: StationProfile, placed: Sequence[Placed], told: Sequence[Problem]
) -> Iterator[Problem]:
    """Rows of alarms. A tag that is wrong itself is not judged again, nor one called missing that may be misspelt."""
    doc = checked.doc
    wrong = {problem.key.partition("[")[2].partition("]")[0] for problem in told if problem.key.startswith("tags[")}
    is_misspelt = any(problem.key.startswith("tags[") and problem.key.endswith("].name") for problem in told)
    tags = {p.tag.name: p.tag for p in placed if p.tag.name not in wrong}

    def unknown(loc: Loc, name: str) -> Iterator[Problem]:
        if name not in checked.declared("tags") and not is_misspelt:
            yield doc.problem(loc, f"{name} is no tag of this station", near_names(name, sorted(tags)))

    rows = [(checked.row("alarms", at), row) for at, row in enumerate(profile.alarms)]
    yield from tag_alarm_problems(doc, rows, tags.get, unknown)
    locks = [(checked.row("interlocks", at), row) for at, row in enumerate(profile.interlocks)]
    yield from interlock_problems(doc, locks, tags.get, unknown)


def scan_problem(scan_s: float, profile: StationProfile) -> tuple[str, str] | None:
    """Why a scan period set by the line does not fit this station, and what does."""
    most = profile.heartbeat_timeout_s / SCANS_IN_HEARTBEAT
    if profile.heartbeat is None or scan_s <= most or math.isclose(scan_s, most):
        return None
    message = f"{scan_s:g} s is too slow for a heartbeat time-out of {profile.heartbeat_timeout_s:g} s"
    return message, f"up to {most:g}"
