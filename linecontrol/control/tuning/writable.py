"""What gains may be written to a loop at all. Pure."""

from __future__ import annotations

import math

from linecontrol.control.forms import IsaGains

K = (1e-6, 1e4)
TI_S = (0.1, 1e6)
TD_S = (0.0, 1e5)
N = (1.0, 100.0)


def why_not_writable(gains: IsaGains) -> str:
    """Why a loop will not take these gains; "" = it will. ``k`` as the loop shows it, above 0 for either action.

    NaN, 0 and negative numbers fail, whatever they were worked out from.
    """
    for name, value, (low, high) in (
        ("k", gains.k, K),
        ("ti_s", gains.ti_s, TI_S),
        ("td_s", gains.td_s, TD_S),
        ("n", gains.n, N),
    ):
        if not low <= value <= high:
            return f"{name} {value:g} is not accepted (accepted: {low:g} to {high:g})"
    if not all(math.isfinite(x) and 0.0 <= x <= 1.0 for x in (gains.b, gains.c)):
        return f"weights b {gains.b:g}, c {gains.c:g} are not accepted (accepted: 0 to 1)"
    return ""
