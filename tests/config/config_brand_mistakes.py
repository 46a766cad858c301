"""Mistakes in a file as such, and in brand files."""

from __future__ import annotations

from config_mistake import DVP, ELW, EUROTHERM, GENERIC, GENERIC_UA, GRINDING, M221, MS300, Bad

BRAND_MISTAKES = {
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
    "brand time-out nan": Bad(DVP, "timeout_s: ", "timeout_s: .nan # ", "timeout_s", "finite"),
    "brand time-out inf": Bad(DVP, "timeout_s: ", "timeout_s: 1e999 # ", "timeout_s", "finite"),
    "brand time-out zero": Bad(DVP, "timeout_s: ", "timeout_s: 0 # ", "timeout_s", "0.05 or more"),
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
        GENERIC_UA, "timeout_s: ", "word_order: low_first\ntimeout_s: ", "word_order", "leave it out"
    ),
    "brand namespace missing": Bad(
        GENERIC_UA, 'namespace: "urn:linecontrol:plc"\n', "", "namespace", "URI", at="kind: brand"
    ),
    "point twice": Bad(
        EUROTHERM, "name: REMOTE_SELECT,", "name: STATUS,", "points[STATUS].name", "twice", at='address: "276"'
    ),
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
    "brand unverified twice": Bad(DVP, "[word_order,", "[word_order, word_order,", "unverified[1]", "given twice"),
    "forbidden backwards": Bad(
        ELW, "first: 0x2105, last: 0x2107", "first: 0x2105, last: 0x2104", "forbidden[0].last", "8453 or more"
    ),
    "area of another radix": Bad(DVP, 'prefix: "Y", table: coil', 'prefix: "S", table: coil', "areas[6]", "area 2"),
    "areas told apart by their digits": Bad(
        GENERIC,
        "wire: 0, digits: [4, 5]}\nnotes",
        "wire: 0, digits: [4]}\n  - {prefix: '4', table: holding, first: 1, last: 9, wire: 9, digits: [4, 6]}\nnotes",
        "areas[4]",
        "area 3",
        at="digits: [4, 6]",
    ),
}
