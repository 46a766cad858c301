"""Mistakes in line files."""

from __future__ import annotations

from config_mistake import DEMO, Bad

LINE_MISTAKES = {
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
    "loop ratio limits empty": Bad(
        DEMO, "low: 0.5, high: 10}", "low: 0.5, high: 0.5}", "loops[FIC-104].ratio.high", "above 0.5"
    ),
}
