"""Reconciliation of measured balances: what the streams were, given what was measured and what must balance.

``reconcile(flowsheet)`` is the whole of it. Pure.
"""

from linecontrol.analysis.reconcile.expression import ExpressionError
from linecontrol.analysis.reconcile.flowsheet import Balance, Flowsheet, Variable
from linecontrol.analysis.reconcile.gross_errors import GrossErrors, Suspect
from linecontrol.analysis.reconcile.quantity import Quantity
from linecontrol.analysis.reconcile.report import Reconciled, reconcile
from linecontrol.analysis.reconcile.solve import CannotReconcile

__all__ = [
    "Balance",
    "CannotReconcile",
    "ExpressionError",
    "Flowsheet",
    "GrossErrors",
    "Quantity",
    "Reconciled",
    "Suspect",
    "Variable",
    "reconcile",
]
