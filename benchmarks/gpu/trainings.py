"""Trainings: windows per second and memory, in both precisions, on one device and two processes."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.gpu.cases import simulator_of, sizes
from benchmarks.gpu.ledger import Row
from benchmarks.gpu.watch import watched
from benchmarks.speed.training import LONG, Learner, windows_per_second
from cgsim.data.sampling import WindowSampler
from cgsim.training.compiled import CompiledLoss, sizes_to_compile

N_BATCHES = 12
TIMEOUT = 240.0  # s, of two processes
N_STEPS = {True: 4, False: 60}  # of two processes, dry or not


def rows(options: Namespace) -> Iterator[Row]:
    """Every size, and two processes."""
    for n_beads in sizes(options).training_beads:
        yield Row(f"training/{n_beads}", lambda n=n_beads: rates(n, options), seconds=150.0)
    yield Row("training/two processes", lambda: processes(options), seconds=TIMEOUT)


def rates(n_beads: int, options: Namespace) -> dict[str, Any]:
    """Windows per second, from the trajectories to new weights, and the memory of each way."""
    simulator, starts = simulator_of(n_beads, options)
    simulator.train()
    windows = simulator.windows(starts)
    n_batches = 2 if options.dry else N_BATCHES
    sampler = WindowSampler(windows, batch_size=sizes(options).batch, n_batches=n_batches, seed=0)
    batches = list(sampler)
    found: dict[str, Any] = {}
    for name, (loss, context) in _learners(simulator, starts, options).items():
        with watched(options.device) as usage:
            rate = windows_per_second(simulator, windows, batches, {name: (loss, context)})[name]
        found[name] = {"windows_per_second": rate, **usage.values()}
    return {"n_beads": n_beads, "batch_size": sizes(options).batch, "ways": found}


def _learners(simulator: Any, starts: list[Any], options: Namespace) -> dict[str, Learner]:
    mixed: AbstractContextManager[Any] = torch.autocast(options.device, dtype=torch.bfloat16)
    own: dict[str, Learner] = {
        "fp32": (simulator.loss, nullcontext()),
        "bf16": (simulator.loss, mixed),
    }
    if not options.no_compile and (known := sizes_to_compile(simulator, starts, LONG)):
        own["fp32, compiled"] = (CompiledLoss(simulator, known), nullcontext())
        own["bf16, compiled"] = (CompiledLoss(simulator, known), mixed)
    return own


# ------------------------------------------------------------------ two processes


def processes(options: Namespace) -> dict[str, Any]:
    """Windows per second of one process and of two that share the device, by gloo."""
    seconds = {}
    for n_processes in (1, 2):
        with TemporaryDirectory() as folder:
            seconds[n_processes] = _of_processes(n_processes, Path(folder), options)
    batch = sizes(options).batch
    return {
        "windows_per_second": {
            str(n): n * batch / statistics.median(own) for n, own in seconds.items()
        },
        "n_steps": N_STEPS[options.dry],
    }


def _of_processes(n_processes: int, folder: Path, options: Namespace) -> list[float]:
    """Durations of steps, s, as the first process saw them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.gpu.trainings", str(folder), options.device]
    command += [str(n_processes), str(sizes(options).batch), str(N_STEPS[options.dry])]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
    running = [
        subprocess.Popen(
            command,
            env=os.environ | (shared | {"NODE_RANK": str(rank)} if n_processes > 1 else {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_processes)
    ]
    try:
        ends = [own.communicate(timeout=TIMEOUT) for own in running]
    finally:
        for own in running:
            own.kill()
    if any(own.returncode for own in running):
        raise RuntimeError(f"{n_processes} processes: {ends[0][1][-1000:]}")
    found: list[float] = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
    return found


def one_process(
    folder: Path, device: str, *, n_processes: int, batch_size: int, n_steps: int
) -> None:
    """What each of them does: a training as `cgsim.fit` makes it, its steps timed."""
    from lightning.pytorch import Callback
    from lightning.pytorch.strategies import DDPStrategy

    import cgsim
    from cgsim.testing.systems import TINY, random_chain

    times: list[float] = []

    class Clock(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            if device != "cpu":
                torch.cuda.synchronize()
            times.append(time.perf_counter())

    more = {} if n_processes == 1 else {"strategy": DDPStrategy(process_group_backend="gloo")}
    cgsim.fit(
        [random_chain(9, n_frames=400, seed=0)],
        folder / "model",
        model=TINY if n_steps < N_STEPS[False] else None,
        training={"n_steps": n_steps, "n_warmup": 1, "batch_size": batch_size},
        hardware={"accelerator": device, "n_devices": 1, "n_nodes": n_processes},
        trainer={
            "logger": "csv",
            "callbacks": Clock(),
            "enable_progress_bar": False,
            **more,
        },
    )
    if os.environ.get("NODE_RANK", "0") == "0":
        seconds = [later - earlier for earlier, later in pairwise(times)]
        (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    one_process(
        Path(sys.argv[1]),
        sys.argv[2],
        n_processes=int(sys.argv[3]),
        batch_size=int(sys.argv[4]),
        n_steps=int(sys.argv[5]),
    )
