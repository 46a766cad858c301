"""Mistakes in a station's head and in single tags."""

from __future__ import annotations

from config_mistake import DRYING, GRINDING, SCREENING, Bad

TAG_MISTAKES = {
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
    # --- stations: one tag
    "tag name": Bad(SCREENING, "name: ST-103", "name: ST.103", "tags[ST.103].name", "letters, digits"),
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
    "tag deadband too wide": Bad(
        SCREENING,
        "range: [0, 5000], probe",
        "range: [0, 5000], deadband: 300, probe",
        "tags[WT-101].deadband",
        "0 to 250",
    ),
    "tag deadband of a bool": Bad(
        SCREENING, "bit: 0, type: bool}", "bit: 0, type: bool, deadband: 1}", "tags[XS-101].deadband", "leave it out"
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
    "tag string with range": Bad(
        DRYING, 's=Fan.PT-308", type: float64', 's=Fan.PT-308", type: string', "tags[PT-308].range", "leave it out"
    ),
    "tag choices on float": Bad(
        DRYING, "range: [-2000, 500]", "range: [-2000, 500], choices: {0: x}", "tags[PT-308].choices", "int16"
    ),
    "tag address is a list": Bad(DRYING, '"s=Fan.PT-308"', "[]", "tags[PT-308].address", "a text"),
}
