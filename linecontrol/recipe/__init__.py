"""Recipes and runs, after ISA-88: what a recipe says (data), what a phase does, and the engine that runs one.

It must not know links, loops, stations or files: the line hands in a Plant per unit procedure, and Ports.
"""

from linecontrol.recipe.bench import SAFE_KINDS, Ports
from linecontrol.recipe.check import Finding, check
from linecontrol.recipe.engine import Engine
from linecontrol.recipe.equipment import Equipment, LoopMode, PhaseFailed, Plant, poll_until
from linecontrol.recipe.model import ControlRecipe, Recipe, parse_sets
from linecontrol.recipe.phases import KINDS
from linecontrol.recipe.progress import Prompt, Reason, RunStatus, UnitStatus
from linecontrol.recipe.schema import recipe_schema
from linecontrol.recipe.states import ENDED, QUIESCENT, TRANSIENT, RunCommand, RunMode, RunState, legal, refusal

__all__ = [
    "ENDED",
    "KINDS",
    "QUIESCENT",
    "SAFE_KINDS",
    "TRANSIENT",
    "ControlRecipe",
    "Engine",
    "Equipment",
    "Finding",
    "LoopMode",
    "PhaseFailed",
    "Plant",
    "Ports",
    "Prompt",
    "Reason",
    "Recipe",
    "RunCommand",
    "RunMode",
    "RunState",
    "RunStatus",
    "UnitStatus",
    "check",
    "legal",
    "parse_sets",
    "poll_until",
    "recipe_schema",
    "refusal",
]
