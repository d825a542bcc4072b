"""Who shares the work, and in which portions: options of commands, without the machinery.

Dask and PyTorch are not imported here. What a command needs to know before it decides whether to
share its work is here, too.
"""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cgsim.hardware.devices import Device, visible_gpus

MANY_MOLECULES = 200  # more than one process should batch, merge or score
FEW_JOBS = 16  # below, workers wait for the last of them
COPIES_PER_JOB = 32  # beyond, a CPU core merges or batches in vain
CLAIMS = ".claims"  # folder in which jobs are claimed, beside what they write


@dataclass(frozen=True)
class Cluster:
    """Who does the work, and in which portions.

    When one molecule of a job fails, the others of that job do not end either.

    Attributes
    ----------
    scheduler : str or None
        Running Dask scheduler: its address, such as tcp://host:8786, or its scheduler file.
    workers : int or None
        Worker processes to start on this machine; by default this process does all, and for more
        than 200 molecules on a machine without GPUs one worker per CPU core.
    molecules_per_job : int or None
        Molecules that a worker takes at a time; by default few enough for 16 jobs of at most 32
        copies.
    """

    scheduler: str | None = None
    workers: int | None = None
    molecules_per_job: int | None = None

    def __post_init__(self) -> None:
        if self.scheduler is not None and self.workers is not None:
            raise ValueError("give a scheduler or a number of workers, not both")
        for name in ("workers", "molecules_per_job"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def is_wanted(self, n_molecules: int) -> bool:
        """Whether to share the work: when asked to, or for many molecules on CPU cores alone.

        One GPU does better with all molecules at once, several with larger portions.
        """
        many = n_molecules > MANY_MOLECULES and find_spec("distributed") is not None
        return self.is_asked_for or (many and not visible_gpus())

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody named workers."""
        return self.scheduler is not None or self.workers is not None

    def portion(self, n_molecules: int, *, n_replicas: int = 1) -> int:
        """Molecules per job: the same for any number of workers."""
        return self.molecules_per_job or max(
            1, min(math.ceil(n_molecules / FEW_JOBS), COPIES_PER_JOB // n_replicas)
        )


@dataclass(frozen=True)
class RolloutCluster(Cluster):
    """Who rolls out, on what, and in which portions.

    Attributes
    ----------
    replicas_per_job : int or None
        Replicas of a molecule that a worker takes at a time; by default few enough for 16 jobs, but
        no fewer than 32.
    device : str
        Where to roll out; auto is a GPU if there is one.
    """

    replicas_per_job: int | None = None
    device: Device = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replicas_per_job is not None and self.replicas_per_job < 1:
            raise ValueError(f"replicas_per_job must be at least 1, got {self.replicas_per_job}")

    def replica_portion(self, n_replicas: int) -> int:
        """Replicas per job: the same for any number of workers."""
        return self.replicas_per_job or max(COPIES_PER_JOB, math.ceil(n_replicas / FEW_JOBS))


def is_shared(folder: Path) -> bool:
    """Whether jobs have written into a folder."""
    return (folder / CLAIMS).exists()
