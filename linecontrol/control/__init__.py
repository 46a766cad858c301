"""Control: PID, loops and what they stand on. Pure: time and samples are passed in, commands are passed out.

``identify``, ``identify_relay``, ``tune``, ``assess``, ``rank`` and ``MoistureController`` work on plain arrays and
values; they are taken from ``control.tuning``, ``control.assessment`` and ``control.moisture`` when first asked for,
because numpy is slow to import and a plain loop needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linecontrol.control.assessment import assess, rank
    from linecontrol.control.moisture import MoistureController
    from linecontrol.control.tuning import identify, identify_relay, tune

__all__ = ["MoistureController", "assess", "identify", "identify_relay", "rank", "tune"]


def __getattr__(name: str) -> Any:
    if name in ("assess", "rank"):
        from linecontrol.control import assessment

        return getattr(assessment, name)
    if name == "MoistureController":
        from linecontrol.control import moisture

        return moisture.MoistureController
    if name in __all__:
        from linecontrol.control import tuning

        return getattr(tuning, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
