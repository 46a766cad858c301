"""The shortest run that goes through every phase of the standard recipe: powder is dried, its moisture controlled."""

from linecontrol.twin.trial import Trial

VALUES = {
    "root_kg": 50.0,
    "feed_pct": 40.0,
    "screen_runout_s": 60.0,
    "centrifuge_runout_s": 180.0,
    "warm_up_per_min": 40.0,
    "start_level": 5.0,
    "settle_s": 60.0,
}
"""Least roots, fed quickly, and short waits: twenty minutes of line time. Some starch stays in the wet end."""

SHORT = Trial("kudzu-lobata-standard", values=VALUES)
