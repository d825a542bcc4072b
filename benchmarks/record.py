"""Where a figure comes from: the machine, the versions and the commit, stored beside its numbers.

Every benchmark ends with one call of `write_result`.
"""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("cgsim", "torch", "e3nn", "torch-geometric", "openmm", "mdtraj", "numpy")
RESULTS = Path(__file__).parent / "results"


def environment(
    seed: int | None = None, threads: int | None = None, device: str | None = None
) -> dict[str, Any]:
    """Describe the machine, the software and the commit that a figure was made with.

    Parameters
    ----------
    seed
        Seed of the run; `None` for one without randomness.
    threads
        CPU threads of torch; `None` asks torch.
    device
        torch device, for example `"cpu"` or `"cuda:0"`; `None` stands for `"cpu"`.

    Returns
    -------
    dict
        JSON-able: `versions`, `cpu`, `n_cpus`, `n_threads`, `device`, `commit`, `dirty`, `date`
        (UTC, ISO 8601), `seed`. `commit` and `dirty` are `None` outside a git checkout.
    """
    return {
        "versions": {"python": platform.python_version(), **_package_versions()},
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "n_cpus": os.cpu_count(),
        "n_threads": torch.get_num_threads() if threads is None else threads,
        "device": _device_name(device or "cpu"),
        **_git_state(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
    }


def write_result(
    name: str,
    command: str,
    metrics: Mapping[str, Any],
    *,
    wall_clock: float,
    seed: int | None = None,
    device: str = "cpu",
    directory: Path = RESULTS,
) -> Path:
    """Write `<directory>/<name>.json`: the numbers, the command that made them and the environment.

    Parameters
    ----------
    name
        Name of the figure, the stem of the file.
    command
        The command line that makes it again.
    metrics
        JSON-able numbers with their units in the names or beside them; NaN and infinity are
        written as null.
    wall_clock
        Duration of the whole command in seconds.
    seed, device
        See `environment`.
    directory
        Where to write; `benchmarks/results` by default.

    Returns
    -------
    Path
        The file, complete: it is written under another name first and then renamed.
    """
    result = {
        "name": name,
        "command": command,
        "metrics": _finite(metrics),
        "environment": environment(seed, device=device) | {"wall_clock_seconds": wall_clock},
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON has no word for, by None; unpack numpy numbers."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _package_versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def _cpu_model() -> str:
    """Return the processor's name: from /proc/cpuinfo on Linux, else what Python knows."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _device_name(device: str) -> str:
    """Return the device with the GPU's name, for example `cuda:0 (NVIDIA A100)`."""
    if torch.device(device).type != "cuda":
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"


def _git_state() -> dict[str, str | bool | None]:
    """Return the commit, and whether tracked files (results apart) differ from it."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """Return the output of a git command run in this checkout, or None where it fails."""
    root = Path(__file__).parents[1]
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
