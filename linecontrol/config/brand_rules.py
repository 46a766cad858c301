"""Rules for a brand file beyond the types of its fields. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.brand import MODBUS_MUST, MODBUS_ONLY, OPCUA_ONLY, Area, Brand
from linecontrol.config.document import Document, Loc
from linecontrol.config.fields import near_names
from linecontrol.config.reading import Checked
from linecontrol.config.station import StationTag, tag_of
from linecontrol.config.tag_rules import tag_findings
from linecontrol.core.errors import Problem


def brand_problems(checked: Checked[Brand]) -> list[Problem]:
    """Everything wrong with a brand that its model cannot see."""
    doc, brand = checked.doc, checked.model
    if brand is None:
        return []
    return [
        *_name_problems(doc, brand.name),
        *_protocol_problems(doc, brand),
        *_unverified_problems(doc, brand),
        *_area_problems(doc, brand),
        *_run_problems(doc, brand),
        *_point_problems(doc, brand),
    ]


def _name_problems(doc: Document, name: str) -> Iterator[Problem]:
    if doc.path.stem != name:
        yield doc.problem(("name",), f"{name!r} is not the name of the file", doc.path.stem)


def _protocol_problems(doc: Document, brand: Brand) -> Iterator[Problem]:
    given = set(doc.data)
    foreign = OPCUA_ONLY if brand.protocol == "modbus" else MODBUS_ONLY
    for key in foreign:
        if key in given:
            yield doc.problem((key,), f"does not belong to protocol {brand.protocol}", "leave it out")
    if brand.protocol == "modbus":
        for key in MODBUS_MUST:
            if key not in given:
                yield doc.problem((key,), "is missing", f"a key {key}:")
        if "areas" in given and not brand.areas:
            yield doc.problem(("areas",), "holds 0 entries", "at least 1")
    elif "namespace" not in given:
        yield doc.problem(("namespace",), "is missing", "the namespace URI")


def _unverified_problems(doc: Document, brand: Brand) -> Iterator[Problem]:
    known = [key for key in Brand.model_fields if key not in ("kind", "unverified")]
    known += [f"points.{point.name}" for point in brand.points]
    for at, word in enumerate(brand.unverified):
        if word not in known:
            yield doc.problem(("unverified", at), f"{word!r} is no field of this file", near_names(word, known))
        elif word in brand.unverified[:at]:
            yield doc.problem(("unverified", at), f"{word!r} is given twice")


def _area_problems(doc: Document, brand: Brand) -> Iterator[Problem]:
    for at, area in enumerate(brand.areas):
        loc: Loc = ("areas", at)
        if area.last < area.first:
            yield doc.problem((*loc, "last"), f"{area.last} is below first", f"{area.first} or more")
            continue
        most = area.first + 65535 - area.wire
        if area.last > most:
            yield doc.problem((*loc, "last"), "the area goes beyond wire register 65535", f"up to {most}")
        twin = next((other for other in brand.areas[:at] if _clash(area, other)), None)
        if twin is not None:
            message = f"addresses of this area also lie in area {brand.areas.index(twin)}"
            yield doc.problem(loc, message, "areas whose notations can be told apart")


def _clash(one: Area, other: Area) -> bool:
    """True when some address reads in both areas. Areas of different radix with one prefix always may."""
    if one.prefix.casefold() != other.prefix.casefold():
        return False
    if one.digits and other.digits and not set(one.digits) & set(other.digits):
        return False
    if one.radix != other.radix:
        return True
    return one.first <= other.last and other.first <= one.last


def _run_problems(doc: Document, brand: Brand) -> Iterator[Problem]:
    for at, run in enumerate(brand.forbidden):
        if run.last < run.first:
            yield doc.problem(("forbidden", at, "last"), f"{run.last} is below first", f"{run.first} or more")
    for at, worn in enumerate(brand.write_policy.wear_limited):
        if worn.last < worn.first:
            loc: Loc = ("write_policy", "wear_limited", at, "last")
            yield doc.problem(loc, f"{worn.last} is below first", f"{worn.first} or more")


def _point_problems(doc: Document, brand: Brand) -> Iterator[Problem]:
    names: set[str] = set()
    for at, point in enumerate(brand.points):
        loc: Loc = ("points", at)
        if point.name in names:
            yield doc.problem((*loc, "name"), f"the point {point.name} is given twice", "names of their own")
        names.add(point.name)
        tag, _ = tag_of(StationTag(name=point.name, point=point.name), brand, brand.name)
        for finding in tag_findings(tag, brand) if brand.point(point.name) is point else ():
            yield doc.problem((*loc, finding.key), finding.message, finding.accepted)
        if not point.readable and not point.writable:
            yield doc.problem((*loc, "readable"), "can be neither read nor written", "readable or writable")
