"""Damaged files of every format: read right or refused, never a crash, hang or silent wrong.

    python -m benchmarks.fuzz --files 100000 --folder FOLDER

Files are made from small valid ones (`seeds`) by damage with a seed (`mutations`), read in a
process with bounds on memory and time (`worker`), and compared with an independent reader or with
what must hold (`oracles`). The same command goes on where it was ended: file i of a seed is the
same in every run. Files that are not read right are kept in ``FOLDER/found``.
``--quick`` reads 500.
"""

import argparse
import bz2
import gzip
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.fuzz.mutations import mutated
from benchmarks.fuzz.seeds import Seed, make_seeds
from benchmarks.fuzz.worker import Reader
from benchmarks.record import write_result

FAULTS = ("crash", "hang", "wrong")
OUTCOMES = ("refused", "equal", "different", "unchecked", *FAULTS)
QUICK = 500
_PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    ".gz": (partial(gzip.compress, mtime=0), gzip.decompress),
    ".bz2": (bz2.compress, bz2.decompress),
}


def main() -> None:
    """Read so many damaged files and store the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} files, nothing is stored")
    parser.add_argument("--folder", type=Path, help="of the log and of what is found")
    parser.add_argument("--only", help="formats whose name holds this; nothing is stored")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    n_files = QUICK if options.quick else options.files
    folder = options.folder or Path(tempfile.gettempdir()) / f"cgsim-fuzz-{options.seed}"
    seeds = make_seeds(folder / "seeds")
    begin = time.perf_counter()
    rows = fuzz(seeds, folder, n_files=n_files, seed=options.seed, only=options.only or "")
    metrics = summary(rows)
    print(*(f"{name}: {counts}" for name, counts in metrics["formats"].items()), sep="\n")
    print(metrics["total"])
    if not options.quick and not options.only:
        command = f"python -m benchmarks.fuzz --files {n_files} --seed {options.seed}"
        wall_clock = time.perf_counter() - begin
        print(write_result("fuzz", command, metrics, wall_clock=wall_clock, seed=options.seed))


def fuzz(
    seeds: list[Seed], folder: Path, *, n_files: int, seed: int, only: str = ""
) -> list[list[str]]:
    """Read damaged files that the log does not hold yet; return its rows.

    A row is: number, format, damage, outcome, detail.
    """
    log = folder / f"log-{seed}.tsv"
    rows = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    done = len(rows)
    reader = Reader(folder / "seeds", folder / "scratch")
    found = folder / "found"
    found.mkdir(exist_ok=True)
    print(f"{len(seeds)} formats; {done} of {n_files} files are done; about 13 files a second")
    with open(log, "a") as file:
        for number in tqdm(range(done, n_files), initial=done, total=n_files, smoothing=0.01):
            of = seeds[number % len(seeds)]
            if only not in of.format:
                continue
            rng = np.random.default_rng([seed, number])
            damage, content = damaged(of, rng)
            if content == of.content:
                damage = "none"
            verdict = reader(of, content)
            detail = " ".join(verdict.detail.split()).replace(str(folder), "")
            row = [str(number), of.format, damage, verdict.outcome, detail]
            rows.append(row)
            if not only:
                file.write("\t".join(row) + "\n")
                file.flush()
            if verdict.outcome in FAULTS:
                tqdm.write(" ".join(row))
                (found / f"{number}-{of.name}").write_bytes(content)
    reader.close()
    return rows[:n_files]


def damaged(seed: Seed, rng: np.random.Generator) -> tuple[str, bytes]:
    """Damage a file; a compressed one mostly before it is compressed."""
    pack = _PACKERS.get(Path(seed.name).suffix)
    if pack is None or rng.random() < 0.3:
        return mutated(seed.content, rng, is_text=seed.is_text)
    compress, decompress = pack
    damage, content = mutated(decompress(seed.content), rng, is_text=True)
    return f"{damage} inside", compress(content)


def summary(rows: list[list[str]]) -> dict:
    """Counts of outcomes by format, reasons of differences, and all faults."""
    formats = sorted({row[1] for row in rows})
    by_format = {name: _counts([row for row in rows if row[1] == name]) for name in formats}
    reasons = Counter(f"{row[3]}: {row[4]}" for row in rows if row[3] in ("different", "unchecked"))
    faults = [
        dict(zip(("number", "format", "damage", "outcome", "detail"), row, strict=True))
        for row in rows
        if row[3] in FAULTS
    ]
    return {
        "total": _counts(rows),
        "formats": by_format,
        "reasons": dict(reasons.most_common()),
        "faults": faults[:200],
    }


def _counts(rows: list[list[str]]) -> dict[str, int]:
    counts = Counter(row[3] for row in rows)
    return {"files": len(rows), **{outcome: counts[outcome] for outcome in OUTCOMES}}


if __name__ == "__main__":
    main()
