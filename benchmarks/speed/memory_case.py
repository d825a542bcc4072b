"""Peak memory of one case, in a process of its own: see `benchmarks.speed.memory`.

    python -m benchmarks.speed.memory_case CASE

Of a case such as ``{"task": "training", "n_beads": 9, "size": 64, "n_steps": 3, "device": "cpu"}``.
"""

import argparse
import ctypes
import gc
import json
import resource
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

import cgsim
from benchmarks.speed.rates import untrained
from cgsim.config import TrainingConfig
from cgsim.data.augmentation import Augmentation
from cgsim.model.simulator import Simulator
from cgsim.rollout.batches import Batches
from cgsim.rollout.starts import choose_starts

STATUS = Path("/proc/self/status")


def peak_bytes(device: str) -> int:
    """Most memory that this process has held so far: of the GPU, or of the machine."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():  # Linux: getrusage would count the memory of the parent
        return _status("VmHWM")
    in_units = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return in_units if sys.platform == "darwin" else 1024 * in_units


def held_bytes(device: str) -> int:
    """Memory that this process holds now, or, where the system does not say, its peak."""
    if device == "cuda":
        return torch.cuda.memory_allocated()
    return _status("VmRSS") if STATUS.exists() else peak_bytes(device)


def forget_peak(device: str) -> int:
    """Start anew, without what is held for later; return what is held still."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif STATUS.exists():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            STATUS.with_name("clear_refs").write_text("5")  # proc(5): reset the peak
    return held_bytes(device)


def _status(name: str) -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def training(simulator: Simulator, starts: list[Any], case: dict[str, Any]) -> None:
    """Steps of training on batches of ``size`` windows."""
    settings, windows = TrainingConfig(), simulator.train().windows(starts)
    optimiser = torch.optim.AdamW(simulator.parameters(), lr=settings.learning_rate)
    random = np.random.default_rng(0)
    for _ in range(case["n_steps"]):
        batch = windows[windows.draw(random, case["size"]).tolist()].to(case["device"])
        losses = simulator.loss(batch, augmentation=Augmentation(settings.history_noise))
        (losses["nll"] + settings.score_weight * losses["score"]).backward()
        optimiser.step()
        optimiser.zero_grad()


def rollout(simulator: Simulator, starts: list[Any], case: dict[str, Any]) -> None:
    """Steps of ``size`` replicas, written to files."""
    with tempfile.TemporaryDirectory() as folder:
        cgsim.simulate(simulator, starts, case["n_steps"], n_replicas=case["size"], output=folder)


def one_batch(simulator: Simulator, starts: list[Any], case: dict[str, Any]) -> None:
    """Steps of ``size`` replicas, all at once."""
    systems = choose_starts(simulator, starts, n_replicas=case["size"], seed=0)
    generator = torch.Generator(case["device"])
    batches = Batches(simulator, systems, generator=generator, most_edges=sys.maxsize)
    with batches.prepare(case["n_steps"], before=None):
        for _ in range(case["n_steps"]):
            batches.step()


TASKS: dict[str, Callable[[Simulator, list[Any], dict[str, Any]], None]] = {
    "training": training,
    "rollout": rollout,
    "one_batch": one_batch,
}


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """The case with the bytes that the program holds before it, and the most that it adds."""
    simulator, starts = untrained(case["n_beads"], score=True, device=case["device"])
    TASKS[case["task"]](simulator, starts, case | {"size": 1, "n_steps": 1})  # loads what it needs
    before = forget_peak(case["device"])
    TASKS[case["task"]](simulator, starts, case)
    return case | {"program_bytes": before, "peak_bytes": peak_bytes(case["device"]) - before}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", type=json.loads, help="JSON: task, n_beads, size, n_steps, device")
    print(json.dumps(measure(parser.parse_args().case)))


if __name__ == "__main__":
    main()
