"""What workers give: MD and roll-outs with one and two of them, and what a job costs by itself.

    python -m benchmarks.speed.workers

Prints a table and writes `benchmarks/results/cluster.json`, in about two minutes. Clusters of one
and of two workers stand side by side and take turns, each worker with one CPU core; a row of this
process alone, which merges or batches everything, comes first.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from benchmarks.record import RESULTS, write_result
from cgsim.cluster import Cluster, Job, RolloutCluster, run_jobs
from cgsim.cluster.local import local_client
from cgsim.cluster.md import generate_shared
from cgsim.cluster.rollout import Batch, RolloutRun, roll_out
from cgsim.md import Chain, PolymerRun, generate_polymers, sample_chains, write_chain
from cgsim.model.checkpoint import pretrained_file

N_WORKERS = (1, 2)
ALONE = "this process alone"


def do_nothing(number: int) -> int:
    """A job that costs nothing but itself."""
    return number


@contextmanager
def cluster_of(n_workers: int) -> Iterator[str]:
    """The address of workers that have one core each and have imported all they need."""
    with local_client(n_workers, n_jobs=n_workers) as client:
        client.run(_keep_to_one_core)
        client.run(_import_everything)
        yield client.scheduler_info()["address"]


def _keep_to_one_core(dask_worker: object) -> None:
    import os

    cores = sorted(os.sched_getaffinity(0))
    index = int(dask_worker.name)  # type: ignore[attr-defined]
    os.sched_setaffinity(0, {cores[index % len(cores)]})


def _import_everything() -> None:
    import cgsim.cluster.rollout
    import cgsim.md  # noqa: F401


def seconds(work: Callable[[Path], object]) -> float:
    """Wall-clock time of some work in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        work(Path(folder))
        return time.perf_counter() - start


def measure_md(addresses: dict[int, str], *, n_chains: int, duration: float) -> dict[str, float]:
    """Simulated time (ps = tau) of all chains per second, by row."""
    chains = sample_chains("I", size="mini", n_chains=n_chains, seed=0)
    run = PolymerRun(duration=duration, equilibration=1.0, platform="CPU")

    def simulate(address: str) -> float:
        cluster = Cluster(scheduler=address, molecules_per_job=n_chains // 4)
        return seconds(
            lambda folder: generate_shared(generate_polymers, chains, folder, run, cluster=cluster)
        )

    total = n_chains * (run.duration + run.equilibration)
    alone = seconds(lambda folder: generate_polymers(chains, folder, run))
    rows = {str(n): total / simulate(address) for n, address in addresses.items()}
    return {ALONE: total / alone} | rows


def measure_rollout(
    addresses: dict[int, str], start: Sequence[Path], *, n_steps: int
) -> dict[str, float]:
    """Steps of single chains per second, by row."""
    run, simulator = RolloutRun(n_steps, every=10), pretrained_file("polymer-mini")

    def simulate(address: str) -> float:
        cluster = RolloutCluster(scheduler=address, molecules_per_job=len(start) // 4, device="cpu")
        return seconds(lambda folder: roll_out(simulator, start, folder, run, cluster=cluster))

    total = len(start) * n_steps
    alone = seconds(lambda folder: Batch(simulator, tuple(start), folder, run, "cpu")())
    rows = {str(n): total / simulate(address) for n, address in addresses.items()}
    return {ALONE: total / alone} | rows


def measure_jobs(address: str, n_jobs: int) -> dict[str, float]:
    """Milliseconds and, in the scheduler and the client together, kilobytes of an empty job."""
    process = psutil.Process()
    before = process.memory_info().rss
    jobs = [Job(f"job{i}", do_nothing, (i,)) for i in range(n_jobs)]
    start = time.perf_counter()
    run_jobs(jobs, cluster=Cluster(scheduler=address))
    elapsed = time.perf_counter() - start
    grown = process.memory_info().rss - before
    return {
        "milliseconds_per_job": 1e3 * elapsed / n_jobs,
        "kilobytes_per_job": max(0.0, grown / 1e3 / n_jobs),
    }


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Median of every entry."""
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def chain_files(folder: Path, chains: Sequence[Chain]) -> list[Path]:
    """Structures to start roll-outs from."""
    return [write_chain(chain, folder) for chain in chains]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="the median is reported")
    parser.add_argument("--trial", action="store_true", help="seconds: shows that it works")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args()
    n_repeats, n_chains, duration, n_steps, sizes = (
        (1, 8, 5.0, 20, (100,))
        if options.trial
        else (options.repeats, 64, 30.0, 300, (100, 1000, 10_000))
    )
    torch.set_num_threads(1)
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster_of(N_WORKERS[0]) as first,
        cluster_of(N_WORKERS[1]) as second,
    ):
        addresses = dict(zip(N_WORKERS, (first, second), strict=True))
        start_up = time.perf_counter() - started
        start = chain_files(
            Path(folder), sample_chains("II", size="mini", n_chains=n_chains, seed=0)
        )
        md = [measure_md(addresses, n_chains=n_chains, duration=duration) for _ in range(n_repeats)]
        rollout = [measure_rollout(addresses, start, n_steps=n_steps) for _ in range(n_repeats)]
        jobs = {str(size): measure_jobs(second, size) for size in sizes}
    metrics = {
        "md_ps_per_second": medians(md),
        "rollout_chain_steps_per_second": medians(rollout),
        "by_number_of_jobs": jobs,
        "start_up_seconds_of_three_workers": start_up,
        "n_chains": n_chains,
        "n_repeats": n_repeats,
    }
    print(f"{'workers':20}{'MD, ps/s':>12}{'chain-steps/s':>16}")
    for row in medians(md):
        print(f"{row:20}{medians(md)[row]:12,.0f}{medians(rollout)[row]:16,.0f}")
    for size, cost in jobs.items():
        print(f"{size:>6} empty jobs: " + ", ".join(f"{v:.2f} {k}" for k, v in cost.items()))
    path = write_result(
        "cluster",
        " ".join(["python -m benchmarks.speed.workers", *sys.argv[1:]]),
        metrics,
        wall_clock=time.perf_counter() - started,
        seed=0,
        directory=options.output,
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()
