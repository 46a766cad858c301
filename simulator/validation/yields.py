"""Yield, recovery of each stage, water and power per root: whole lines in their steady state."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from simulator.validation.bench import Bench
from simulator.validation.check import Check, Kind, Span

GROUP = "Yield, from species and kind of line alone"
STAGES = "Stages of the lines"
LOW, HIGH = ("lobata_wild", "manual"), ("thomsonii_selected", "mechanised")
CROSSED = (("lobata_wild", "mechanised"), ("thomsonii_selected", "manual"))
_NAMES = {
    ("lobata_wild", "manual"): "wild lobata, craft",
    ("lobata_wild", "mechanised"): "wild lobata, mechanised",
    ("thomsonii_selected", "manual"): "selected thomsonii, craft",
    ("thomsonii_selected", "mechanised"): "selected thomsonii, mechanised",
}
_WHOLE = {"manual": 0.563, "mechanised": 0.848}  # product of the stage factors below
_RECOVERY = {"manual": Span(0.50, 0.65), "mechanised": Span(0.75, 0.88)}
_FACTORS = (
    ("starch freed by the rasp", "freed", 0.75, 0.92),
    ("freed starch washed out of the pulp", "washed_out", 0.85, 0.975),
    ("starch caught by cyclones or settling", "caught", 0.93, 0.97),
    ("starch kept in dewatering", "dewatered", 0.97, 0.985),
    ("starch kept by dryer and sifter", "kept_dry", 0.98, 0.99),
)
_HON_KUZU = {
    "delivered": "hon-kuzu, 7 kg of about 100 kg of raw root (Kikkoman Food Forum 33(2)), as its maker buys it from"
    " diggers and before he washes it (Hirokyu, kuzurollcake.com)",
    "washed": "the same 7 kg, were it of washed root",
}
_MAKERS = "hon-kuzu, 7-10 kg of 100 kg (Akizuki, marunaka.bz); a tenth (Yoshino, narakko.com, kotonowa.shop)"
_PRESS = "cultivated root, 25-26 % powder (agricultural press, promotional)"


def _of(case: tuple[str, str], name: str) -> Callable[[Bench], float]:
    return lambda bench: bench.steady(*case)[name]


def _ends() -> Iterator[Check[Bench]]:
    for name, key in (("delivered", "per_100_delivered"), ("washed", "per_100_washed")):
        unit = "kg/100 kg"
        seven, press = Span.printed(7.0, 1.0), Span(24.5, 26.5)
        low, high = f"powder of {_NAMES[LOW]}, root as {name}", f"powder of {_NAMES[HIGH]}, root as {name}"
        yield Check(GROUP, low, unit, Kind.PUBLISHED, "S", _HON_KUZU[name], _of(LOW, key), seven)
        yield Check(GROUP, high, unit, Kind.PUBLISHED, "S", _PRESS, _of(HIGH, key), press)
    yield Check(
        GROUP, f"powder of {_NAMES[LOW]}, against makers", "kg/100 kg", Kind.PUBLISHED, "S", _MAKERS,
        _of(LOW, "per_100_delivered"), Span(6.5, 10.5),
    )  # fmt: skip
    yield Check(
        GROUP, f"powder of {_NAMES[HIGH]}, against a brochure", "kg/100 kg", Kind.PUBLISHED, "S",
        "powder content 25 % (Wuxue, Hubei)", _of(HIGH, "per_100_delivered"), Span.printed(25.0, 1.0),
    )  # fmt: skip


def _crossed() -> Iterator[Check[Bench]]:
    for case in CROSSED:

        def by_hand(bench: Bench, case: tuple[str, str] = case) -> Span:
            return Span.near(bench.steady(*case)["root_starch_pct"] * _WHOLE[case[1]] / 0.87, 0.10)

        yield Check(
            GROUP, f"powder of {_NAMES[case]}, root as washed", "kg/100 kg", Kind.INDEPENDENT, "D",
            "starch in the root times the line's general stage factors, over 0.87; within 10 %",
            _of(case, "per_100_washed"), by_hand,
        )  # fmt: skip

    def least(bench: Bench) -> float:
        ends = [bench.steady(*case)["per_100_washed"] for case in (LOW, HIGH)]
        between = [bench.steady(*case)["per_100_washed"] for case in CROSSED]
        return min(min(between) - ends[0], ends[1] - max(between))

    yield Check(
        GROUP, "distance of the crossed cases from both ends", "kg/100 kg", Kind.INDEPENDENT, "D",
        "better roots or a better line give more, in every combination", least, Span.at_least(0.0),
    )  # fmt: skip


def _recoveries() -> Iterator[Check[Bench]]:
    for case, name in _NAMES.items():
        yield Check(
            GROUP, f"recovery of {name}", "kg/kg", Kind.DESIGN, "G",
            "kudzu lines by general knowledge", _of(case, "recovery"), _RECOVERY[case[1]],
        )  # fmt: skip
    yield Check(
        GROUP, "recovery of wild lobata, against a laboratory", "kg/kg", Kind.PUBLISHED, "S",
        "kudzu xylem, laboratory optimum, 85.35 %, its English abstract 83.35 % (J. Chin. Inst. Food Sci. 2008)",
        _of(CROSSED[0], "recovery"), Span(0.8335, 0.8535),
    )  # fmt: skip
    yield Check(
        GROUP, "recovery of wild lobata, against cassava crafts", "kg/kg", Kind.PUBLISHED, "S",
        "cassava cottage industry 65 % (Colombia) to 76 % (Vietnam): an analogue", _of(LOW, "recovery"),
        Span(0.645, 0.765),
    )  # fmt: skip
    yield Check(
        GROUP, "greatest recovery of all four", "kg/kg", Kind.BOUND, "D", "no more starch than the root holds",
        lambda bench: max(bench.steady(*case)["recovery"] for case in _NAMES), Span(0.0, 1.0),
    )  # fmt: skip
    yield Check(
        GROUP, "purity of powder, wild lobata, mechanised", "%", Kind.PUBLISHED, "S",
        "96.99 % in the best of six Pueraria accessions", _of(CROSSED[0], "purity_pct"), Span.at_most(96.995),
    )  # fmt: skip


def _stages() -> Iterator[Check[Bench]]:
    for kind, at in (("mechanised", 3), ("manual", 2)):
        case = ("lobata_wild", kind)
        word = "craft" if kind == "manual" else kind
        for row in _FACTORS:
            factor = float(row[at])
            yield Check(
                STAGES, f"{row[0]}, {word}", "kg/kg", Kind.DESIGN, "G",
                "stage factor by general knowledge, within 0.02", _of(case, row[1]), Span.about(factor, 0.02),
            )  # fmt: skip


def _resources() -> Iterator[Check[Bench]]:
    case = HIGH

    def row(name: str, unit: str, kind: Kind, mark: str, source: str, key: str, span: Span) -> Check[Bench]:
        return Check(STAGES, name, unit, kind, mark, source, _of(case, key), span)

    yield row("water for washing and sieving, per root", "m3/t", Kind.DESIGN, "G",
              "2-5 for washing, 3-4 at the sieves (craft recipe 1:3, cassava mash 1:4)", "water_m3_t_root",
              Span(5.0, 9.0))  # fmt: skip
    yield row("water per powder", "m3/t", Kind.PUBLISHED, "S",
              "large cassava factory 10 (Tran 2015), vendor 8-10", "water_m3_t_powder",
              Span(7.5, 10.5))  # fmt: skip
    yield row("electricity per powder", "kWh/t", Kind.PUBLISHED, "S",
              "cassava villages 55-59 (sun-dried), vendor 70-100", "electricity_kwh_t", Span(55.0, 100.0))  # fmt: skip
    yield row("fuel per powder", "MJ/t powder", Kind.PUBLISHED, "S",
              "large cassava factory: 77 % of 2527 is drying heat (Tran 2015)", "fuel_mj_t",
              Span.about(1946.0, 13.0))  # fmt: skip
    yield row("whiteness of powder", "points", Kind.PUBLISHED, "S",
              "potato starch, three trade grades: 88, 90, 92 and more", "whiteness", Span.at_least(88.0))  # fmt: skip
    yield row("specks in powder", "1/cm2", Kind.PUBLISHED, "S",
              "potato starch, three trade grades: up to 3, 5, 9", "specks", Span(0.0, 9.0))  # fmt: skip
    yield row("mean wet age of powder", "h", Kind.DESIGN, "G", "wet hold of at most 4 h above 20 °C", "wet_age_h",
              Span(0.0, 4.0))  # fmt: skip


CHECKS: tuple[Check[Bench], ...] = (*_ends(), *_crossed(), *_recoveries(), *_stages(), *_resources())
