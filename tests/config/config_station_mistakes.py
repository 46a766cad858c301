"""Mistakes between the tags of a station: names, roles, safe outputs."""

from __future__ import annotations

import re

from config_mistake import DRYING, GRINDING, SCREENING, Bad

STATION_MISTAKES = {
    # --- stations: tags together
    "name twice": Bad(SCREENING, "name: ST-103", "name: WT-101", "tags[WT-101].name", "first on line"),
    "alias twice": Bad(
        SCREENING, "screening.trommel_speed", "screening.hopper_weight", "tags[ST-103].alias", "first on line"
    ),
    "alias shape": Bad(
        SCREENING, "alias: screening.trommel_speed", "alias: Screening Trommel", "tags[ST-103].alias", "small letters"
    ),
    "name taken by another station": Bad(GRINDING, "name: AT-209", "name: ST-103", "tags[ST-103].name", "screening"),
    "alias taken by another station": Bad(
        GRINDING, "grinding.slurry_temp", "screening.trommel_speed", "tags[TT-211].alias", "screening"
    ),
    "heartbeat unknown": Bad(SCREENING, "heartbeat: HB-100", "heartbeat: HB-101", "heartbeat", "accepted: HB-100"),
    "owner without heartbeat": Bad(
        SCREENING,
        re.compile(r"heartbeat: HB-100\n(.*?name: HB-100.*?), writable: true", re.DOTALL),
        "",
        "owner",
        "needs a heartbeat",
        at="owner: OWN-100",
    ),
    "alive is a float": Bad(SCREENING, "alive: SEQ-100", "alive: QI-100", "alive", "whole number"),
    "boot unknown": Bad(DRYING, "boot: XI-300", "boot: XI-301", "boot", "XI-300"),
    "boot and alive the same": Bad(
        DRYING, "boot: XI-300", "boot: SEQ-300", "alive", "is the boot already", at="alive:"
    ),
    "trip unknown": Bad(DRYING, "trip: XA-301", "trip: XA-309", "trip", "XA-301"),
    "trip is a number": Bad(DRYING, "trip: XA-301", "trip: QI-300", "trip", "a bool tag"),
    "safe output unknown": Bad(SCREENING, "held: {SC-101: 0", "held: {SC-109: 0", "safe_outputs.held.SC-109", "SC-101"),
    "safe output read-only": Bad(
        SCREENING, "held: {SC-101: 0", "held: {ST-103: 0", "safe_outputs.held.ST-103", "not writable"
    ),
    "safe output heartbeat": Bad(
        SCREENING, "held: {SC-101: 0", "held: {HB-100: 0", "safe_outputs.held.HB-100", "station itself"
    ),
    "safe output too high": Bad(
        SCREENING, "held: {SC-101: 0", "held: {SC-101: 100.5", "safe_outputs.held.SC-101", "0 to 100 %"
    ),
    "safe output nan": Bad(SCREENING, "held: {SC-101: 0", "held: {SC-101: .nan", "safe_outputs.held.SC-101", "finite"),
    "safe output switch as number": Bad(
        SCREENING, "XC-109: false}\n  stopped", "XC-109: 0}\n  stopped", "safe_outputs.held.XC-109", "true or false"
    ),
    "safe output number as switch": Bad(
        SCREENING, "held: {SC-101: 0", "held: {SC-101: false", "safe_outputs.held.SC-101", "not a number"
    ),
    "safe output no choice": Bad(
        DRYING, "held: {XV-312: 1", "held: {XV-312: 1.5", "safe_outputs.held.XV-312", "1 (rework)"
    ),
    "safe output missing": Bad(
        SCREENING,
        "XC-109: false, SC-103: 0, XC-101: false}",
        "XC-109: false, XC-101: false}",
        "safe_outputs.stopped",
        "SC-103 in keep",
    ),
    "safe output of another mode": Bad(
        SCREENING, "  held:", "  paused:", "safe_outputs.paused", "held, stopped, aborted"
    ),
    "kept and stopped": Bad(SCREENING, "safe_outputs:", "keep: [SC-103]\nsafe_outputs:", "keep[0]", "one of the two"),
    "kept unknown": Bad(SCREENING, "safe_outputs:", "keep: [SC-999]\nsafe_outputs:", "keep[0]", "no output"),
    "gate left on good": Bad(
        DRYING,
        "aborted: {SC-302: 0, TV-303: 0, XV-312: 1}",
        "aborted: {SC-302: 0, TV-303: 0, XV-312: 0}",
        "safe_outputs.aborted.XV-312",
        "rework",
    ),
    "safe output is a list": Bad(
        SCREENING, "held: {SC-101: 0", "held: {SC-101: [0]", "safe_outputs.held.SC-101", "true or false"
    ),
}
