"""Mistakes in line files."""

from __future__ import annotations

import re

from config_mistake import DEMO, GRINDING, Bad, number_at

LINE_MISTAKES = {
    # --- lines
    "line unknown key": Bad(DEMO, "simulated: true", "simulated: true\nloop: []", "loop", "loops", at="loop: []"),
    "line unknown nested key": Bad(DEMO, "bad_pv: {", "bad_pv: {hold: 1, ", "loops[TIC-303].bad_pv.hold", "hold_s"),
    "line history kept for no time": Bad(
        DEMO, "simulated: true", "simulated: true\nhistory: {keep_days: 0}", "history.keep_days", "1"
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
    "line reading unknown": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {reading: poll}}',
        "stations.drying.settings.reading",
        "subscribe",
    ),
    "line reports of a scanned station": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {queue_size: 30}}',
        "stations.drying.settings.queue_size",
        "reading: subscribe",
    ),
    "line queue too short": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {reading: subscribe, queue_size: 1}}',
        "stations.drying.settings.queue_size",
        "2",
    ),
    "line reports rarer than scans": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {reading: subscribe, publishing_s: 9}}',
        "stations.drying.settings.publishing_s",
        "longer than the scan period",
    ),
    "line reports of a Modbus device": Bad(
        DEMO,
        '15020?unit=1"}',
        '15020?unit=1", settings: {reading: subscribe}}',
        "stations.screening.settings.reading",
        "modbus",
    ),
    "line security unknown": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {security: sign}}',
        "stations.drying.settings.security",
        "sign_and_encrypt",
    ),
    "line username readable": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {username: wang, password_file: demo.yaml}}',
        "stations.drying.settings.username",
        "security: sign_and_encrypt",
    ),
    "line certificate without security": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {certificate: demo.yaml}}',
        "stations.drying.settings.certificate",
        "no meaning without security",
    ),
    "line password itself": Bad(
        DEMO,
        '14840/drying"}',
        '14840/drying", settings: {password: secret}}',
        "stations.drying.settings.password",
        "password_file",
    ),
    "line security of modbus": Bad(
        DEMO,
        '15020?unit=1"}',
        '15020?unit=1", settings: {security: none}}',
        "stations.screening.settings.security",
        "modbus",
    ),
    "line period": Bad(DEMO, number_at("control_period_s: "), "0", "control_period_s", "0.05 or more"),
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
    "loop action": Bad(DEMO, "action: direct", "action: forward", "loops[MIC-306].action", "reverse or direct"),
    "loop gain zero": Bad(DEMO, number_at("name: TIC-303", "k: "), "0", "loops[TIC-303].gains.k", "above 0"),
    "loop gain inf": Bad(DEMO, number_at("name: TIC-303", "k: "), ".inf", "loops[TIC-303].gains.k", "finite"),
    "loop gain text": Bad(DEMO, number_at("name: TIC-303", "k: "), "'0.9'", "loops[TIC-303].gains.k", "a number"),
    "loop integral time": Bad(DEMO, number_at("name: TIC-303", "ti_s: "), "0", "loops[TIC-303].gains.ti_s", "above 0"),
    "loop derivative time": Bad(
        DEMO, number_at("name: MIC-306", "td_s: "), "-1", "loops[MIC-306].gains.td_s", "0 or more"
    ),
    "loop weight": Bad(DEMO, number_at("name: TIC-303", " b: "), "1.6", "loops[TIC-303].gains.b", "1 or less"),
    "loop form": Bad(DEMO, "form: isa", "form: isb", "loops[TIC-303].gains.form", "isa"),
    "loop set point empty": Bad(
        DEMO, number_at("name: MIC-306", "sp: ", "high: "), "1", "loops[MIC-306].sp.high", "above"
    ),
    "loop set point initial": Bad(
        DEMO, number_at("name: MIC-306", "initial: "), "39", "loops[MIC-306].sp.initial", "limits of the set point"
    ),
    "loop set point above pv": Bad(
        DEMO, number_at("name: JIC-201", "sp: ", "high: "), "80", "loops[JIC-201].sp.high", "the range of JT-201"
    ),
    "loop set point below pv": Bad(
        DEMO, number_at("name: DIC-204", "sp: ", "low: "), "900", "loops[DIC-204].sp.low", "the range of DT-204"
    ),
    "loop set point rate": Bad(
        DEMO, number_at("name: TIC-303", "sp: ", "rate_per_s: "), "0", "loops[TIC-303].sp.rate_per_s", "above 0"
    ),
    "loop output limits": Bad(
        DEMO, number_at("name: TIC-303", "op_limits: ", "high: "), "101", "loops[TIC-303].op_limits.high", "0 to 100"
    ),
    "loop output resolution": Bad(
        DEMO,
        number_at("name: TIC-303", "op_limits: ", "resolution: "),
        "2.1",
        "loops[TIC-303].op_limits.resolution",
        "0 to 2",
    ),
    "loop output limits empty": Bad(
        DEMO, number_at("name: DIC-204", "op_limits: ", "high: "), "-1", "loops[DIC-204].op_limits.high", "above"
    ),
    "loop cascade limits": Bad(
        DEMO,
        number_at("name: MIC-306", "op_limits: ", "high: "),
        "229",
        "loops[MIC-306].op_limits.high",
        "the range of TIC-303.SP",
    ),
    "loop ratio tag": Bad(DEMO, "tag: WT-102, factor", "tag: WT-103, factor", "loops[FIC-104].ratio.tag", "WT-102"),
    "loop ratio factor": Bad(DEMO, number_at("name: FIC-104", "factor: "), "0", "loops[FIC-104].ratio.factor", "ratio"),
    "loop ratio limits": Bad(
        DEMO,
        number_at("name: FIC-104", "ratio: ", "high: "),
        "11.5",
        "loops[FIC-104].ratio.high",
        "limits of the set point",
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
    "guard flow minimum": Bad(DEMO, number_at("flow: ", "min: "), "5000", "guard.flow.min", "0 to 1000"),
    "limit tag": Bad(
        DEMO, "tag: TT-305, high", "tag: TT-325, high", "guard.critical_limits[CCP1-product-temp].tag", "TT-305"
    ),
    "limit outside": Bad(
        DEMO, number_at("tag: TT-305", "high: "), "600", "guard.critical_limits[CCP1-product-temp].high", "-20 to 120"
    ),
    "limit backwards": Bad(
        DEMO, number_at("tag: MT-306", "high: "), "0.5", "guard.critical_limits[CCP1-moisture].high", "above"
    ),
    "limit without limits": Bad(
        DEMO,
        re.compile(r"(tag: TT-305), high: [0-9.]+"),
        "",
        "guard.critical_limits[CCP1-product-temp].high",
        "neither",
    ),
    "limit twice": Bad(
        DEMO, "name: CCP1-product-temp", "name: CCP1-moisture", "guard.critical_limits[CCP1-moisture].name", "twice"
    ),
    "limit source": Bad(
        DEMO,
        re.compile(r"(CCP1-product-temp.*), source: \"[^\"]*\""),
        "",
        "guard.critical_limits[CCP1-product-temp].source",
        "missing",
    ),
    "yield tag": Bad(DEMO, "root_total: WQ-102", "root_total: WQ-103", "yield.root_total", "WQ-102"),
    "yield unit": Bad(DEMO, "root_total: WQ-102", "root_total: WT-102", "yield.root_total", "kg"),
    "yield water": Bad(DEMO, "[FQ-104, FQ-203]", "[FQ-104, FT-203]", "yield.water_totals[1]", "m3"),
    "yield twice": Bad(DEMO, "[FQ-104, FQ-203]", "[FQ-104, FQ-104]", "yield.water_totals[1]", "twice"),
    "yield purity": Bad(DEMO, number_at("powder_purity: {value: "), "97", "yield.powder_purity.value", "1 or less"),
    "yield uncertainty": Bad(
        DEMO,
        re.compile(r"(uncertainty: \{)root_scale_rel: [0-9.]+, "),
        "",
        "yield.uncertainty.root_scale_rel",
        "missing",
    ),
    "yield band": Bad(DEMO, number_at("moisture_band_pct_wb: "), "0", "yield.moisture_band_pct_wb", "above 0"),
    "loop ratio limits empty": Bad(
        DEMO, number_at("name: FIC-104", "ratio: ", "high: "), "0", "loops[FIC-104].ratio.high", "above"
    ),
    # --- laboratory
    "line laboratory tag": Bad(DEMO, "{tag: MT-306, u:", "{tag: MT-3066, u:", "laboratory[0].tag", "MT-306"),
    "line laboratory bool": Bad(DEMO, "{tag: MT-306, u:", "{tag: XA-301, u:", "laboratory[0].tag", "a number"),
    "line laboratory twice": Bad(
        DEMO,
        "  - {tag: MT-306, u:",
        "  - {tag: MT-306, u: 0.1}\n  - {tag: MT-306, u:",
        "laboratory[1].tag",
        "each meter once",
        at="{tag: MT-306, u: 0.1, prior_u",
    ),
    "line laboratory u": Bad(DEMO, "u: 0.1, prior_u", "u: 2.5, prior_u", "laboratory[0].u", "up to 2"),
    "line laboratory window": Bad(DEMO, "u: 0.1, prior_u", "u: 0.1, window_s: 5, prior_u", "laboratory[0].window_s"),
    # --- samples, balance, consumption
    "sample twice": Bad(
        DEMO,
        "  - {name: PULP-BOUND, title",
        "  - {name: ROOT-SOIL, title: {en: x, zh: x}, u: 1}\n  - {name: PULP-BOUND, title",
        "samples[ROOT-SOIL].name",
        "its own",
        at="{name: ROOT-SOIL, title: {en: x",
    ),
    "sample of a meter's name": Bad(
        DEMO,
        "  - {name: PULP-BOUND, title",
        "  - {name: MT-306, title: {en: x, zh: x}, u: 1}\n  - {name: PULP-BOUND, title",
        "samples[MT-306].name",
        "its own",
        at="{name: MT-306, title: {en: x",
    ),
    "sample unit": Bad(DEMO, 'unit: "g/kg", low: 0', 'unit: "g/L", low: 0', "samples[DRAIN-STARCH].unit", "g/kg"),
    "sample range": Bad(
        DEMO, 'unit: "g/kg", low: 0', 'unit: "g/kg", low: 60', "samples[DRAIN-STARCH].high", "above 60"
    ),
    "balance total": Bad(DEMO, "totals: [WQ-208]", "totals: [WQ-2088]", "balance.streams.pulp.totals[0]", "WQ-208"),
    "balance sample": Bad(
        DEMO,
        "bound: {sample: PULP-BOUND,",
        "bound: {sample: PULP-BOND,",
        "balance.streams.pulp.fractions.bound.sample",
        "PULP-BOUND",
    ),
    "balance meter without totals": Bad(
        DEMO,
        "pulp_fibre: {title:",
        "pulp_fibre: {fractions: {water: {tag: MT-207, u: 0.3}}, title:",
        "balance.streams.pulp_fibre.fractions.water.tag",
        "totals for the stream",
    ),
    "balance meter's unit": Bad(
        DEMO, "{tag: MT-207, u: 0.3}", "{tag: TT-305, u: 0.3}", "balance.streams.cake.fractions.water.tag", "% wb"
    ),
    "balance one name twice": Bad(  # a letter of full width: one name in an equation
        DEMO,
        "    pulp_fibre: {title:",
        "    ｐulp: {title:",
        "balance.streams",
        "are one name in an equation",
        at="streams:",
    ),
    "balance no uncertainty": Bad(DEMO, "change: WT-301, u: 0.5", "change: WT-301", "balance.streams.cake_left"),
    "balance powder": Bad(DEMO, "powder: good", "powder: goods", "balance.powder", "good"),
    "balance factor": Bad(DEMO, "    washing: 1 - pulp", "    wash: 1 - pulp", "balance.factors.wash"),
    "consumption unit": Bad(DEMO, "totals: [JQ-321]", "totals: [FQ-104]", "consumption.carriers.fuel.totals[0]", "kWh"),
    "consumption currency": Bad(DEMO, "currency: CNY", "currency: yuan", "consumption.currency"),
    # --- moisture
    "moisture tag": Bad(DEMO, "outlet: TT-304,", "outlet: TT-3044,", "loops[MIC-306].moisture.outlet", "TT-304"),
    "moisture bool": Bad(DEMO, "outlet: TT-304,", "outlet: XA-301,", "loops[MIC-306].moisture.outlet", "a number"),
    "moisture unit": Bad(DEMO, "feed: WT-302,", "feed: WT-301,", "loops[MIC-306].moisture.feed", "kg/h"),
    "moisture twice": Bad(
        DEMO, "product: TT-305,", "product: TT-304,", "loops[MIC-306].moisture.product", "of its own"
    ),
    "moisture inlet": Bad(DEMO, "inlet: TT-303,", "inlet: TT-311,", "loops[MIC-306].moisture.inlet", "TT-303"),
    "moisture meter": Bad(DEMO, "nir: MT-306,", "nir: AT-106,", "loops[MIC-306].moisture.nir", "MT-306"),
    "moisture mode": Bad(DEMO, "mode: predictive", "mode: mpc", "loops[MIC-306].moisture.mode", "predictive"),
    "moisture bridge": Bad(DEMO, "moisture: {", "moisture: {bridge_s: -1, ", "loops[MIC-306].moisture.bridge_s"),
    "moisture model": Bad(
        DEMO, "model: demo.moisture.json", "model: none.json", "loops[MIC-306].moisture.model", "moisture commission"
    ),
    # --- bags
    "bags change": Bad(DEMO, "change: XC-321", "change: XA-301", "bags.change", "writable"),
    "bags count": Bad(DEMO, "count: NQ-321", "count: NQ-322", "bags.count", "NQ-321"),
    "bags station": Bad(
        DEMO, "washer, station: screening", "washer, station: screen", "bags.machines[washer].station", "screening"
    ),
    "bags hold-up": Bad(DEMO, "tanks: 1, mean_s: 6.0", "tanks: 1", "bags.machines[rasp]", "mean_s, holdup or level"),
    "bags tip": Bad(
        DEMO, "tanks: 1, mean_s: 6.0", "tanks: 1, mean_s: 6.0, tip_kg: 5", "bags.machines[rasp].tip_kg", "its level"
    ),
    "never a Hold for a silent cabinet": Bad(
        DEMO, "control_period_s: 1.0", "away_hold_s: .inf", "away_hold_s", "finite"
    ),
    "bags machine twice": Bad(
        DEMO, "name: rasp, station", "name: washer, station", "bags.machines[washer].name", "its own"
    ),
    "critical limit at no place of the bags": Bad(
        DEMO,
        "stage: powder-window",
        "stage: powder-windows",
        "guard.critical_limits[CCP1-moisture].stage",
        "powder-window",
    ),
    "interlock of a station at no place of the bags": Bad(
        GRINDING, "stage: concentrator", "stage: concentrater", "interlocks[IL-201].stage", "concentrator"
    ),
    "interlock with a stage but no deviation": Bad(
        DEMO,
        "    refuses: [{tag: SC-101, above: 0}]",
        "    refuses: [{tag: SC-101, above: 0}]\n    stage: rasp",
        "interlocks[IL-101].stage",
        "oprp: true",
    ),
    "guard band": Bad(
        DEMO, "guard_band: 0.3", "guard_band: 3.0", "guard.critical_limits[CCP1-moisture].guard_band", "less than 3"
    ),
    "measuring point twice": Bad(
        DEMO,
        "points: [cyclone-cone]",
        "points: [cyclone-cone, cooler]",
        "bags.machines[transport].points[1]",
        "its own",
    ),
}
