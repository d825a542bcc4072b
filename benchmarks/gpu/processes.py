"""A training on two processes that share a device, beside the same on one."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.gpu.cases import sizes
from benchmarks.gpu.ledger import Row

TIMEOUT = 240.0  # s
N_STEPS = {True: 4, False: 60}  # dry or not


def rows(options: Namespace) -> Iterator[Row]:
    """One row."""
    yield Row("training/two processes", lambda: processes(options), seconds=TIMEOUT)


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
    command = [sys.executable, "-m", "benchmarks.gpu.processes", str(folder), options.device]
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
