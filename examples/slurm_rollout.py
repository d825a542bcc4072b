"""Roll out many molecules on the GPUs of a SLURM cluster, one GPU per worker, by dask-jobqueue.

    python examples/slurm_rollout.py --simulator model/simulator.safetensors --start mapped \
        --partition gpu --workers 8

Run it where it may stay for long: it holds the scheduler, and submits one SLURM job per worker.
When it is stopped, or a worker's time is up, nothing is lost; the same command goes on.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cgsim.cluster import RolloutCluster
from cgsim.cluster.rollout import RolloutRun, roll_out
from cgsim.md import sample_chains, write_chain


@contextmanager
def slurm_workers(n_workers: int, *, partition: str, walltime: str) -> Iterator[str]:
    """Submit the jobs; yield the address of the scheduler."""
    from dask_jobqueue import SLURMCluster

    with SLURMCluster(
        queue=partition,
        walltime=walltime,
        cores=1,  # one roll-out at a time per worker, as it has the GPU for itself
        processes=1,
        job_cpu=4,
        memory="16GB",
        job_extra_directives=["--gpus=1"],
        # Workers end by themselves before SLURM ends them, and hand their jobs back.
        worker_extra_args=["--lifetime", "11h", "--lifetime-stagger", "10m"],
    ) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=n_workers)
        yield cluster.scheduler_address


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the workers, give them the jobs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--simulator", type=Path, default=Path("polymer-mini"))
    parser.add_argument("--start", type=Path, nargs="+", default=[], help="folders NAME.cg or PDB")
    parser.add_argument("--output", type=Path, default=Path("runs/slurm_rollout"))
    parser.add_argument("--n_steps", type=int, default=100_000)
    parser.add_argument("--n_replicas", type=int, default=8)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--partition", default="gpu")
    parser.add_argument("--walltime", default="12:00:00")
    parser.add_argument("--smoke", action="store_true", help="two chains, one worker, no SLURM")
    options = parser.parse_args(arguments)
    folder: Path = options.output
    if options.smoke:
        chains = sample_chains("II", size="mini", n_chains=2, seed=1)
        start = [write_chain(chain, folder / "chains") for chain in chains]
        run, cluster = RolloutRun(n_steps=3), RolloutCluster(workers=1, device="cpu")
        result = roll_out(options.simulator, start, folder / "rollout", run, cluster=cluster)
    else:
        run = RolloutRun(options.n_steps, options.n_replicas, every=10)
        with slurm_workers(
            options.workers, partition=options.partition, walltime=options.walltime
        ) as address:
            cluster = RolloutCluster(scheduler=address, device="cuda")
            result = roll_out(
                options.simulator, options.start, folder / "rollout", run, cluster=cluster
            )
    print(f"{len(result.files)} trajectories, {len(result.failures)} replicas stopped early")


if __name__ == "__main__":
    main()
