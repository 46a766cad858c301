"""The dryer as commissioning found it: plain values, to JSON and back. Pure.

Each output (powder moisture at the meter, outlet temperature) is a polynomial of the inputs as they act,
then one common lag. The inputs are scaled as a heat and water balance has them, so that little curvature is left:

    heat   inlet set point less its mean [K]
    water  10 x (cake moisture less its mean) [kg/kg dry]
    feed   10 x ln(feed rate / its mean)
    air    ambient temperature less its mean [K]
    damp   ambient humidity less its mean [g/kg dry air]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from linecontrol.control.moisture.dynamics import Path
from linecontrol.control.moisture.noise import LevelNoise
from linecontrol.control.moisture.record import absolute_humidity

FORMAT = 1
Term = tuple[str, ...]


def water_db(cake_pct_wb: float) -> float:
    """Water over dry matter [kg/kg] of a cake with this moisture [% wb]."""
    return cake_pct_wb / (100.0 - cake_pct_wb)


@dataclass(frozen=True, slots=True)
class OutputModel:
    """One output: ``constant + sum(coefficient x product of the acting inputs)``, then a lag ``out_lag_s``.

    Attributes:
        paths: input to its path. terms: products of inputs. coefficients, sds: of the terms [output unit].
        noise: what of the output the inputs do not tell.
        residual_sd: standard deviation of the one-step innovations of the fit [output unit].
        slow_u: standard uncertainty of heat's settled gain beyond its ``sds``, by what acts slower than its path: the
            walls [output unit per K]. What the controller learns while running starts from ``sds``.
        slow: what such walls are expected to add to that gain once they are warm [output unit per K].
    """

    constant: float
    paths: dict[str, Path]
    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    sds: tuple[float, ...]
    out_lag_s: float
    noise: LevelNoise
    residual_sd: float
    slow_u: float = 0.0
    slow: float = 0.0

    def parts(self, acting: Mapping[str, float]) -> dict[str, float]:
        """The linear contribution of each input, and all the rest under "" (constant and products)."""
        found = dict.fromkeys(self.paths, 0.0)
        rest = self.constant
        for term, coefficient in zip(self.terms, self.coefficients, strict=True):
            if len(term) == 1:
                found[term[0]] += coefficient * acting[term[0]]
                continue
            value = coefficient
            for name in term:
                value *= acting[name]
            rest += value
        found[""] = rest
        return found

    def static(self, acting: Mapping[str, float]) -> float:
        """Where the output settles with these inputs acting [output unit]."""
        return sum(self.parts(acting).values())

    def slope(self, acting: Mapping[str, float], name: str) -> float:
        """Change of the settled output per unit of this input, here."""
        return slope_of(self.slope_terms(name), acting)

    def slope_terms(self, name: str) -> list[tuple[float, Term]]:
        """What the slope by this input is made of: coefficients and the other inputs of each product; for who asks
        often."""
        return [
            (coefficient, term[:place] + term[place + 1 :])
            for term, coefficient in zip(self.terms, self.coefficients, strict=True)
            for place, one in enumerate(term)
            if one == name
        ]

    def gain(self, name: str) -> tuple[float, float]:
        """Linear coefficient of an input and its standard deviation; (0, inf) when it has none."""
        for term, coefficient, sd in zip(self.terms, self.coefficients, self.sds, strict=True):
            if term == (name,):
                return coefficient, sd
        return 0.0, math.inf

    @property
    def way_s(self) -> float:
        """How long until a change of the inlet air is mostly seen here [s]."""
        path = self.paths["heat"]
        return path.delay_s + path.lag1_s + path.lag2_s + self.out_lag_s

    def settled_gain(self, name: str) -> tuple[float, float]:
        """The same once all has settled, with what had not settled within the record: for heat, warm walls."""
        gain, sd = self.gain(name)
        return (gain + self.slow, math.hypot(sd, self.slow_u)) if name == "heat" else (gain, sd)


def slope_of(terms: Sequence[tuple[float, Term]], acting: Mapping[str, float]) -> float:
    """See ``OutputModel.slope``. ``terms``: as ``slope_terms`` gives them."""
    total = 0.0
    for rest, others in terms:
        for name in others:
            rest *= acting[name]
        total += rest
    return total


@dataclass(frozen=True, slots=True)
class DryerModel:
    """All that commissioning found.

    Attributes:
        means: of the record: ``inlet_sp_c``, ``water_db``, ``feed_kg_h``, ``ambient_c``, ``humidity_g_kg`` and
            ``moisture_pct_wb``, as far as they were measured.
        ranges: of the acting inputs in the record: beyond them the model is a guess.
        moisture: at the meter [% wb]. outlet: temperature of the outlet air, or of the product where that is not
            measured [°C]; None = neither. outlet_signal: which of the two, ``outlet_c`` or ``product_c``.
        inputs: noise of the measured loads ``water`` and ``feed``.
        repeat_share: how often the meter's next value is exactly its last one, 0..1. refresh_s: from one value to the
            next where the meter is read more often [s]; 0 = each reading is one.
        meter_sd: of the meter's white noise, one sample [% wb]. sample_s: usual sample time of the record [s].
        balance_pct_per_k: % wb more for each K that the outlet air is warmer than the inputs tell, by the heat balance.
        hours: length of the record [h]. warnings: what a person should know.
        shared_k_per_pct, shared: of what the inputs leave unexplained in the record: K of outlet that went with 1 % wb
            at the meter, and how closely (correlation); loads that nobody measures move both.
    """

    means: dict[str, float]
    ranges: dict[str, tuple[float, float]]
    moisture: OutputModel
    outlet: OutputModel | None
    outlet_signal: str
    inputs: dict[str, LevelNoise]
    repeat_share: float
    meter_sd: float
    sample_s: float
    balance_pct_per_k: float
    hours: float
    warnings: tuple[str, ...] = field(default=())
    shared_k_per_pct: float = 0.0
    shared: float = 0.0
    refresh_s: float = 0.0

    def scaled(
        self, inlet_sp_c: float, cake_pct_wb: float, feed_kg_h: float, ambient_c: float, ambient_rh_pct: float
    ) -> dict[str, float]:
        """Inputs as the model has them; NaN where one is not measured. Cake 0..95 % wb, feed above 0."""
        m = self.means
        found = {"heat": inlet_sp_c - m["inlet_sp_c"]}
        if "water_db" in m:
            ok = 0.0 < cake_pct_wb < 95.0
            found["water"] = 10.0 * (water_db(cake_pct_wb) - m["water_db"]) if ok else math.nan
        if "feed_kg_h" in m:
            # A feed that has all but stopped is not drying, and no dryer takes four times its usual feed.
            ok = 0.05 * m["feed_kg_h"] < feed_kg_h < 4.0 * m["feed_kg_h"]
            found["feed"] = 10.0 * math.log(feed_kg_h / m["feed_kg_h"]) if ok else math.nan
        if "ambient_c" in m:
            found["air"] = ambient_c - m["ambient_c"]
        if "humidity_g_kg" in m:
            found["damp"] = absolute_humidity(ambient_c, ambient_rh_pct) - m["humidity_g_kg"]
        return found

    def unseen(self, scaled: Mapping[str, float]) -> list[str]:
        """Loads that act on the moisture and are not measured now. ``scaled``: as ``scaled`` gave it."""
        paths = self.moisture.paths
        return [name for name in self.inputs if name in paths and not math.isfinite(scaled.get(name, math.nan))]

    def moved_by(self, name: str, dt_s: float) -> float:
        """Variance that a load adds to the moisture by itself within ``dt_s`` [% wb, squared]."""
        return self.moisture.gain(name)[0] ** 2 * self.inputs[name].drive(dt_s)

    @property
    def watches_meter(self) -> bool:
        """Whether outlet air and heat balance can tell a meter that drifts from powder that has changed."""
        told = self.outlet is not None and self.outlet_signal == "outlet_c" and self.balance_pct_per_k > 0.0
        return told and "water_db" in self.means

    @property
    def knows_loads(self) -> bool:
        """Whether cake moisture and feed rate are measured and act on the moisture."""
        return "water" in self.moisture.paths and "feed" in self.moisture.paths

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> DryerModel:
        """What ``to_dict`` gave. Raises ValueError naming what is wrong."""
        try:
            if plain["format"] != FORMAT:
                raise ValueError(f"format {plain['format']!r} is not accepted (accepted: {FORMAT})")
            values = {k: v for k, v in plain.items() if k != "format"}
            values["ranges"] = {k: (float(low), float(high)) for k, (low, high) in plain["ranges"].items()}
            values["inputs"] = {k: LevelNoise(**v) for k, v in plain["inputs"].items()}
            values["warnings"] = tuple(plain["warnings"])
            for name in ("moisture", "outlet"):
                values[name] = None if plain[name] is None else _output(plain[name])
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a dryer model: {error!r}") from error


def _output(plain: Mapping[str, Any]) -> OutputModel:
    values = dict(plain)
    values["paths"] = {k: Path(**v) for k, v in plain["paths"].items()}
    values["terms"] = tuple(tuple(term) for term in plain["terms"])
    values["coefficients"], values["sds"] = tuple(plain["coefficients"]), tuple(plain["sds"])
    values["noise"] = LevelNoise(**plain["noise"])
    return OutputModel(**values)
