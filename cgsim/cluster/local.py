"""Workers that are processes of this machine: each with its cores and a GPU of its own."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster, WorkerPlugin

from cgsim.hardware.devices import visible_gpus


class Share(WorkerPlugin):
    """Every worker keeps to its part of the CPU cores, and to one GPU where there are any.

    Parameters
    ----------
    n_workers : int
        Their names are 0 to ``n_workers - 1``.
    gpus : sequence of str
        As in ``CUDA_VISIBLE_DEVICES``.
    """

    name = "share"

    def __init__(self, n_workers: int, gpus: Sequence[str]) -> None:
        self.n_workers, self.gpus = n_workers, tuple(gpus)

    def setup(self, worker: Any) -> None:
        """Runs in a worker before its first job, and again in the one that replaces it."""
        index = int(worker.name)
        if self.gpus:  # read when CUDA starts, which is with the first job
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus[index % len(self.gpus)]
        if hasattr(os, "sched_setaffinity"):  # threads started from here on inherit it
            os.sched_setaffinity(
                0, share_of(sorted(os.sched_getaffinity(0)), index, self.n_workers)
            )


def share_of(cores: Sequence[int], index: int, n_workers: int) -> list[int]:
    """The cores of one worker: disjoint parts, or one core each where workers outnumber cores."""
    return list(cores[index::n_workers]) or [cores[index % len(cores)]]


@contextmanager
def local_client(n_workers: int | None, *, n_jobs: int) -> Iterator[Client]:
    """Start workers that only this machine can reach; they end with the context.

    Parameters
    ----------
    n_workers
        By default one per GPU, or one per CPU core without GPUs; never more than jobs.
    """
    gpus = visible_gpus()
    n_workers = min(n_workers or len(gpus) or _n_cores(), n_jobs)
    quiet = {"distributed.nanny.pre-spawn-environ.TQDM_DISABLE": "1"}  # one bar is enough
    with (
        dask.config.set(quiet),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(Share(n_workers, gpus))
        yield client


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
