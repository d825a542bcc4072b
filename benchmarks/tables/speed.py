"""Tables of the pages on performance and scaling."""

import math
from itertools import product

from benchmarks.tables.cells import Numbers, estimate, markdown_table, number


def worker_table(metrics: Numbers) -> str:
    """Throughput of one process, one worker and two."""
    md, rollout = metrics["md_ps_per_second"], metrics["rollout_chain_steps_per_second"]
    names = {"1": "one worker", "2": "two workers"}
    lines = [
        [
            names.get(row, row),
            *(f"{number(of[row])} ({of[row] / of['1']:.2f})" for of in (md, rollout)),
        ]
        for row in md
    ]
    heads = ["in brackets: over one worker", "MD (ps/s, all chains)", "roll-out (chain-steps/s)"]
    return markdown_table(heads, lines)


def job_table(metrics: Numbers) -> str:
    """What a job costs besides its work."""
    lines = [
        [
            f"{int(size):,}",
            *(number(cost[key]) for key in ("milliseconds_per_job", "kilobytes_per_job")),
        ]
        for size, cost in metrics["by_number_of_jobs"].items()
    ]
    return markdown_table(["jobs", "ms per job", "kB per job"], lines)


def speed_table(metrics: Numbers) -> str:
    """Batched steps per second, one line per size and number of replicas."""
    kinds = list(product((False, True), ("eager", "compiled")))
    found: dict[tuple[int, int], dict[tuple[bool, str], float]] = {}
    for row in metrics["rows"]:
        own = found.setdefault((row["n_beads"], row["n_replicas"]), {})
        own |= {(row["score"], name): rate for name, rate in row["steps_per_second"].items()}
    lines = [
        [str(n_beads), str(n_replicas), *(number(own.get(kind)) for kind in kinds)]
        for (n_beads, n_replicas), own in found.items()
    ]
    heads = [f"{'refined' if score else 'score off'}, {name}" for score, name in kinds]
    return markdown_table(["beads", "replicas", *heads], lines)


def small_table(metrics: Numbers) -> str:
    """CPU time of a step, its floor and that of an older tree, one line per size and shape."""
    keys = ("edges_per_bead", "floor_ms", "step_cpu_ms", "over_floor")
    older = ("before_cpu_ms", "times_faster")
    lines = [
        [
            *(str(row[name]) for name in ("n_beads", "n_replicas", "shape")),
            "on" if row["refined"] else "off",
            *(number(row[name]) for name in keys),
            *(number(row.get(name)) for name in older),
        ]
        for row in metrics["rows"]
    ]
    heads = ["edges per bead", "floor (ms)", "step (CPU ms)", "over floor", "before (CPU ms)"]
    names = ["beads", "replicas", "shape", "score", *heads, "times faster"]
    return markdown_table(names, lines)


def busy_table(metrics: Numbers) -> str:
    """Steps per second as chosen, on one thread and on all, one line per condition and stepper."""
    lines = [
        [
            row["condition"],
            str(row["n_beads"]),
            "on" if row["refined"] else "off",
            row["stepper"],
            *(number(row[name]) for name in ("steps_per_s", "one_thread", "all_threads")),
        ]
        for row in metrics["rows"]
    ]
    heads = ["as chosen", "one thread", "all threads"]
    return markdown_table(["machine", "beads", "score", "step", *heads], lines)


def training_speed_table(metrics: Numbers) -> str:
    """Windows per second of training, one line per size and number of trajectories."""
    kinds = list(dict.fromkeys(k for row in metrics["rows"] for k in row["windows_per_second"]))
    lines = [
        [
            *(str(row[name]) for name in ("n_beads", "n_trajectories", "batch_size")),
            *(number(row["windows_per_second"].get(kind)) for kind in kinds),
            number(row["loader_windows_per_second"]),
        ]
        for row in metrics["rows"]
    ]
    return markdown_table(["beads", "trajectories", "batch", *kinds, "loader alone"], lines)


def floor_table(metrics: Numbers) -> str:
    """Work, floor and time of a step, and where the time goes, one line per stepper."""
    lines = [
        [
            str(row["n_beads"]),
            "on" if row["score"] else "off",
            stepper,
            number(row["flops"] / 1e6),
            number(row["bytes"] / 1e6),
            number(1e3 * row["floor_seconds"]),
            number(1e3 * seconds),
            number(row["over_floor"][stepper]),
            *(number(share, ".0f") for share in row["shares"][stepper].values()),
        ]
        for row in metrics["rows"]
        for stepper, seconds in row["seconds"].items()
    ]
    work = "MFLOP", "MB moved, unfused", "floor (ms)", "measured (ms)", "over floor"
    kinds = (f"{kind} (%)" for kind in metrics["rows"][0]["shares"]["eager"])
    return markdown_table(["beads", "score", "step", *work, *kinds], lines)


def memory_table(metrics: Numbers) -> str:
    """Peak memory beyond that of the program, one line per case."""
    rows, heads = metrics["rows"], ("", "beads", "replicas or windows", "steps", "MB")
    at_once = {
        (row["n_beads"], row["size"]): row["peak_bytes"]
        for row in rows
        if row["task"] == "one_batch"
    }
    kept = [row for row in rows if row["task"] != "one_batch"]
    lines = [
        [
            {"training": "training", "rollout": "roll-out, into files"}[row["task"]],
            *(number(row[name], "d") for name in ("n_beads", "size", "n_steps")),
            number(row["peak_bytes"] / 1e6, ".0f"),
            number(_megabytes(row, at_once), ".0f"),
        ]
        for row in kept
    ]
    return markdown_table([*heads, "all in one batch (MB)"], lines)


def _megabytes(row: Numbers, at_once: dict[tuple[int, int], int]) -> float | None:
    """Of the same replicas at once, where that was measured."""
    found = at_once.get((row["n_beads"], row["size"])) if row["task"] == "rollout" else None
    return None if found is None else found / 1e6


def precision_table(metrics: Numbers) -> str:
    """Likelihood of the same windows, and speed, one line per precision."""
    lines = [
        [
            f"`{row['precision']}`",
            number(row["nll"], ".5f"),
            estimate(row["nll_difference"], row["nll_difference_error"])
            if row["nll_difference_error"]
            else "–",
            number(row["score"], ".4f"),
            number(row["windows_per_second"]),
        ]
        for row in metrics["rows"]
    ]
    heads = "precision", "NLL (nats)", "moved by", "score loss", "windows/s"
    return markdown_table(heads, lines)


def ceiling_table(metrics: Numbers) -> str:
    """What the machine can do."""
    own = metrics["ceilings"]
    heads = "threads", "matrix product (GFLOP/s)", "copy (GB/s)"
    names = "n_threads", "gemm_gflops", "copy_gb_per_second"
    return markdown_table(heads, [[number(own[name]) for name in names]])


def md_speed_table(metrics: Numbers) -> str:
    """Simulated time and effective samples per second against OpenMM."""
    names = ("time_per_second", "time_per_day", "correlation_time", "samples_per_second")
    over = ("time_per_second_over_md", "samples_per_second_over_md")
    lines = [
        [label, *(number(row.get(name)) for name in (*names, *over))]
        for label, row in metrics["rows"].items()
    ]
    heads = "simulated (ps/s)", "(ps/day)", "correlation time of Rg² (ps)", "samples/s"
    return markdown_table(["", *heads, "time, over MD", "samples, over MD"], lines)


def large_table(metrics: Numbers) -> str:
    """Time and peak memory of a step of large systems, one line per size."""
    found: dict[int, dict[bool, Numbers]] = {}
    for row in metrics["rows"]:
        found.setdefault(row["n_beads"], {})[row["score"]] = row
    names = ("cpu_seconds", "cpu_seconds_with_search", "seconds")
    lines = []
    for n_beads, own in found.items():
        cells = [f"{n_beads:,}", number(own[False]["edges_per_bead"])]
        for score in (False, True):
            row = own.get(score, {name: math.nan for name in (*names, "peak_bytes")})
            cells += [number(1e6 * row[name] / n_beads) for name in names]
            cells.append(number(row["peak_bytes"] / 1e9, ".2f"))
        lines.append(cells)
    times = "CPU", "CPU, with a search", "wall clock"
    heads = [
        f"{label}: {head}"
        for label in ("score off", "refined")
        for head in (*(f"µs/bead, {time}" for time in times), "peak (GB)")
    ]
    return markdown_table(["beads", "edges per bead", *heads], lines)
