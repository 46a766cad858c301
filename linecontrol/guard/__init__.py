"""Food safety in the loop: critical limits, the divert gate, and what must be held. Pure; the line carries it out."""
