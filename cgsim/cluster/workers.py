"""Workers: of a running Dask scheduler, or processes of this machine.

Dask starts the workers, gives them jobs, notices when one dies and gives its job to another. It is
an optional extra, ``cgsim[cluster]``, imported only when there are jobs to share.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from tqdm import tqdm

from cgsim.cluster.jobs import FailedJobsError, Job, check_jobs
from cgsim.cluster.portions import Cluster

CONNECT_SECONDS = 20


def run_jobs(jobs: Sequence[Job], *, cluster: Cluster, label: str = "jobs") -> list[Any]:
    """Do all jobs on the workers of a cluster, with one progress bar.

    The job of a worker that dies is done again by another (Dask gives it up after four deaths,
    ``distributed.scheduler.allowed-failures``). A job that fails stops no other. Ctrl-C takes back
    what has not begun; the same jobs, given again, go on.

    In a script of your own, call it under ``if __name__ == "__main__":``, as workers are processes
    that import the script.

    Returns
    -------
    list
        What each job returned.

    Raises
    ------
    FailedJobsError
        At the end, if some failed: which, and why.
    ValueError
        Two jobs of one name, or Dask is not installed.
    OSError
        There is no scheduler at the address, or it went away.
    """
    check_jobs(jobs)
    with _client(cluster, n_jobs=len(jobs)) as client:
        return _gather(client, jobs, label)


def _gather(client: Any, jobs: Sequence[Job], label: str) -> list[Any]:
    """Submit, follow, collect."""
    from dask.base import tokenize
    from distributed import as_completed

    # One key per call: a command given twice at the same time shares its jobs.
    keys = [f"{label}-{tokenize(job.name, job.function, job.arguments)}" for job in jobs]
    index = {key: i for i, key in enumerate(keys)}
    results: list[Any] = [None] * len(jobs)
    failures: dict[str, str] = {}
    futures = client.map(_do, jobs, key=keys, pure=True, batch_size=1000)
    finished = as_completed(futures)
    try:
        with tqdm(total=len(jobs), unit="job", desc=label) as progress:
            for future in finished:
                if future.status == "cancelled":
                    raise ConnectionError("the Dask scheduler went away; the same command goes on")
                number = index[future.key]
                if future.status == "error":
                    failures[jobs[number].name] = _reason(future.exception())
                    progress.set_postfix_str(f"{len(failures)} failed")
                else:
                    results[number] = future.result()
                future.release()
                progress.update()
    except KeyboardInterrupt:
        client.cancel(futures)
        raise
    if failures:
        raise FailedJobsError(failures, len(jobs))
    return results


def _do(job: Job) -> Any:
    return job()


def _reason(error: BaseException) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return "every worker that tried it died (out of memory, time or disk?)"
    kind = "" if isinstance(error, ValueError | OSError | ArithmeticError) else type(error).__name__
    return f"{kind}: {error}" if kind else str(error)


@contextmanager
def _client(cluster: Cluster, *, n_jobs: int) -> Iterator[Any]:
    """A connection to the scheduler, which is started first unless one runs."""
    if find_spec("distributed") is None:
        raise ValueError('sharing work among processes needs Dask: pip install "cgsim[cluster]"')
    from distributed import Client

    if cluster.scheduler is None:
        from cgsim.cluster.local import local_client

        with local_client(cluster.workers, n_jobs=n_jobs) as client:
            yield client
        return
    is_file = os.path.isfile(cluster.scheduler)
    address = {"scheduler_file" if is_file else "address": cluster.scheduler}
    try:
        client = Client(**address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise OSError(f"no Dask scheduler at {cluster.scheduler} ({error})") from error
    with client:
        yield client
