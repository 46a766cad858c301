"""From roots to bags: when the powder of a bag was in every machine, and what follows from that. Pure."""

from linecontrol.guard.genealogy.mixing import Machine, Throughput, passage_of
from linecontrol.guard.genealogy.passage import Passage
from linecontrol.guard.genealogy.tipping import Tip, TipLimit, TipState, watch_hopper
from linecontrol.guard.genealogy.trace import UNKNOWN, LotUse, Suspect, lots_in, touching

__all__ = [
    "UNKNOWN",
    "LotUse",
    "Machine",
    "Passage",
    "Suspect",
    "Throughput",
    "Tip",
    "TipLimit",
    "TipState",
    "lots_in",
    "passage_of",
    "touching",
    "watch_hopper",
]
