"""Are the columns of a record what their names say? Refused is only what no dryer can do. Pure.

| mixed up | seen from |
|---|---|
| outlet or powder with inlet air or its set point | evaporation cools: air leaves a dryer cooler than it comes in |
| outlet air with powder | what is dried by air is not hotter than the air that leaves it |
| outside air with any of these | a heater is in between: air that dried powder to be kept is warmer than outside |
| the meter's moisture with the cake's | powder is not wetter than the cake it is made of |
| inlet air with its set point | what comes first is the set point: the heater has a lag |
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from linecontrol.control.moisture.record import CannotCommission, FloatArray

THERMOMETERS_K = 2.0  # so far two thermometers may differ by themselves
ON_THE_WAY_K = 5.0  # so much the air may have cooled between the powder's thermometer and its own
_COOLS = "nothing leaves a dryer hotter than its air comes in"
_DRIES = "powder is not hotter than the air that dried it"
_HEATS = "the air that dries is not colder than outside"
HOTTER = (
    ("inlet_sp_c", "outlet_c", THERMOMETERS_K, _COOLS),
    ("inlet_sp_c", "product_c", THERMOMETERS_K, _COOLS),
    ("inlet_c", "outlet_c", THERMOMETERS_K, _COOLS),
    ("inlet_c", "product_c", THERMOMETERS_K, _COOLS),
    ("inlet_sp_c", "ambient_c", THERMOMETERS_K, _HEATS),
    ("inlet_c", "ambient_c", THERMOMETERS_K, _HEATS),
    ("outlet_c", "ambient_c", THERMOMETERS_K, _HEATS),
    ("outlet_c", "product_c", ON_THE_WAY_K, _DRIES),
)
"""The hotter of two temperatures, the cooler, by how much they may be the other way round [K], and the law."""
CHANGE_S = 20.0  # over which the inlet's changes are compared: a noisy thermometer does not hide a step
LONGEST_LEAD_S = 120.0  # a heater's answer, looked for on both sides
LEAST_LEAD_S = 8.0  # clocks of two recorders may differ by less
SURE, SURER = 0.15, 3.0  # correlation of the wrong order, and so many times the right one's; chance reaches 0.1 in 3 h


def refuse_mixed_up(signals: Mapping[str, FloatArray], weight: FloatArray, period_s: float) -> None:
    """Raises CannotCommission ("columns") where two columns are surely mixed up.

    Args:
        signals: names and units of ``record.SIGNALS``, without gaps. weight: 0 = this sample is not good.
        period_s: of the samples [s].
    """
    good = weight > 0.0
    usual = {name: float(np.median(values[good])) for name, values in signals.items()}
    for hot, cool, margin_k, law in HOTTER:
        if hot in usual and cool in usual and usual[cool] > usual[hot] + margin_k:
            _refuse(
                f"{cool} is mostly {usual[cool]:.1f} and {hot} {usual[hot]:.1f} °C: {law}; are columns {cool} and {hot}"
                " swapped?"
            )
    if "cake_pct_wb" in usual and usual["moisture_pct_wb"] >= usual["cake_pct_wb"]:
        _refuse(
            f"moisture_pct_wb is mostly {usual['moisture_pct_wb']:.1f} and cake_pct_wb {usual['cake_pct_wb']:.1f}:"
            " powder is not wetter than its cake; are columns moisture_pct_wb and cake_pct_wb swapped?"
        )
    if "inlet_c" in usual:
        before, after, lead_s = _order(signals["inlet_sp_c"], signals["inlet_c"], weight, period_s)
        if before > max(SURE, SURER * after) and lead_s >= LEAST_LEAD_S:
            _refuse(
                f"inlet_c moves {lead_s:.0f} s before inlet_sp_c does, which follows it (correlation of their changes"
                f" {before:.2f}, the other way {after:.2f}): are columns inlet_c and inlet_sp_c swapped, or of two"
                " clocks? A set point that only shows where the air is (a loop in Man) tells nothing either"
            )


def _refuse(reason: str) -> None:
    raise CannotCommission("columns", reason)


def _order(cause: FloatArray, effect: FloatArray, weight: FloatArray, period_s: float) -> tuple[float, float, float]:
    """Best correlation of changes with the effect before its cause, and after it; and how long before [s]."""
    apart, longest = max(1, round(CHANGE_S / period_s)), round(LONGEST_LEAD_S / period_s)
    both = (weight[apart:] > 0.0) & (weight[:-apart] > 0.0)
    a = np.where(both, cause[apart:] - cause[:-apart], 0.0)
    b = np.where(both, effect[apart:] - effect[:-apart], 0.0)
    size = float(np.sqrt((a @ a) * (b @ b)))
    if size == 0.0 or len(a) <= longest or longest < 1:
        return 0.0, 0.0, 0.0
    early = [float(a[k:] @ b[: len(b) - k]) / size for k in range(1, longest + 1)]
    late = [float(a[: len(a) - k] @ b[k:]) / size for k in range(longest + 1)]
    return max(early), max(late), (1 + int(np.argmax(early))) * period_s
