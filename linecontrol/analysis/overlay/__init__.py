"""Runs laid over each other: on the time into the run, or stretched phase by phase; a golden band; deviations from it.

Everything but ``read`` is pure.
"""
