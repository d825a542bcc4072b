"""Where a figure comes from: the machine, the versions and the commit, stored beside its numbers.

Every benchmark ends with one call of `write_result`. A figure is of a commit: what was made while
the code differed from its commit is marked `dirty`, with a warning.
"""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("cgsim", "torch", "e3nn", "torch-geometric", "openmm", "mdtraj", "numpy")
RESULTS = Path(__file__).parent / "results"
# What numbers come from. Pictures and pages are not: a benchmark draws before it writes.
CODE = ("cgsim", "benchmarks", "pyproject.toml", "constraints.txt", ":!benchmarks/results")


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
        (UTC, ISO 8601), `seed`, `cpu_seconds` (of this process and those that it waited for).
        `commit` and `dirty` are `None` outside a git checkout.
    """
    import torch  # here, because who only reads results need not wait for it

    return {
        "versions": {"python": platform.python_version(), **_package_versions()},
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "n_cpus": os.cpu_count(),
        "n_threads": torch.get_num_threads() if threads is None else threads,
        "device": _device_name(device or "cpu"),
        **made(),
        "seed": seed,
        "cpu_seconds": sum(os.times()[:4]),
    }


def made() -> dict[str, Any]:
    """Which code made a figure, and when: for each section of a result that is made in parts.

    Returns
    -------
    dict
        `commit`, `dirty` (whether the code differs from that commit, files that git does not know
        of included, or was committed while the benchmark ran) and `date` (UTC, ISO 8601).
    """
    commit, changes = _git("rev-parse", "HEAD"), changed_code()
    dirty = None if changes is None else bool(changes) or (commit, changes) != _STARTED
    return {
        "commit": commit,
        "dirty": dirty,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def changed_code() -> tuple[str, ...] | None:
    """Files of the code that differ from the commit; None outside a git checkout."""
    # Without its two letters of state: the first line of the output has lost a blank.
    changes = _git("status", "--porcelain", "--", *CODE)
    return None if changes is None else tuple(line.split()[-1] for line in changes.splitlines())


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
        The file, complete: it is written under another name first and then renamed. If the code
        differs from its commit, a warning on stderr says so.
    """
    result = {
        "name": name,
        "command": command,
        "metrics": finite(metrics),
        "environment": environment(seed, device=device) | {"wall_clock_seconds": wall_clock},
    }
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)
    if result["environment"]["dirty"]:
        _warn(path)
    return path


def _warn(path: Path) -> None:
    files = changed_code() or ("the code was committed while the benchmark ran",)
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    line = "!" * 80
    print(
        f"{line}\n{path.name} is DIRTY: nobody can make it again, because its code is in no commit "
        f"({', '.join(files[:5])}{more}). Commit, and run the benchmark again.\n{line}",
        file=sys.stderr,
    )


def finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON has no word for, by None; unpack numpy numbers."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
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
    import torch

    if torch.device(device).type != "cuda":
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"


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


_STARTED = (_git("rev-parse", "HEAD"), changed_code())
