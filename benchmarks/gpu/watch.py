"""How busy a GPU is, and how much of its memory is taken, while something runs."""

import shutil
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

INTERVAL = 0.25  # s between two samples
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


@dataclass
class Usage:
    """What was seen of a GPU.

    Attributes
    ----------
    samples
        Per cent of the time that any kernel ran, as the driver says it.
    peak_bytes
        Most that PyTorch had allocated.
    reserved_bytes
        Most that it held.
    """

    samples: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    reserved_bytes: int | None = None

    def values(self) -> dict[str, Any]:
        """For a row; what is not known is None."""
        return {
            "utilisation_percent": statistics.median(self.samples) if self.samples else None,
            "peak_bytes": self.peak_bytes,
            "reserved_bytes": self.reserved_bytes,
        }


@contextmanager
def watched(device: str) -> Iterator[Usage]:
    """Watch a GPU while what is inside runs; of a CPU nothing is known."""
    usage = Usage()
    if device == "cpu":
        yield usage
        return
    ended = threading.Event()
    sampler = threading.Thread(target=_sample, args=(usage, ended), daemon=True)
    torch.cuda.reset_peak_memory_stats()
    sampler.start()
    try:
        yield usage
    finally:
        ended.set()
        torch.cuda.synchronize()
        usage.peak_bytes = torch.cuda.max_memory_allocated()
        usage.reserved_bytes = torch.cuda.max_memory_reserved()
        sampler.join()


def _sample(usage: Usage, ended: threading.Event) -> None:
    if shutil.which(QUERY[0]) is None:
        return
    index = torch.cuda.current_device()
    while not ended.wait(INTERVAL):
        done = subprocess.run(QUERY, capture_output=True, text=True, check=False)
        lines = done.stdout.split()
        if done.returncode or not lines:
            return
        usage.samples.append(float(lines[min(index, len(lines) - 1)]))


def busy_percent(step: Callable[[], object], device: str, *, n_steps: int = 20) -> float | None:
    """Share of the wall-clock of some steps in which a kernel ran, from the kernels' own times.

    The driver counts a sampling period as busy if anything ran in it; this adds up the kernels.
    """
    if device == "cpu":
        return None
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(n_steps):
        step()
    end.record()
    torch.cuda.synchronize()
    milliseconds = start.elapsed_time(end)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(n_steps):
            step()
        torch.cuda.synchronize()
    kernels = sum(event.self_device_time_total for event in profiler.key_averages()) / 1e3
    return 100 * kernels / milliseconds
