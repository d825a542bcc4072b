"""Jobs that survive the machine they run on.

A job is a function with its arguments that may be called again at any time: it skips what is done
and goes on from where it was stopped. Thus nothing is lost when a worker dies, a command is
interrupted, or all of it is given again.
"""

import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cgsim.cluster.portions import CLAIMS

CLAIM_SECONDS = 60.0  # how long a job waits for another process that is at it
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One call, to be made on any worker.

    Attributes
    ----------
    name : str
        What failures are reported by; unique among the jobs of a command.
    function : callable
        Found on the workers by its module and name; it must be safe to call again.
    arguments : tuple
        Sent to the worker: small things, paths rather than frames.
    claim : Path or None
        A file that is locked while the job is at work: no two processes write at once, not even
        when a worker that was taken for dead is alive. None for jobs that write nothing.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    claim: Path | None = None

    def __call__(self) -> Any:
        """Do it.

        Raises
        ------
        ValueError
            If another process has been at it for a minute.
        """
        if self.claim is None:
            return self.function(*self.arguments)
        with claimed(self.claim):
            return self.function(*self.arguments)


class FailedJobsError(ValueError):
    """Some jobs failed; all others are done.

    Attributes
    ----------
    failures : mapping of str to str
        What each said, by name.
    """

    def __init__(self, failures: Mapping[str, str], n_jobs: int) -> None:
        self.failures = dict(failures)
        lines = [f"  {name}: {reason}" for name, reason in sorted(self.failures.items())]
        n_done = n_jobs - len(lines)
        summary = f"{len(lines)} of {n_jobs} jobs failed, {n_done} are done and will be skipped"
        super().__init__("\n".join([f"{summary}:", *lines]))


def check_jobs(jobs: Sequence[Job]) -> None:
    """Raise ValueError unless there are jobs, and no two of one name."""
    if not jobs:
        raise ValueError("there are no jobs to do")
    repeated = [name for name, n in Counter(job.name for job in jobs).items() if n > 1]
    if repeated:
        raise ValueError(f"two jobs of one name: {', '.join(repeated)}")


@contextmanager
def claimed(file: Path, *, patience: float = CLAIM_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system lets go of it when the process dies.

    Raises
    ------
    ValueError
        If another process holds it for longer than ``patience`` seconds.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with open(file, "ab") as stream:
        while not _try_to_lock(stream.fileno()):
            if time.monotonic() > deadline:
                raise ValueError(f"{file}: another process is at this job; wait for it to end")
            time.sleep(0.1)
        yield


def claim_file(folder: Path, name: str) -> Path:
    """Where a job that writes into a folder is claimed."""
    return folder.absolute() / CLAIMS / name


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def in_parts(items: Sequence[T], size: int) -> list[list[T]]:
    """Consecutive parts of at most ``size`` items: the same ones on any number of workers."""
    return [list(items[i : i + size]) for i in range(0, len(items), size)]


def name_of(names: Sequence[str]) -> str:
    """Name of a job for several molecules."""
    return names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"
