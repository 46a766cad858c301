"""linecontrol: controller for a closed kudzu starch line (screening, grinding, drying)."""

__version__ = "0.1.0"
