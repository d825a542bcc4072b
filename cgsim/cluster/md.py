"""Reference MD as jobs: each simulates a few molecules, all replicas of one in the same job."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cgsim.cluster.jobs import Job, claim_file, in_parts, name_of
from cgsim.cluster.portions import Cluster
from cgsim.cluster.workers import run_jobs
from cgsim.md.replica import Subject
from cgsim.md.runs import Run

S = TypeVar("S", bound=Subject)
R = TypeVar("R", bound=Run)
Generate = Callable[[Sequence[S], Path, R], list[Path]]


def generate_shared(
    generate: Generate[S, R],
    molecules: Sequence[S],
    directory: Path,
    run: R,
    *,
    cluster: Cluster,
) -> list[Path]:
    """Simulate molecules on the workers of a cluster, into the files that one process would write.

    What ``generate`` has begun can be gone on with here, and the other way round. What each replica
    does depends on which copies were merged with it, thus on the portions (`Cluster.portion`) and
    the cores of a worker; its statistics do not.

    Parameters
    ----------
    generate
        `cgsim.md.generate_polymers` or `generate_peptides`.

    Returns
    -------
    list of Path
        The trajectory files, molecule by molecule, replica by replica.

    Raises
    ------
    FailedJobsError
        At the end: what ``generate`` raised for some of them.
    """
    portion = cluster.portion(len(molecules), n_replicas=run.n_replicas)
    jobs = [
        Job(
            name := name_of([molecule.name for molecule in part]),
            generate,
            (part, directory.absolute(), run),
            claim_file(directory, name),
        )
        for part in in_parts(molecules, portion)
    ]
    done = run_jobs(jobs, cluster=cluster, label="MD")
    return [directory / file.name for files in done for file in files]
