"""Shared by all tests: the rigs of lines and loops are importable, and nobody touches the user's own folders."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Properties are tried with a handful of examples each time; `--hypothesis-profile=thorough` looks longer.
hypothesis.settings.register_profile("suite", max_examples=30, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("suite")

# Before numpy is loaded: its matrices here are small, and its threads would only take the other tests' processors.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

gc.disable()  # until all tests are collected, which makes hardly any garbage and millions of objects

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / part) for part in ("line", "control", "guard", "hmi", "analysis")]

LONGEST_FIRST = (
    "twin/test_twin_random_faults.py",
    "hmi/test_hmi_work.py",
    "test_docs_alone.py",
    "hmi/test_hmi_browser.py",  # goes to the process of the other browser, which has few tests: not two at once
    "twin/test_twin_tuning.py",
    "line/test_line_run.py",
    "line/test_line_tuning.py",
    "twin/test_twin_trials.py",
    "hmi/test_hmi_site.py",
    "line/test_line_restart.py",
    "twin/test_twin_moisture.py",
    "twin/test_twin_laboratory.py",
    "twin/test_twin_lessons.py",
    "control/test_moisture_controller.py",
    "simulator/test_validation.py",
    "test_tutorial.py",
    "control/test_moisture_commission.py",
    "line/test_line_bags.py",
    "simulator/test_yield_against_ledger.py",
    "test_packaging.py",
    "control/test_tune_identify.py",
    "api/test_api_rights.py",
    "test_docs.py",
    "cli/test_cli_simulate.py",
    "line/test_line_outages.py",
    "twin/test_twin_dask.py",
    "recipe/test_recipe_crash.py",
    "control/test_pid_checklist.py",
    "history/test_historian_crash.py",
    "twin/test_twin_faults.py",
    "history/test_historian_faults.py",
    "links/test_opcua_security.py",
)
if gone := [name for name in LONGEST_FIRST if not (HERE / name).is_file()]:
    raise pytest.UsageError(f"tests/conftest.py LONGEST_FIRST: no such file: {', '.join(gone)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first: the last process of a shared run does not sit on one of them alone."""
    rank = {HERE / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_collection_finish() -> None:
    """Some millions of objects that stay to the end need not be looked at in every test that makes many of its own."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _looked_at_once() -> Iterator[None]:
    """Nor need what the tests of one file leave in memory be looked at in all the files that follow."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    before = {name: os.environ.get(name) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME")}
    os.environ["XDG_STATE_HOME"], os.environ["XDG_DATA_HOME"] = str(home / "state"), str(home / "data")
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
