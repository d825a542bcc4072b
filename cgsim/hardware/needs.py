"""What a job will take, in one line, before it begins; and refused if it cannot fit."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    import torch

GB = 1e9
_CGROUPS = (  # limit and use of a container, version 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True)
class Need:
    """Memory and time of a job.

    Attributes
    ----------
    n_bytes
        At most, beyond what the program holds already.
    seconds
        Of all that is to be done; None where it is not known.
    """

    n_bytes: float
    seconds: float | None = None

    def __str__(self) -> str:
        if self.seconds is None:
            return f"about {in_gb(self.n_bytes)}"
        return f"about {in_gb(self.n_bytes)} and {in_minutes(self.seconds)}"


def in_gb(n_bytes: float) -> str:
    """Bytes in GB, to two digits."""
    value = n_bytes / GB
    return f"{value:,.0f} GB" if value >= 9.95 else f"{max(value, 0.01):.2g} GB"


def in_minutes(seconds: float) -> str:
    """A time in minutes, to two digits."""
    minutes = seconds / 60
    return f"{minutes:,.0f} minutes" if minutes >= 9.95 else f"{max(minutes, 0.01):.2g} minutes"


def announce(job: str, work: str, need: Need) -> None:
    """Say in one line, on the standard error as progress bars do, what a job will take."""
    tqdm.write(f"{job}: {work}; {need}", file=sys.stderr)


def check_fits(
    job: str, n_bytes: float, *, free: float | None, options: Sequence[str], place: str = "memory"
) -> None:
    """Refuse a job that needs more than there is.

    Parameters
    ----------
    free
        Bytes; None where it is not known, and nothing is refused.
    options
        What would make it fit, the best first.

    Raises
    ------
    MemoryError
        Saying how much is needed, how much there is, and the options.
    """
    if free is not None and n_bytes > free:
        raise MemoryError(
            f"{job} needs about {in_gb(n_bytes)} of {place}, but only {in_gb(free)} are free. "
            f"What helps: {'; '.join(options)}"
        )


def free_memory(device: "torch.device | None" = None) -> float | None:
    """Bytes that are free on a device, by default the CPU; None where the system does not say."""
    if device is not None and device.type == "cuda":
        import torch  # here: what maps and evaluates does without

        return float(torch.cuda.mem_get_info(device)[0])
    known = [value for value in (_machine(), *map(_container, _CGROUPS)) if value is not None]
    return min(known, default=None)


def free_disk(folder: Path) -> float:
    """Bytes that are free where a folder is or will be."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return float(shutil.disk_usage(existing).free)


def _machine() -> float | None:
    """What Linux says that it could give to a program; elsewhere all that is built in."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            rows = dict(line.split(":", 1) for line in file)
        return 1024.0 * float(rows["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (OSError, ValueError):
        return None


def _container(paths: tuple[str, str]) -> float | None:
    try:
        limit, used = (float(Path(path).read_text(encoding="ascii")) for path in paths)
    except (OSError, ValueError):  # "max" is no number: there is no limit
        return None
    return max(0.0, limit - used)
