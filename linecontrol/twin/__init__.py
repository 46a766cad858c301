"""The twin: the unchanged controller and the simulated plant in one process, under virtual time.

The only room that imports both ``linecontrol`` and ``simulator``.
"""
