"""Statistics of runs: groups compared, lots accounted for, control charts, numbers of runs needed, response surfaces.

Everything here takes plain numbers and returns plain records. Pure; the same numbers give the same answer.
"""
