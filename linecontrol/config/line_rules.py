"""Rules for a line file beyond the types of its fields: stations together, guard and yield. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from linecontrol.config.access import access_problems
from linecontrol.config.alarm_rules import estimate_alarm_problems, loop_alarm_problems, needs_problems
from linecontrol.config.bag_rules import bag_problems
from linecontrol.config.balance_rules import balance_problems
from linecontrol.config.document import Loc
from linecontrol.config.endpoint import FORMS
from linecontrol.config.haccp_rules import haccp_problems, own_tags
from linecontrol.config.interlock_rules import interlock_problems
from linecontrol.config.line import ACCESS_KEYS, REPORTING_KEYS, Gate, Guard, Yield
from linecontrol.config.loop_rules import loop_problems
from linecontrol.config.reporting import reporting_problems
from linecontrol.config.scene import Scene, Site
from linecontrol.config.station_rules import scan_problem
from linecontrol.config.tag_rules import value_finding
from linecontrol.core.errors import Problem


def line_problems(scene: Scene) -> list[Problem]:
    """Everything wrong with a line that no single file shows."""
    problems = [
        *_endpoint_problems(scene),
        *_station_problems(scene),
        *_name_problems(scene),
        *loop_problems(scene),
    ]
    if scene.line.guard is not None:
        problems += _guard_problems(scene, scene.line.guard)
        problems += haccp_problems(scene, scene.line.guard)
    if scene.line.yield_ is not None:
        problems += _yield_problems(scene, scene.line.yield_)
    if scene.line.bags is not None:
        problems += bag_problems(scene, scene.line.bags)
    problems += _laboratory_problems(scene)
    problems += balance_problems(scene)
    problems += _alarm_problems(scene)
    problems += _interlock_problems(scene)
    return problems


def _endpoint_problems(scene: Scene) -> Iterator[Problem]:
    seen: dict[tuple[tuple[str, int, str], int], str] = {}
    serial: dict[str, Site] = {}
    for name, site in scene.sites.items():
        loc: Loc = ("stations", name, "endpoint")
        endpoint = site.endpoint
        if endpoint is None:
            continue
        if site.brand is not None and site.brand.protocol != endpoint.protocol:
            forms = [f for scheme, f in FORMS.items() if (scheme == "opc.tcp") == (site.brand.protocol == "opcua")]
            message = f"the brand {site.brand.name} speaks {site.brand.protocol}, not {endpoint.scheme}"
            yield scene.doc.problem(loc, message, "; ".join(forms))
            continue
        first = seen.setdefault((endpoint.wire, endpoint.unit), name)
        if first != name:
            yield scene.doc.problem(loc, f"is the endpoint and unit of station {first} already", "one of its own")
        if endpoint.scheme == "modbus-serial":
            other = serial.setdefault(endpoint.path, site)
            if other.endpoint is not None and dict(other.endpoint.params) != dict(endpoint.params):
                message = f"{endpoint.path} has other line settings in station {other.name}"
                yield scene.doc.problem(loc, message, "the same baud, parity, bytesize and stopbits")


_OF_PROTOCOL = {
    "modbus": ("word_order", "byte_order", "max_read_words", "max_write_words", "max_gap_words", "inter_frame_ms"),
    "opcua": ("max_nodes_per_read", *REPORTING_KEYS, *ACCESS_KEYS),
}


def _station_problems(scene: Scene) -> Iterator[Problem]:
    """The line's own words about a station: profile used once, scan period, settings within the brand's limits."""
    profiles: dict[str, str] = {}
    for name, site in scene.sites.items():
        loc: Loc = ("stations", name)
        first = profiles.setdefault(site.at.profile, name)
        if first != name:
            message = f"the profile {site.at.profile} is used by station {first} already, and tag names are unique"
            yield scene.doc.problem((*loc, "profile"), message, "a station file of its own")
        slow = scan_problem(site.at.scan_s, site.profile) if site.at.scan_s and site.profile else None
        if slow is not None:
            yield scene.doc.problem((*loc, "scan_s"), *slow)
        brand = site.shipped_brand
        if brand is None:
            continue
        for key in sorted(site.at.settings.model_fields_set):
            value = getattr(site.at.settings, key)
            if key != "timeout_s" and key not in _OF_PROTOCOL[brand.protocol]:
                message = f"does not belong to protocol {brand.protocol}"
                yield scene.doc.problem((*loc, "settings", key), message, "leave it out")
            elif key.startswith("max_") and key not in brand.unverified and value > getattr(brand, key):
                limit = getattr(brand, key)
                message = f"{value} is more than {brand.name} takes"
                yield scene.doc.problem((*loc, "settings", key), message, f"up to {limit}")
        if brand.protocol == "opcua":
            yield from access_problems(scene.doc, (*loc, "settings"), site.at.settings)
            scan_s = site.at.scan_s or (site.profile.scan_s if site.profile else None)
            yield from reporting_problems(scene.doc, (*loc, "settings"), site.at.settings, scan_s)


def _name_problems(scene: Scene) -> Iterator[Problem]:
    """Tag names and aliases that two stations share, told in the file of the later one."""
    seen: dict[str, tuple[Site, int, str]] = {}
    profiles: set[str] = set()
    for site in scene.sites.values():
        if site.checked is None or site.at.profile in profiles:
            continue  # a profile used twice has been told
        profiles.add(site.at.profile)
        for placed in site.placed:
            for key, word in (("name", placed.tag.name), ("alias", placed.tag.alias)):
                if not word:
                    continue
                other, index, other_key = seen.setdefault(word.casefold(), (site, placed.index, key))
                if other is site or other.checked is None:
                    continue
                line = other.checked.doc.line_of(("tags", index, other_key))
                message = f"the {key} {word} is taken by station {other.name} ({other.checked.doc.file}:{line})"
                yield site.checked.doc.problem(("tags", placed.index, key), message, "one of its own on the line")


def _guard_problems(scene: Scene, guard: Guard) -> Iterator[Problem]:
    yield from _gate_problems(scene, guard.gate)
    for at, name in enumerate((guard.good_total, *guard.diverted_totals)):
        loc: Loc = ("guard", "good_total") if at == 0 else ("guard", "diverted_totals", at - 1)
        yield from scene.number(loc, name)
        if name in (guard.good_total, *guard.diverted_totals)[:at]:
            yield scene.doc.problem(loc, f"{name} is counted twice", "a total of its own")
    yield from scene.number(("guard", "flow", "tag"), guard.flow.tag)
    flow = scene.tag(guard.flow.tag)
    if flow is not None:
        what = f"the range of {guard.flow.tag}"
        yield from scene.within(("guard", "flow", "min"), guard.flow.min, flow.low, flow.high, what)
    names: set[str] = set()
    for at, limit in enumerate(guard.critical_limits):
        loc = ("guard", "critical_limits", at)
        if limit.name in names:
            yield scene.doc.problem((*loc, "name"), f"the limit {limit.name} is given twice", "a name of its own")
        names.add(limit.name)
        yield from scene.number((*loc, "tag"), limit.tag)
        if limit.low is None and limit.high is None:
            yield scene.doc.problem((*loc, "high"), "neither low nor high is given", "low, high or both")
        elif limit.low is not None and limit.high is not None and not limit.low < limit.high:
            message = f"{limit.high:g} is not above low"
            yield scene.doc.problem((*loc, "high"), message, f"above {limit.low:g}")
            continue
        tag = scene.tag(limit.tag)
        for key, value in (("low", limit.low), ("high", limit.high)):
            if tag is not None and value is not None:
                yield from scene.within((*loc, key), value, tag.low, tag.high, f"the range of {limit.tag}")


def _gate_problems(scene: Scene, gate: Gate) -> Iterator[Problem]:
    loc: Loc = ("guard", "gate")
    places = {"good": gate.good, "rework": gate.rework, "waste": gate.waste}
    for key, value in places.items():
        twin = next((k for k, v in places.items() if v == value), key)
        if twin != key:
            yield scene.doc.problem((*loc, key), f"{value} is the value of {twin} already", "a value of its own")
    for key, name in (("tag", gate.tag), ("position", gate.position)):
        yield from scene.number((*loc, key), name)
    command, position = scene.tag(gate.tag), scene.tag(gate.position)
    for key, value in places.items():
        wrong = next((w for t in (command, position) if t is not None and (w := value_finding(t, value))), None)
        if wrong is not None:
            yield scene.doc.problem((*loc, key), *wrong)
    if command is None:
        return
    if not command.writable:
        yield scene.doc.problem((*loc, "tag"), f"{gate.tag} is not writable", "a writable tag")
        return
    site = scene.owners[gate.tag][0]
    if site.checked is None or site.profile is None:
        return
    for mode, values in site.profile.safe_outputs.named():
        if gate.tag in values and values[gate.tag] == gate.good:
            message = f"the divert gate would stand at good when the line is {mode}"
            accepted = f"{gate.rework} (rework) or {gate.waste} (waste)"
            yield site.checked.doc.problem(("safe_outputs", mode, gate.tag), message, accepted)


_UNITS = {
    "root_total": ("kg",),
    "root_starch": ("% wb",),
    "powder_total": ("kg",),
    "powder_moisture": ("% wb",),
    "powder_rate": ("kg/h",),
    "water_totals": ("m3",),
    "energy_totals": ("kWh",),
}


def _yield_problems(scene: Scene, parts: Yield) -> Iterator[Problem]:
    for key, units in _UNITS.items():
        given = getattr(parts, key)
        listed = isinstance(given, tuple)
        for at, name in enumerate(given if listed else (given,)):
            loc: Loc = ("yield", key, at) if listed else ("yield", key)
            yield from scene.number(loc, name)
            tag = scene.tag(name)
            if tag is not None and tag.unit not in units:
                yield scene.doc.problem(loc, f"{name} is in {tag.unit!r}", " or ".join(units))
            if listed and name in given[:at]:
                yield scene.doc.problem(loc, f"{name} is counted twice", "each total once")


def _laboratory_problems(scene: Scene) -> Iterator[Problem]:
    names: set[str] = set()
    for at, meter in enumerate(scene.line.laboratory):
        loc: Loc = ("laboratory", at)
        yield from scene.number((*loc, "tag"), meter.tag)
        if meter.tag in names:
            yield scene.doc.problem((*loc, "tag"), f"{meter.tag} is given twice", "each meter once")
        names.add(meter.tag)
        if meter.u > meter.most:
            message = f"an uncertainty of {meter.u:g} says nothing about a bias of at most {meter.most:g}"
            yield scene.doc.problem((*loc, "u"), message, f"up to {meter.most:g}")


def _alarm_problems(scene: Scene) -> Iterator[Problem]:
    rows = [(scene.checked.row("alarms", at), row) for at, row in enumerate(scene.line.alarms)]
    loops = {loop.name: scene.tag(loop.pv) for loop in scene.line.loops}
    models = {loop.name for loop in scene.line.loops if loop.moisture is not None and loop.moisture.model is not None}
    wrong = scene.checked.declared("loops") - loops.keys()  # such a loop is there, and has been told of
    yield from loop_alarm_problems(scene.doc, [(at, row) for at, row in rows if row.loop not in wrong], loops, models)
    for at, row in rows:
        yield from needs_problems(scene.doc, ("alarms", at), row, scene.tag, scene.unknown)
    estimates = [(scene.checked.row("estimate_alarms", at), row) for at, row in enumerate(scene.line.estimate_alarms)]
    yield from estimate_alarm_problems(scene.doc, estimates, own_tags(scene.line.guard))
    for at, estimate in estimates:
        yield from needs_problems(scene.doc, ("estimate_alarms", at), estimate, scene.tag, scene.unknown)


def _interlock_problems(scene: Scene) -> Iterator[Problem]:
    rows = [(scene.checked.row("interlocks", at), row) for at, row in enumerate(scene.line.interlocks)]
    own = own_tags(scene.line.guard)

    def unknown(loc: Loc, name: str) -> Iterator[Problem]:
        if name not in own:
            yield from scene.unknown(loc, name, sorted({*scene.owners, *own}))

    yield from interlock_problems(scene.doc, rows, scene.tag, unknown)
    taken = {row.name.casefold() for _, row in rows}
    for site in {site.at.profile: site for site in scene.sites.values()}.values():  # one used twice has been told
        for at, row in enumerate(site.profile.interlocks if site.profile is not None else ()):
            if row.name.casefold() in taken and site.checked is not None:
                loc: Loc = ("interlocks", site.checked.row("interlocks", at), "name")
                message = f"the interlock {row.name} is there already on this line"
                yield site.checked.doc.problem(loc, message, "a name of its own on the line")
            taken.add(row.name.casefold())
