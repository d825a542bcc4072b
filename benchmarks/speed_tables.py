"""Tables of the pages on performance and scaling."""

from itertools import product

from benchmarks.table_cells import Numbers, markdown_table, number


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


def training_speed_table(metrics: Numbers) -> str:
    """Windows per second of training, one line per size."""
    names = ("n_beads", "batch_size", "windows_per_second", "loader_windows_per_second")
    lines = [[number(row[name]) for name in names] for row in metrics["rows"]]
    return markdown_table(["beads", "batch", "windows/s", "loader alone, windows/s"], lines)


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
