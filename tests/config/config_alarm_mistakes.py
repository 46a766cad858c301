"""Mistakes in rows of alarms: beside the tags of a station, beside the loops of a line, and the controller's own."""

from __future__ import annotations

import re

from config_mistake import DEMO, DRYING, Bad

CONTROLLER = "alarms/controller.yaml"
HOT = "  - tag: TT-303\n    kind: high\n    limit: 195\n    deadband: 5\n"
DUST = "    name: EXPLOSIVE\n    limit: 15\n"
GATE = "  - tag: ZT-312\n    kind: mismatch\n    command: XV-312\n"
STOOD = "  - tag: WET.GROWTH\n    kind: high\n    limit: 0.2\n    deadband: 0.05\n"
MODEL = "  - loop: MIC-306\n    kind: model\n    limit: 1.2\n    deadband: 0.4\n"


def hot(new: str, key: str, said: str, at: str = "") -> Bad:
    """The row of the air that is too hot, spoilt."""
    return Bad(DRYING, HOT, new, f"alarms[2].{key}", said, at=at)


ALARM_MISTAKES = {
    "alarm unknown tag": hot(HOT.replace("TT-303", "TT-330"), "tag", "is no tag of this station", "tag: TT-330"),
    "alarm unknown kind": hot(HOT.replace("kind: high", "kind: hot"), "kind", "high", "kind: hot"),
    "alarm unknown key": hot(HOT + "    colour: red\n", "colour", "unknown key", "colour: red"),
    "alarm without a limit": hot(
        HOT.replace("    limit: 195\n    deadband: 5\n", ""), "limit", "a key limit:", "- tag: TT-303"
    ),
    "alarm limit outside the range": hot(HOT.replace("195", "231"), "limit", "between -20 and 230 °C", "limit: 231"),
    "alarm limit that is no number": hot(HOT.replace("195", "hot"), "limit", "a number", "limit: hot"),
    "alarm deadband too wide": hot(
        HOT.replace("deadband: 5", "deadband: 60"), "deadband", "0 to below 50 °C", "deadband: 60"
    ),
    "alarm deadband below zero": hot(
        HOT.replace("deadband: 5", "deadband: -1"), "deadband", "0 or more", "deadband: -1"
    ),
    "alarm window where none belongs": hot(HOT + "    window_s: 60\n", "window_s", "leave it out", "window_s: 60"),
    "alarm rate without a window": hot(
        HOT.replace("kind: high", "kind: rate"), "window_s", "a key window_s:", "- tag: TT-303"
    ),
    "alarm window too short": hot(
        HOT.replace("kind: high", "kind: rate") + "    window_s: 1\n", "window_s", "5 or more", "window_s: 1"
    ),
    "alarm quality with a limit": hot(
        HOT.replace("kind: high", "kind: quality"), "limit", "leave it out", "limit: 195"
    ),
    "alarm on of a number": hot('  - tag: TT-303\n    kind: "on"\n', "kind", "a bool tag"),
    "alarm high of a switch": hot(HOT.replace("TT-303", "XC-301"), "kind", "on, quality", "kind: high"),
    "alarm priority": Bad(
        DRYING,
        HOT + "    on_delay_s: 5\n    priority: high",
        HOT + "    on_delay_s: 5\n    priority: urgent",
        "alarms[2].priority",
        "critical",
        at="priority: urgent",
    ),
    "alarm delay too long": Bad(
        DRYING, HOT + "    on_delay_s: 5", HOT + "    on_delay_s: 5000", "alarms[2].on_delay_s", "3600", at="5000"
    ),
    "alarm command where none belongs": hot(
        HOT + "    command: TV-303\n", "command", "leave it out", "command: TV-303"
    ),
    "alarm needs an unknown tag": hot(HOT + "    needs: [{tag: WT-331, min: 20}]\n", "needs[0].tag", "WT-31", "WT-331"),
    "alarm needs more than there is": hot(
        HOT + "    needs: [{tag: WT-313, min: 2000}]\n", "needs[0].min", "0 to 1000", "min: 2000"
    ),
    "alarm in a state that is none": hot(
        HOT + "    suppressed_in: [Sleeping]\n", "suppressed_in[0]", "Idle", "Sleeping"
    ),
    "alarm twice": Bad(DRYING, "    name: EXPLOSIVE", "    name: HIGH", "alarms[HIGH].name", "a key name: of its own"),
    "alarm mismatch without a command": Bad(
        DRYING,
        GATE,
        GATE.replace("    command: XV-312\n", ""),
        "alarms[11].command",
        "a key command:",
        at="- tag: ZT-312",
    ),
    "alarm mismatch with what is no command": Bad(
        DRYING, GATE, GATE.replace("XV-312", "WT-313"), "alarms[11].command", "a writable tag", at="command: WT-313"
    ),
    "alarm in one language": Bad(
        DRYING, ', zh: "进风温度过高"}', "}", "alarms[2].text.zh", "a key zh:", at='text: {en: "The drying air'
    ),
    "alarm without what to do": Bad(
        DRYING,
        re.compile(r'(.*)    action: \{en: "Switch the heater off; leave[^\n]*\n', re.DOTALL),
        "",
        "alarms[2].action",
        "a key action:",
        at="- tag: TT-303",
    ),
    "loop alarm of an unknown loop": Bad(
        DEMO, MODEL, MODEL.replace("MIC-306", "MIC-360"), "alarms[2].loop", "MIC-306", at="- loop: MIC-360"
    ),
    "loop alarm of a loop without a model": Bad(
        DEMO, MODEL, MODEL.replace("MIC-306", "TIC-303"), "alarms[2].loop", "MIC-306"
    ),
    "loop alarm limit beyond the range": Bad(
        DEMO, MODEL, MODEL.replace("1.2", "50"), "alarms[2].limit", "below 40 % wb", at="limit: 50"
    ),
    "loop alarm deadband as wide as its limit": Bad(
        DEMO, MODEL, MODEL.replace("0.4", "1.2"), "alarms[2].deadband", "below 1.2", at="deadband: 1.2"
    ),
    "estimate alarm of what nobody estimates": Bad(
        DEMO, STOOD, STOOD.replace("GROWTH", "GROTH"), "estimate_alarms[0].tag", "WET.GROWTH", at="tag: WET.GROTH"
    ),
    "estimate alarm of a measured tag": Bad(
        DEMO, STOOD, STOOD.replace("WET.GROWTH", "TT-303"), "estimate_alarms[0].tag", "BAG.AW_HIGH", at="tag: TT-303"
    ),
    "estimate alarm without a limit": Bad(
        DEMO,
        STOOD,
        STOOD.replace("    limit: 0.2\n    deadband: 0.05\n", ""),
        "estimate_alarms[0].limit",
        "a key limit:",
        at="tag: WET.GROWTH",
    ),
    "estimate alarm that would not clear": Bad(
        DEMO,
        STOOD,
        STOOD.replace("0.05", "0.21"),
        "estimate_alarms[0].deadband",
        "below 0.2",
        at="deadband: 0.21",
    ),
    "controller alarm in one language": Bad(
        CONTROLLER, ', zh: "批次已保持"}', "}", "events[HELD].text.zh", "a key zh:", at='text: {en: "The run is held"'
    ),
    "controller alarm twice": Bad(
        CONTROLLER, "event: plc.stalled", "event: link.down", "events[STALLED].event", "each event once"
    ),
    "controller default without a window": Bad(
        CONTROLLER, "    window_s: 600\n", "", "defaults[1].window_s", "a key window_s:", at="  - kind: stuck"
    ),
}
