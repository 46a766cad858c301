"""Every bad thing in a file gives exactly the expected file, line and key, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linecontrol.config import check_document, check_paths, files_in, parse_document, shipped_dir
from linecontrol.config.document import Document
from linecontrol.core.errors import ConfigError, Problem

SCREENING = "stations/screening.yaml"
GRINDING = "stations/grinding.yaml"
DRYING = "stations/drying.yaml"
DEMO = "lines/demo.yaml"
DVP = "brands/delta-dvp.yaml"
M221 = "brands/schneider-m221.yaml"
EUROTHERM = "brands/eurotherm-3200.yaml"
GENERIC_UA = "brands/generic-opcua.yaml"
MS300 = "brands/delta-ms300.yaml"


@dataclass(frozen=True)
class Bad:
    """One mistake: in ``file``, ``old`` becomes ``new``; the problem is told at ``key``, on the line of ``at``.

    Attributes:
        at: text on the line where the problem is expected; default: the line where the change begins.
        told_in: file of the problem, when it is another one.
        said: words of the message or of what is accepted.
    """

    file: str
    old: str
    new: str
    key: str
    said: str = ""
    at: str = ""
    told_in: str = ""


WT101 = "{name: WT-101, alias: screening.hopper_weight"
TAG_END = "probe: {between: [-5, 5000]}}\n"
NEW_TAG = TAG_END + '  - {name: NEW-1, title: {en: "n", zh: "n"}, '
COMPANIONS = 'title: {en: "n", zh: "n"}'

CORPUS = {
    # --- the file itself
    "no kind": Bad(DVP, "kind: brand\n", "", "kind", "missing", at="name: delta-dvp"),
    "unknown kind": Bad(DVP, "kind: brand", "kind: brnd", "kind", "accepted: brand"),
    "kind of another file": Bad(GRINDING, "kind: station", "kind: brand2", "kind", "is not a kind"),
    "key twice": Bad(DVP, "byte_order: big\n", "byte_order: big\nbyte_order: big\n", "byte_order", "twice", at="@2"),
    "not YAML": Bad(DVP, 'prefix: "D", table: holding, first: 0,', "prefix: %D,", "", "in quotes"),
    "tag": Bad(DVP, "name: delta-dvp", "name: !!str delta-dvp", "", "!tag"),
    # --- brands
    "brand unknown key": Bad(
        DVP, "byte_order: big", "byte_order: big\nbyt_order: big", "byt_order", "byte_order", at="byt_order: big"
    ),
    "brand unknown key in area": Bad(
        DVP, "wire: 0x1000}", "wire: 0x1000, wires: 1}", "areas[0].wires", "accepted: wire"
    ),
    "brand name": Bad(DVP, "name: delta-dvp", "name: delta-dvq", "name", "accepted: delta-dvp"),
    "brand evidence": Bad(DVP, "evidence: manual page", "evidence: hearsay", "evidence", "community map"),
    "brand protocol": Bad(M221, "protocol: modbus", "protocol: profibus", "protocol", "modbus or opcua"),
    "brand verified": Bad(
        DVP, "verified_on_hardware: false", "verified_on_hardware: no", "verified_on_hardware", "true or false"
    ),
    "brand unverified": Bad(DVP, "[word_order,", "[word_orders,", "unverified[0]", "accepted: word_order"),
    "brand unverified point": Bad(EUROTHERM, "points.PV,", "points.PW,", "unverified[4]", "points.PV"),
    "brand word order": Bad(DVP, "word_order: low_first", "word_order: low", "word_order", "high_first or low_first"),
    "brand block length": Bad(DVP, "max_read_words: 64", "max_read_words: 126", "max_read_words", "125 or less"),
    "brand length text": Bad(DVP, "max_read_words: 64", "max_read_words: '64'", "max_read_words", "a whole number"),
    "brand time-out nan": Bad(DVP, "timeout_s: 1.0", "timeout_s: .nan", "timeout_s", "finite"),
    "brand time-out inf": Bad(DVP, "timeout_s: 1.0", "timeout_s: 1e999", "timeout_s", "finite"),
    "brand time-out zero": Bad(DVP, "timeout_s: 1.0", "timeout_s: 0", "timeout_s", "0.05 or more"),
    "brand area table": Bad(DVP, 'prefix: "S", table: coil', 'prefix: "S", table: coils', "areas[2].table", "coil"),
    "brand area radix": Bad(DVP, "wire: 0x0400, radix: 8", "wire: 0x0400, radix: 7", "areas[5].radix", "8, 10 or 16"),
    "brand area backwards": Bad(
        DVP, "first: 4096, last: 11999", "first: 4096, last: 4095", "areas[1].last", "4096 or more"
    ),
    "brand area too long": Bad(
        DVP, "first: 4096, last: 11999", "first: 4096, last: 40000", "areas[1].last", "up to 32767"
    ),
    "brand area twice": Bad(DVP, "first: 4096, last: 11999", "first: 4095, last: 11999", "areas[1]", "area 0"),
    "brand area wire": Bad(DVP, "wire: 0x9000", "wire: 0x19000", "areas[1].wire", "65535 or less"),
    "brand modbus field missing": Bad(DVP, "word_order: low_first\n", "", "word_order", "missing", at="kind: brand"),
    "brand field of opcua": Bad(
        DVP, "byte_order: big", "byte_order: big\nnamespace: x", "namespace", "leave it out", at="namespace: x"
    ),
    "brand field of modbus": Bad(
        GENERIC_UA,
        "timeout_s: 1.0",
        "timeout_s: 1.0\nword_order: low_first",
        "word_order",
        "leave it out",
        at="word_order:",
    ),
    "brand namespace missing": Bad(
        GENERIC_UA, 'namespace: "urn:linecontrol:plc"\n', "", "namespace", "URI", at="kind: brand"
    ),
    "point twice": Bad(EUROTHERM, "name: SP1,", "name: SP2,", "points[SP2].name", "twice", at='address: "25"'),
    "point outside": Bad(EUROTHERM, 'address: "26"', 'address: "277"', "points[SP_REMOTE].address", "accepted: 1..276"),
    "point unit": Bad(MS300, "unit: Hz, writable", "unit: hz, writable", "points[FREQ_SET].unit", "accepted: Hz"),
    "point unquoted hex": Bad(
        MS300, 'address: "0x2001"', "address: 0x2001", "points[FREQ_SET].address", 'in quotes: "0x2001"'
    ),
    "point scale": Bad(MS300, "scale: 0.001", "scale: 0", "points[POWER].scale", "any other number"),
    "point useless": Bad(MS300, "name: SPEED,", "name: SPEED, readable: false,", "points[SPEED].readable", "neither"),
    "wear backwards": Bad(
        EUROTHERM, "first: 24, last: 25", "first: 24, last: 23", "write_policy.wear_limited[1].last", "24 or more"
    ),
    "point gives no title": Bad(
        MS300,
        'name: STATUS, title: {en: "Status word", zh: "状态字"}',
        "name: STATUS",
        "points[STATUS].title",
        "missing",
    ),
    "point title in one language": Bad(MS300, ', zh: "状态字"}', "}", "points[STATUS].title.zh", "missing"),
    # --- stations: fields
    "station unknown key": Bad(SCREENING, "scan_s: 0.5", "scan_s: 0.5\nscans: 1", "scans", "scan_s", at="scans: 1"),
    "station unknown tag key": Bad(
        SCREENING, 'unit: kg, address: "%MW10"', 'units: kg, unit: kg, address: "%MW10"', "tags[WT-101].units", "unit"
    ),
    "station brand": Bad(
        SCREENING, "brand: schneider-m221", "brand: schneider-m222", "brand", "accepted: schneider-m221"
    ),
    "station brand path": Bad(SCREENING, "brand: schneider-m221", "brand: ../../etc/passwd", "brand", "small letters"),
    "station name": Bad(SCREENING, "name: screening", "name: screens", "name", "accepted: screening"),
    "station scan": Bad(SCREENING, "scan_s: 0.5", "scan_s: -1", "scan_s", "0.05 or more"),
    "station heartbeat time-out": Bad(
        SCREENING, "heartbeat_timeout_s: 5", "heartbeat_timeout_s: 1", "heartbeat_timeout_s", "1.5 or more"
    ),
    "station namespace on modbus": Bad(
        SCREENING, "scan_s: 0.5", "scan_s: 0.5\nnamespace: x", "namespace", "leave it out", at="namespace: x"
    ),
    "station no tags": Bad(DRYING, "tags:\n", "tags: []\nx:\n", "tags", "at least 1", at="tags: []"),
    # --- stations: one tag
    "tag name": Bad(SCREENING, "name: WT-101", "name: WT.101", "tags[WT.101].name", "letters, digits"),
    "tag type": Bad(SCREENING, '"%MW10", type: float32', '"%MW10", type: float', "tags[WT-101].type", "float32"),
    "tag type missing": Bad(SCREENING, '"%MW10", type: float32,', '"%MW10",', "tags[WT-101].type", "missing"),
    "tag address missing": Bad(SCREENING, 'address: "%MW10", ', "", "tags[WT-101].address", "missing"),
    "tag title missing": Bad(
        SCREENING, 'title: {en: "Root hopper weight", zh: "原料斗重量"}, ', "", "tags[WT-101].title", "missing"
    ),
    "tag unit": Bad(
        SCREENING, 'unit: kg, address: "%MW10"', 'unit: Kg, address: "%MW10"', "tags[WT-101].unit", "accepted: kg"
    ),
    "tag unit degrees": Bad(GRINDING, 'unit: "°C"', "unit: degC", "tags[TT-211].unit", "accepted: °C"),
    "tag writable text": Bad(
        SCREENING,
        '"%MW105", type: bool, writable: true',
        '"%MW105", type: bool, writable: yes',
        "tags[XC-109].writable",
        "true or false",
    ),
    "tag range backwards": Bad(
        SCREENING, "range: [0, 5000], probe", "range: [5000, 0], probe", "tags[WT-101].range", "empty"
    ),
    "tag range nan": Bad(
        SCREENING, "range: [0, 5000], probe", "range: [0, .nan], probe", "tags[WT-101].range[1]", "finite"
    ),
    "tag range of one": Bad(
        SCREENING, "range: [0, 5000], probe", "range: [0], probe", "tags[WT-101].range[1]", "missing"
    ),
    "tag range too wide": Bad(
        SCREENING,
        "scale: 0.1, range: [0, 40]",
        "scale: 0.1, range: [0, 4000]",
        "tags[ST-103].range",
        "-3276.8 to 3276.7",
    ),
    "tag range negative": Bad(
        GRINDING,
        "type: uint32, scale: 0.001, range: [0, 4294967]}\n  - {name: DT-204",
        "type: uint32, scale: 0.001, range: [-1, 4294967]}\n  - {name: DT-204",
        "tags[FQ-203].range",
        "0 to 4.29497e+06",
    ),
    "tag range just too wide": Bad(
        SCREENING, "range: [0, 42949672]", "range: [0, 42949673]", "tags[WQ-102].range", "does not fit"
    ),
    "tag scale zero": Bad(
        SCREENING, "scale: 0.1, range: [0, 40]", "scale: 0, range: [0, 40]", "tags[ST-103].scale", "0"
    ),
    "tag scale on bool": Bad(
        SCREENING,
        'address: "%MW8", bit: 1, type: bool',
        'address: "%MW8", bit: 1, scale: 2, type: bool',
        "tags[XA-101].scale",
        "leave",
    ),
    "tag string on modbus": Bad(
        SCREENING,
        'address: "%MW17", type: int16, scale: 0.1, range: [0, 40]',
        'address: "%MW17", type: string',
        "tags[ST-103].type",
        "a number or bool",
    ),
    "tag outside": Bad(SCREENING, '"%MW24"', '"%MW8000"', "tags[JQ-110].address", "%MW0..%MW7999"),
    "tag other notation": Bad(SCREENING, '"%MW24"', '"D24"', "tags[JQ-110].address", "%MW0..%MW7999"),
    "tag octal": Bad(GRINDING, 'address: "M2"', 'address: "X18"', "tags[XA-202].address", "X0..X377"),
    "tag unquoted number": Bad(SCREENING, '"%MW24"', "40025", "tags[JQ-110].address", 'in quotes: "40025"'),
    "tag unquoted hex": Bad(SCREENING, '"%MW24"', "0x1000", "tags[JQ-110].address", 'in quotes: "0x1000"'),
    "tag crosses the end": Bad(SCREENING, '"%MW24"', '"%MW7999"', "tags[JQ-110].address", "crosses the end"),
    "tag crosses a piece": Bad(GRINDING, '"D28"', '"D4095"', "tags[JQ-210].address", "crosses the end"),
    "tag overlap": Bad(SCREENING, '"%MW17"', '"%MW15"', "tags[ST-103].address", "WQ-102"),
    "tag overlap of two words": Bad(SCREENING, '"%MW14"', '"%MW13"', "tags[WQ-102].address", "WT-102"),
    "tag overlap later": Bad(SCREENING, '"%MW12"', '"%MW13"', "tags[WQ-102].address", "WT-102", at="name: WQ-102"),
    "tag same bit": Bad(SCREENING, "bit: 1", "bit: 0", "tags[XA-101].address", "XS-101"),
    "tag word on bits": Bad(
        SCREENING,
        '"%MW24", type: uint32, scale: 0.001, range: [0, 4294967]',
        '"%MW8", type: uint16',
        "tags[JQ-110].address",
        "XS-101",
    ),
    "tag coil twice": Bad(GRINDING, 'address: "M2"', 'address: "M1"', "tags[XA-202].address", "XA-201"),
    "tag node twice": Bad(DRYING, "s=Fan.PT-308", "s=Fan.FT-307", "tags[PT-308].address", "FT-307"),
    "tag bit 16": Bad(SCREENING, "bit: 2", "bit: 16", "tags[XA-102].bit", "15 or less"),
    "tag bit on number": Bad(
        SCREENING, 'address: "%MW17", type: int16', 'address: "%MW17", bit: 3, type: int16', "tags[ST-103].bit", "bool"
    ),
    "tag bit on coil": Bad(
        GRINDING, 'address: "M2", type: bool', 'address: "M2", bit: 1, type: bool', "tags[XA-202].bit", "single bit"
    ),
    "tag bit on node": Bad(
        DRYING,
        'address: "s=Plc.XA-302", type: bool',
        'address: "s=Plc.XA-302", bit: 1, type: bool',
        "tags[XA-302].bit",
        "OPC UA",
    ),
    "tag number on coil": Bad(
        GRINDING, 'address: "M2", type: bool', 'address: "M2", type: int16', "tags[XA-202].type", "bool"
    ),
    "tag read-only table": Bad(GRINDING, 'address: "M11"', 'address: "X11"', "tags[XC-209].writable", "read-only"),
    "tag namespace index": Bad(DRYING, "s=Fan.PT-308", "ns=3;s=Fan.PT-308", "tags[PT-308].address", "looked up"),
    "tag no node": Bad(DRYING, "s=Fan.PT-308", "Fan.PT-308", "tags[PT-308].address", "s=Name"),
    "tag method node": Bad(DRYING, 'off: "s=Plc.Stop"', 'off: "Plc.Stop"', "tags[XC-301].methods", "s=Name"),
    "tag method missing": Bad(DRYING, ', off: "s=Plc.Stop"', "", "tags[XC-301].methods.off", "missing"),
    "tag methods on number": Bad(
        DRYING,
        'address: "s=Fan.SC-307"',
        'address: "s=Fan.SC-307", methods: {on: "s=A", off: "s=B"}',
        "tags[SC-307].methods",
        "bool",
    ),
    "tag methods on modbus": Bad(
        SCREENING,
        '"%MW105", type: bool',
        '"%MW105", methods: {on: "s=A", off: "s=B"}, type: bool',
        "tags[XC-109].methods",
        "Modbus",
    ),
    "tag output without range": Bad(
        SCREENING, "type: int16, scale: 0.1, range: [0, 30]", "type: int16, scale: 0.1", "tags[SC-103].range", "limits"
    ),
    "tag choice outside": Bad(
        DRYING,
        "range: [0, 2], choices: {0: good, 1: rework, 2: waste}}",
        "range: [0, 2], choices: {0: good, 1: rework, 2: waste, 3: x}}",
        "tags[ZT-312].choices",
        "0 to 2",
    ),
    "tag choice word": Bad(
        DRYING,
        "range: [0, 2], choices: {0: good, 1: rework, 2: waste}}",
        "range: [0, 2], choices: {0: good, x: rework, 2: waste}}",
        "tags[ZT-312].choices.x",
        "whole number",
    ),
    "tag choice same": Bad(
        DRYING,
        "range: [0, 2], choices: {0: good, 1: rework, 2: waste}}",
        "range: [0, 2], choices: {0: good, 1: good, 2: waste}}",
        "tags[ZT-312].choices",
        "twice",
    ),
    "probe both": Bad(
        SCREENING,
        "probe: {equals: 1234.5}",
        "probe: {equals: 1234.5, between: [0, 1]}",
        "tags[QI-100].probe",
        "one thing",
    ),
    "probe neither": Bad(SCREENING, "probe: {equals: 1234.5}", "probe: {}", "tags[QI-100].probe", "one thing"),
    "probe shows nothing": Bad(
        SCREENING, "probe: {equals: 1234.5}", "probe: {equals: 0}", "tags[QI-100].probe.equals", "swapped"
    ),
    "probe outside": Bad(
        SCREENING, "probe: {equals: 1234.5}", "probe: {equals: 12345}", "tags[QI-100].probe.equals", "0 to 10000"
    ),
    "probe range": Bad(
        SCREENING, "probe: {between: [-5, 5000]}", "probe: {between: [5, -5]}", "tags[WT-101].probe.between", "empty"
    ),
    "probe range elsewhere": Bad(
        SCREENING, "probe: {between: [-5, 5000]}", "probe: {between: [-9, -5]}", "tags[WT-101].probe.between", "outside"
    ),
    "probe on bool": Bad(
        SCREENING, "bit: 2, type: bool", "bit: 2, type: bool, probe: {equals: 1}", "tags[XA-102].probe", "a number"
    ),
    # --- stations: tags together
    "name twice": Bad(SCREENING, "name: ST-103", "name: WT-101", "tags[WT-101].name", "first on line"),
    "alias twice": Bad(
        SCREENING, "screening.trommel_speed", "screening.hopper_weight", "tags[ST-103].alias", "first on line"
    ),
    "alias shape": Bad(
        SCREENING, "alias: screening.trommel_speed", "alias: Screening Trommel", "tags[ST-103].alias", "small letters"
    ),
    "name taken by another station": Bad(GRINDING, "name: TT-211", "name: ST-103", "tags[ST-103].name", "screening"),
    "alias taken by another station": Bad(
        GRINDING, "grinding.slurry_temp", "screening.trommel_speed", "tags[TT-211].alias", "screening"
    ),
    "heartbeat unknown": Bad(SCREENING, "heartbeat: HB-100", "heartbeat: HB-101", "heartbeat", "accepted: HB-100"),
    "alive is a float": Bad(SCREENING, "alive: SEQ-100", "alive: QI-100", "alive", "whole number"),
    "boot unknown": Bad(DRYING, "boot: XI-300", "boot: XI-301", "boot", "XI-300"),
    "boot and alive the same": Bad(
        DRYING, "boot: XI-300", "boot: SEQ-300", "alive", "is the boot already", at="alive:"
    ),
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
    # --- lines
    "line unknown key": Bad(DEMO, "simulated: true", "simulated: true\nloop: []", "loop", "loops", at="loop: []"),
    "line unknown nested key": Bad(
        DEMO, "bad_pv: {hold_s: 15}", "bad_pv: {hold_s: 15, hold: 1}", "loops[JIC-201].bad_pv.hold", "hold_s"
    ),
    "line profile": Bad(DEMO, "profile: grinding", "profile: grindin", "stations.grinding.profile", "grinding"),
    "line endpoint scheme": Bad(
        DEMO,
        "modbus-tcp://127.0.0.1:15020",
        "http://127.0.0.1:15020",
        "stations.screening.endpoint",
        "modbus-tcp://HOST",
    ),
    "line endpoint unit": Bad(DEMO, "15020?unit=1", "15020", "stations.screening.endpoint", "unit=0..247"),
    "line endpoint protocol": Bad(
        DEMO,
        "modbus-tcp://127.0.0.1:15020?unit=1",
        "opc.tcp://127.0.0.1:15020/x",
        "stations.screening.endpoint",
        "speaks modbus",
    ),
    "line endpoint twice": Bad(DEMO, "15021", "15020", "stations.grinding.endpoint", "screening already"),
    "line endpoint twice by name": Bad(
        DEMO, "127.0.0.1:15021", "localhost:15020", "stations.grinding.endpoint", "screening already"
    ),
    "line endpoint metadata": Bad(
        DEMO, "127.0.0.1:15020", "169.254.169.254:80", "stations.screening.endpoint", "not one a PLC has"
    ),
    "line scan too slow": Bad(
        DEMO, '15020?unit=1"}', '15020?unit=1", scan_s: 2}', "stations.screening.scan_s", "up to 1.66667"
    ),
    "line setting of opcua": Bad(
        DEMO,
        '15020?unit=1"}',
        '15020?unit=1", settings: {max_nodes_per_read: 5}}',
        "stations.screening.settings.max_nodes_per_read",
        "modbus",
    ),
    "line setting order": Bad(
        DEMO,
        '15020?unit=1"}',
        '15020?unit=1", settings: {word_order: abcd}}',
        "stations.screening.settings.word_order",
        "low_first",
    ),
    "line period": Bad(DEMO, "control_period_s: 1.0", "control_period_s: 0", "control_period_s", "0.05 or more"),
    "line simulated": Bad(DEMO, "simulated: true", "simulated: 1", "simulated", "true or false"),
    "line stations empty": Bad(DEMO, "stations:\n", "stations: {}\nx:\n", "stations", "at least 1", at="stations: {}"),
    "loop pv": Bad(DEMO, "pv: TT-303", "pv: TT-313", "loops[TIC-303].pv", "TT-303"),
    "loop pv is a switch": Bad(DEMO, "pv: JT-201", "pv: XS-201", "loops[JIC-201].pv", "bool"),
    "loop unit": Bad(DEMO, "unit: kW", "unit: W", "loops[JIC-201].unit", "kW"),
    "loop unit unknown": Bad(DEMO, "unit: kW", "unit: KW", "loops[JIC-201].unit", "kW"),
    "loop op unknown": Bad(DEMO, "op: TV-303", "op: TV-304", "loops[TIC-303].op", "TV-303"),
    "loop op read-only": Bad(DEMO, "op: TV-303", "op: TT-304", "loops[TIC-303].op", "not writable"),
    "loop op switch": Bad(DEMO, "op: TV-303", "op: XC-301", "loops[TIC-303].op", "bool"),
    "loop op heartbeat": Bad(DEMO, "op: SC-101", "op: HB-100", "loops[JIC-201].op", "station itself"),
    "loop op twice": Bad(DEMO, "op: FV-204", "op: FV-104", "loops[DIC-204].op", "FIC-104"),
    "loop op no loop": Bad(DEMO, "op: TIC-303.SP", "op: TIC-304.SP", "loops[MIC-306].op", "TIC-303.SP"),
    "loop op itself": Bad(DEMO, "op: TIC-303.SP", "op: MIC-306.SP", "loops[MIC-306].op", "another loop"),
    "loop op shape": Bad(DEMO, "op: TIC-303.SP", "op: TIC-303.PV", "loops[MIC-306].op", "set point"),
    "loop twice": Bad(DEMO, "name: DIC-204", "name: JIC-201", "loops[JIC-201].name", "first on line"),
    "loop named as a tag": Bad(DEMO, "name: DIC-204", "name: DT-204", "loops[DT-204].name", "a tag already"),
    "loop action": Bad(
        DEMO,
        "action: direct\n    gains: {form: isa, k: 0.5",
        "action: forward\n    gains: {form: isa, k: 0.5",
        "loops[DIC-204].action",
        "reverse or direct",
    ),
    "loop gain zero": Bad(DEMO, "k: 0.9", "k: 0", "loops[TIC-303].gains.k", "above 0"),
    "loop gain inf": Bad(DEMO, "k: 0.9", "k: .inf", "loops[TIC-303].gains.k", "finite"),
    "loop gain text": Bad(DEMO, "k: 0.9", "k: '0.9'", "loops[TIC-303].gains.k", "a number"),
    "loop integral time": Bad(DEMO, "ti_s: 90", "ti_s: 0", "loops[TIC-303].gains.ti_s", "above 0"),
    "loop derivative time": Bad(DEMO, "td_s: 20", "td_s: -1", "loops[MIC-306].gains.td_s", "0 or more"),
    "loop weight": Bad(DEMO, "b: 0.6", "b: 1.6", "loops[TIC-303].gains.b", "1 or less"),
    "loop form": Bad(DEMO, "{form: isa, k: 0.9", "{form: isb, k: 0.9", "loops[TIC-303].gains.form", "isa"),
    "loop set point empty": Bad(
        DEMO,
        "{low: 9, high: 13.5, initial: 12.8}",
        "{low: 9, high: 9, initial: 9}",
        "loops[MIC-306].sp.high",
        "above 9",
    ),
    "loop set point initial": Bad(DEMO, "initial: 12.8", "initial: 14", "loops[MIC-306].sp.initial", "9 to 13.5"),
    "loop set point above pv": Bad(
        DEMO,
        "sp: {low: 0, high: 60, initial: 15",
        "sp: {low: 0, high: 80, initial: 15",
        "loops[JIC-201].sp.high",
        "0 to 75",
    ),
    "loop set point below pv": Bad(
        DEMO, "sp: {low: 1000, high: 1200", "sp: {low: 900, high: 1200", "loops[DIC-204].sp.low", "980 to 1300"
    ),
    "loop set point rate": Bad(
        DEMO, "initial: 20, rate_per_s: 1.0", "initial: 20, rate_per_s: 0", "loops[TIC-303].sp.rate_per_s", "above 0"
    ),
    "loop output limits": Bad(
        DEMO,
        "op_limits: {low: 0, high: 100, rate_per_s: 2.0}",
        "op_limits: {low: 0, high: 101, rate_per_s: 2.0}",
        "loops[TIC-303].op_limits.high",
        "0 to 100",
    ),
    "loop output limits empty": Bad(
        DEMO, "op_limits: {low: 5, high: 100", "op_limits: {low: 5, high: 5", "loops[DIC-204].op_limits.high", "above 5"
    ),
    "loop cascade limits": Bad(
        DEMO,
        "op_limits: {low: 90, high: 185",
        "op_limits: {low: 90, high: 195",
        "loops[MIC-306].op_limits.high",
        "20 to 190",
    ),
    "loop ratio tag": Bad(DEMO, "tag: WT-102, factor", "tag: WT-103, factor", "loops[FIC-104].ratio.tag", "WT-102"),
    "loop ratio factor": Bad(DEMO, "factor: 0.003", "factor: 0", "loops[FIC-104].ratio.factor", "ratio"),
    "loop ratio limits": Bad(
        DEMO, "low: 0.5, high: 10}", "low: 0.5, high: 11}", "loops[FIC-104].ratio.high", "0 to 10"
    ),
    "gate tag": Bad(DEMO, "tag: XV-312", "tag: XV-313", "guard.gate.tag", "XV-312"),
    "gate position": Bad(DEMO, "position: ZT-312", "position: ZT-313", "guard.gate.position", "ZT-312"),
    "gate value": Bad(DEMO, "waste: 2", "waste: 3", "guard.gate.waste", "2 (waste)"),
    "gate values alike": Bad(DEMO, "waste: 2", "waste: 1", "guard.gate.waste", "rework already"),
    "gate read-only": Bad(DEMO, "tag: XV-312", "tag: ZT-312", "guard.gate.tag", "not writable"),
    "guard total": Bad(DEMO, "good_total: WQ-313", "good_total: WQ-333", "guard.good_total", "WQ-313"),
    "guard diverted": Bad(DEMO, "[WQ-314, WQ-315]", "[WQ-314, WQ-316]", "guard.diverted_totals[1]", "WQ-315"),
    "guard counted twice": Bad(DEMO, "[WQ-314, WQ-315]", "[WQ-314, WQ-313]", "guard.diverted_totals[1]", "twice"),
    "guard flow": Bad(DEMO, "flow: {tag: WT-313", "flow: {tag: WT-333", "guard.flow.tag", "WT-313"),
    "guard flow minimum": Bad(DEMO, "min: 5}", "min: 5000}", "guard.flow.min", "0 to 1000"),
    "limit tag": Bad(
        DEMO, "tag: TT-305, high", "tag: TT-325, high", "guard.critical_limits[CCP1-product-temp].tag", "TT-305"
    ),
    "limit outside": Bad(
        DEMO, "high: 60.0", "high: 600", "guard.critical_limits[CCP1-product-temp].high", "-20 to 120"
    ),
    "limit backwards": Bad(
        DEMO, "high: 14.0, low: 8.0", "high: 8.0, low: 14.0", "guard.critical_limits[CCP1-moisture].high", "above 14"
    ),
    "limit without limits": Bad(
        DEMO, "tag: TT-305, high: 60.0", "tag: TT-305", "guard.critical_limits[CCP1-product-temp].high", "neither"
    ),
    "limit twice": Bad(
        DEMO, "name: CCP1-product-temp", "name: CCP1-moisture", "guard.critical_limits[CCP1-moisture].name", "twice"
    ),
    "limit source": Bad(
        DEMO,
        ', source: "3 K below gelatinisation onset 61 degC"',
        "",
        "guard.critical_limits[CCP1-product-temp].source",
        "missing",
    ),
    "yield tag": Bad(DEMO, "root_total: WQ-102", "root_total: WQ-103", "yield.root_total", "WQ-102"),
    "yield unit": Bad(DEMO, "root_total: WQ-102", "root_total: WT-102", "yield.root_total", "kg"),
    "yield water": Bad(DEMO, "[FQ-104, FQ-203]", "[FQ-104, FT-203]", "yield.water_totals[1]", "m3"),
    "yield twice": Bad(DEMO, "[FQ-104, FQ-203]", "[FQ-104, FQ-104]", "yield.water_totals[1]", "twice"),
    "yield purity": Bad(
        DEMO, "powder_purity: {value: 0.97", "powder_purity: {value: 97", "yield.powder_purity.value", "1 or less"
    ),
    "yield uncertainty": Bad(DEMO, "root_scale_rel: 0.005, ", "", "yield.uncertainty.root_scale_rel", "missing"),
    "yield band": Bad(
        DEMO, "moisture_band_pct_wb: 1.0", "moisture_band_pct_wb: 0", "yield.moisture_band_pct_wb", "above 0"
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the shipped files that may be spoilt."""
    return Path(shutil.copytree(shipped_dir(), tmp_path / "plc"))


def spoil(tree: Path, bad: Bad) -> int:
    """Make the mistake; the line on which it is expected to be told."""
    path = tree / bad.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bad.old) >= 1, f"{bad.old!r} is no longer in {bad.file}"
    begin = text.index(bad.old)
    spoilt = text.replace(bad.old, bad.new, 1)
    path.write_text(spoilt, encoding="utf-8")
    changed = next((i for i, (a, b) in enumerate(zip(text, spoilt, strict=False)) if a != b), begin)
    line = text.count("\n", 0, changed) + 1
    if bad.at == "@2":
        return line
    if bad.at:
        told = (tree / (bad.told_in or bad.file)).read_text(encoding="utf-8")
        return next(i for i, row in enumerate(told.splitlines(), 1) if bad.at in row)
    return line


@pytest.mark.parametrize("name", CORPUS)
def test_each_mistake_is_told_where_it_is_and_nothing_else(name: str, tree: Path) -> None:
    bad = CORPUS[name]
    line = spoil(tree, bad)
    file = str(tree / (bad.told_in or bad.file))
    problems = check_paths([tree / bad.file, tree])
    shown = "\n".join(str(p) for p in problems)
    assert [(p.file, p.line, p.key) for p in problems] == [(file, line, bad.key)], shown
    assert bad.said in str(problems[0])
    assert problems[0].message


def test_the_shipped_files_are_right() -> None:
    assert check_paths() == []
    assert len(files_in()) >= 8 + 10


def test_the_corpus_needs_the_mistakes(tree: Path) -> None:
    """The untouched copy is right: so every problem of the corpus comes from its mistake."""
    assert check_paths([tree]) == []


def test_all_mistakes_of_all_files_are_told_at_once(tree: Path) -> None:
    chosen = ["brand evidence", "tag unit", "tag overlap", "safe output too high", "probe shows nothing", "tag type"]
    chosen += ["loop gain zero", "gate left on good", "tag no node", "line unknown key", "limit outside"]
    for name in chosen:
        spoil(tree, CORPUS[name])
    keys = [problem.key for problem in check_paths([tree])]
    missing = {CORPUS[name].key for name in chosen} - set(keys)
    # a wrong type makes WT-101 unusable, so its unit and its place beside others are judged when the type is mended
    assert missing <= {"tags[WT-101].unit"}
    assert len(keys) == len(set(keys))


def test_a_wrong_row_does_not_hide_the_others(tree: Path) -> None:
    """A tag with a wrong type is still a tag: what refers to it is not called lost, and the rest is checked."""
    spoil(tree, CORPUS["tag type"])  # WT-101
    path = tree / SCREENING
    path.write_text(
        path.read_text(encoding="utf-8").replace("range: [0, 12], probe", "range: [12, 0], probe"), encoding="utf-8"
    )
    keys = [problem.key for problem in check_paths([path])]
    assert keys == ["tags[WT-101].type", "tags[FT-104].range"]


def test_a_missing_station_does_not_make_its_tags_unknown(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("profile: drying", "profile: dryin"), encoding="utf-8")
    assert [p.key for p in check_paths([path])] == ["stations.drying.profile"]


def test_one_profile_cannot_be_used_twice(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    extra = '  again: {profile: drying, endpoint: "opc.tcp://127.0.0.1:14841/x"}\ncontrol_period_s'
    path.write_text(text.replace("control_period_s", extra, 1), encoding="utf-8")
    assert [p.key for p in check_paths([path])] == ["stations.again.profile"]


def test_loops_in_a_ring_are_told_once(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8").replace("op: TV-303", "op: MIC-306.SP")
    text = text.replace("op_limits: {low: 0, high: 100, rate_per_s: 2.0}", "op_limits: {low: 9, high: 13}")
    path.write_text(text, encoding="utf-8")
    (problem,) = check_paths([path])
    assert (problem.key, "ring" in problem.message) == ("loops[TIC-303].op", True)


def test_serial_stations_share_their_line_settings(tree: Path) -> None:
    path = tree / DEMO
    text = path.read_text(encoding="utf-8")
    text = text.replace("modbus-tcp://127.0.0.1:15020?unit=1", "modbus-serial:///dev/ttyS0?unit=1&baud=9600")
    path.write_text(text.replace("modbus-tcp://127.0.0.1:15021?unit=1", "modbus-serial:///dev/ttyS0?unit=2&baud=19200"))
    (problem,) = check_paths([path])
    assert (problem.key, problem.line) == ("stations.grinding.endpoint", 7)
    path.write_text(path.read_text(encoding="utf-8").replace("baud=19200", "baud=9600"), encoding="utf-8")
    assert check_paths([path]) == []


DRIVE = """\
kind: station
name: drive
title: {en: "Fan drive", zh: "风机变频器"}
brand: BRAND
tags:
  - {name: ST-901, alias: drive.speed, point: PV, unit: "°C", scale: 0.1, range: [0, 300], probe: {between: [0, 300]}}
  - {name: SC-901, alias: drive.set, point: SP_REMOTE, unit: "°C", range: [0, 200]}
  - {name: TV-901, point: OP_MANUAL}
safe_outputs:
  stopped: {SC-901: 0, TV-901: 0}
"""

POINTS = {
    "unknown point": ("point: PV", "point: PVV", "tags[ST-901].point", "accepted: PV"),
    "address with point": ("point: PV", 'point: PV, address: "1"', "tags[ST-901].address", "leave it out"),
    "type with point": ("point: PV", "point: PV, type: int16", "tags[ST-901].type", "leave it out"),
    "writable beyond the point": ("point: PV", "point: PV, writable: true", "tags[ST-901].writable", "read-only"),
    "range beyond the register": (
        "range: [0, 300], probe",
        "range: [0, 4000], probe",
        "tags[ST-901].range",
        "does not fit",
    ),
    "output without range": (", range: [0, 200]}", "}", "tags[SC-901].range", "limits"),
    "same point twice": ("point: OP_MANUAL", "point: SP_REMOTE, range: [0, 1]", "tags[TV-901].point", "SC-901"),
    "unit": ('point: SP_REMOTE, unit: "°C"', "point: SP_REMOTE, unit: C", "tags[SC-901].unit", "°C"),
}


def write_drive(tree: Path, text: str, brand: str = "eurotherm-3200") -> Path:
    path = tree / "stations" / "drive.yaml"
    path.write_text(text.replace("BRAND", brand), encoding="utf-8")
    return path


def test_a_station_takes_over_known_points(tree: Path) -> None:
    assert check_paths([write_drive(tree, DRIVE)]) == []


@pytest.mark.parametrize("name", POINTS)
def test_mistakes_with_points(name: str, tree: Path) -> None:
    old, new, key, said = POINTS[name]
    assert old in DRIVE
    (problem,) = check_paths([write_drive(tree, DRIVE.replace(old, new))])
    assert problem.key == key
    assert said in str(problem)


def test_a_point_that_cannot_be_read_back_is_refused(tree: Path) -> None:
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n  - {name: XC-901, point: COMMAND, range: [0, 50]}\nkeep: [XC-901]\n"
    (problem,) = check_paths([write_drive(tree, text, "delta-ms300")])
    assert (problem.key, problem.line) == ("tags[XC-901].point", 6)
    assert "confirmed" in problem.message


def test_reserved_registers_are_refused(tree: Path) -> None:
    tag = '  - {name: ET-901, title: {en: "v", zh: "v"}, address: "0x2104", type: int32}\n'
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n" + tag
    (problem,) = check_paths([write_drive(tree, text, "delta-vfd-el-w")])
    assert problem.key == "tags[ET-901].address"
    assert "reserved" in problem.message


def test_a_register_that_must_not_be_written_may_be_read(tree: Path) -> None:
    tag = '  - {name: TT-901, title: {en: "v", zh: "v"}, address: "0x0000", type: int32}\n'
    text = DRIVE[: DRIVE.index("tags:")] + "tags:\n" + tag
    assert check_paths([write_drive(tree, text, "omron-e5cc")]) == []
    text = text.replace("type: int32", "type: int32, writable: true, range: [0, 1]") + "keep: [TT-901]\n"
    (problem,) = check_paths([write_drive(tree, text, "omron-e5cc")])
    assert "operation command" in problem.message


def test_a_loop_must_not_wear_out_a_register(tree: Path) -> None:
    text = DRIVE.replace("SP_REMOTE", "SP_TARGET")
    write_drive(tree, text)
    line = tree / "lines" / "oven.yaml"
    line.write_text(
        'kind: line\nname: oven\ntitle: {en: "o", zh: "o"}\nstations:\n'
        '  drive: {profile: drive, endpoint: "modbus-rtu-tcp://127.0.0.1:502?unit=1"}\n'
        'loops:\n  - {name: TIC-901, title: {en: "t", zh: "t"}, pv: ST-901, op: SC-901, unit: "°C", action: reverse,\n'
        "     gains: {k: 1, ti_s: 10}, sp: {low: 0, high: 200, initial: 0}, op_limits: {low: 0, high: 200}}\n",
        encoding="utf-8",
    )
    (problem,) = check_paths([line])
    assert (problem.key, problem.line) == ("loops[TIC-901].op", 7)
    assert "wears out" in problem.message
    write_drive(tree, DRIVE)
    assert check_paths([line]) == []


def test_settings_stay_within_what_the_brand_takes(tree: Path) -> None:
    write_drive(tree, DRIVE[: DRIVE.index("tags:")] + "tags:\n  - {name: ST-901, point: SPEED}\n")
    drive = tree / "stations" / "drive.yaml"
    drive.write_text(
        drive.read_text(encoding="utf-8").replace("eurotherm-3200", "BRAND").replace("BRAND", "invt-goodrive"),
        encoding="utf-8",
    )
    line = tree / "lines" / "oven.yaml"
    text = (
        'kind: line\nname: oven\ntitle: {en: "o", zh: "o"}\nstations:\n  drive:\n    profile: drive\n'
        '    endpoint: "modbus-rtu-tcp://127.0.0.1:502?unit=1"\n    settings:\n      max_read_words: 17\n'
    )
    line.write_text(text, encoding="utf-8")
    (problem,) = check_paths([line])
    assert (problem.line, problem.key, problem.accepted) == (9, "stations.drive.settings.max_read_words", "up to 16")
    line.write_text(text.replace("max_read_words: 17", "max_read_words: 12\n      max_gap_words: 4"), encoding="utf-8")
    assert check_paths([line]) == []


def test_other_kinds_are_checked_by_who_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: recipe\nname: x\n", encoding="utf-8")

    def check(doc: Document) -> list[Problem]:
        return [doc.problem(("name",), "is too short")]

    assert [(p.line, p.key) for p in check_paths([path], {"recipe": check})] == [(2, "name")]
    assert [(p.line, p.key) for p in check_paths([path])] == [(1, "kind")]
    assert [(p.line, p.key) for p in check_document(parse_document("kind: recipe\nname: x", path), {"recipe": check})]


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    problems = check_paths([tmp_path / "empty", tmp_path / "none.yaml"])
    assert ["holds no YAML file", "cannot be read: No such file or directory"] == [p.message for p in problems]


def test_files_are_shown_from_the_working_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(tree, CORPUS["brand evidence"])
    monkeypatch.chdir(tree)
    assert [p.file for p in check_paths([tree / DVP])] == [DVP]


SHIPPED = {path: path.read_text(encoding="utf-8") for path in files_in()}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(sorted(SHIPPED)),
    st.floats(0, 1),
    st.integers(0, 12),
    st.one_of(
        st.text(alphabet="a1:-?[]{},&*!|>'\"%#~ \n0x.eTrue", max_size=8),
        st.sampled_from([".nan", "1e999", "[]", "{}", "~", "''", "[1, [2]]", "{a: {b: 1}}", "true", "-5", "9" * 24]),
    ),
)
def test_spoilt_shipped_files_raise_nothing_but_config_errors(path: Path, where: float, cut: int, junk: str) -> None:
    text = SHIPPED[path]
    at = int(where * len(text))
    try:
        doc = parse_document(text[:at] + junk + text[at + cut :], path)
        problems = check_document(doc)
    except ConfigError as error:
        problems = list(error.problems)
    for problem in problems:
        assert str(problem)
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 20


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.sampled_from(["", "x", "D1", "kg"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "tags", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_any_value_in_any_place_is_right_or_told(path: Path, data: st.DataObject) -> None:
    """Structured junk: one value somewhere in a shipped file becomes something else."""
    import copy
    import json

    changed = copy.deepcopy(parse_document(SHIPPED[path], path).data)
    node: object = changed
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        parent, node = node, node[key]  # type: ignore[index]
    parent[key] = data.draw(values)  # type: ignore[index]
    text = json.dumps(changed).replace("NaN", ".nan").replace("Infinity", ".inf")
    try:
        problems = check_document(parse_document(text, path))
    except ConfigError as error:
        problems = list(error.problems)
    assert all(str(problem) for problem in problems)
