"""The evidence pack of a run: everything that is on record of it, for people and for programs.

It supports a HACCP plan and electronic records after 21 CFR Part 11; whether a plant complies is for its people to say.
"""

from linecontrol.analysis.evidence.gather import gather, no_such_run
from linecontrol.analysis.evidence.page import page
from linecontrol.analysis.evidence.seal import check_pack, pack_in, sealed

__all__ = ["check_pack", "gather", "no_such_run", "pack_in", "page", "sealed"]
