"""Work handed to a Dask cluster: a real scheduler and workers on this machine, the same results in the same order."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from short_run import SHORT

from linecontrol.core.errors import LineError
from linecontrol.twin.campaign import numbered, rows_of


@pytest.mark.filterwarnings("ignore")  # the engine's own, while it starts and ends
def test_a_cluster_gives_what_one_process_gives() -> None:
    distributed = pytest.importorskip("distributed")
    trials = numbered([replace(SHORT, seed=seed) for seed in (1, 2)])
    alone = [json.dumps(row, sort_keys=True) for row in rows_of(trials)]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, protocol="tcp"
    ) as cluster:
        spread = [json.dumps(row, sort_keys=True) for row in rows_of(trials, dask=cluster.scheduler_address)]
    assert spread == alone


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_told() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(LineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(rows_of([SHORT], dask="tcp://127.0.0.1:9"))
