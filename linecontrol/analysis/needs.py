"""Packages that only some questions need are taken when one is asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from linecontrol.core.errors import ConfigError, Problem

_EXTRAS = {"pandas": "research", "pyarrow": "research", "statsmodels": "research", "typst": "pdf"}


def needed(module: str, purpose: str) -> Any:
    """The module. Raises ConfigError that says which extra to install when it is not there."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        message = f"{purpose} needs the package {package}, which is not installed"
        accepted = f"pip install 'linecontrol[{_EXTRAS[package]}]'"
        raise ConfigError([Problem("", None, package, message, accepted)]) from None
