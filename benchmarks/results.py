"""The results: what made each, how old it is, what it costs, whether it can be trusted.

    python -m benchmarks.results
    python -m benchmarks.results --only exact calibration
    python -m benchmarks.results --only exact --stale "the timestep of the double well has changed"

Lists every JSON of `benchmarks/results`, section by section where one file is made in parts. A
result is `dirty` if its code was in no commit, and `stale` if its command no longer makes it; the
tables of the pages say both. With `--only` those named are made again, after a line that says what
that took the last time, and the tables with them; `--stale` marks them instead. `make results` and
`make results ONLY="exact calibration"` do the same.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"

#: What must be there before a result can be made, and what makes it.
NEEDS: dict[str, tuple[str, str]] = {
    "ablations": ("runs/polymer_mini", "python -m benchmarks.polymers --size mini"),
    "calibration": ("runs/quickstart", "python -m benchmarks.quickstart"),
    "md_solvent_speed": (
        "runs/baselines/adk/4ake.pdb",
        "chain A of PDB entry 4AKE (https://files.rcsb.org/download/4AKE.pdb) as a file",
    ),
    "peptide_beads": (
        "runs/peptides/md",
        "python -m benchmarks.peptides --train-duration 12 --unseen-duration 33",
    ),
    "speed_cpu": ("runs/polymer_mini/mapped", "python -m benchmarks.polymers --size mini"),
}


@dataclass(frozen=True)
class Made:
    """Where a result, or a section of one, comes from.

    Attributes
    ----------
    name
        Of the file, or file/section.
    command
        What makes it again, one command a line.
    commit, dirty, date
        As `benchmarks.record.made` has them; None where a section of a file did not note them.
    wall_clock, cpu
        Seconds of the whole command; None where unknown.
    stale
        Why the command no longer makes it; empty if it does.
    """

    name: str
    command: str
    commit: str | None
    dirty: bool | None
    date: str | None
    wall_clock: float | None
    cpu: float | None
    stale: str

    @property
    def state(self) -> str:
        """One word."""
        if self.stale:
            return "stale"
        return {True: "dirty", False: "clean", None: "unknown"}[self.dirty]

    @property
    def note(self) -> str:
        """What a page says beside the table; empty for a result that is as it should be."""
        notes = [f"Stale: {self.stale}."] if self.stale else []
        if self.dirty:
            after = f" after commit {self.commit[:7]}" if self.commit else ""
            notes.append(f"Made with uncommitted changes{after}.")
        return " ".join(notes)


def sections_of(result: Mapping[str, Any]) -> Iterator[Made]:
    """What a result says of itself, one entry for each section that has a command of its own."""
    name, metrics = result["name"], result["metrics"]
    sections = {
        key: own
        for key, own in metrics.items()
        if isinstance(own, Mapping) and isinstance(own.get("command"), str)
    }
    environment = result["environment"]
    if not sections:
        cost = environment.get("wall_clock_seconds"), environment.get("cpu_seconds")
        stale = result.get("stale", "")
        yield _made(name, result["command"], environment, cost=cost, stale=stale)
    for key, own in sections.items():
        # The environment of the file is that of the part that was made last.
        is_last = len(sections) == 1 or own["command"] == result["command"]
        noted = own.get("made", environment if is_last else {})
        cost = environment.get("wall_clock_seconds") if is_last else None, None
        yield _made(f"{name}/{key}", own["command"], noted, cost=cost, stale=own.get("stale", ""))


def _made(
    name: str,
    command: str,
    noted: Mapping[str, Any],
    *,
    cost: tuple[float | None, float | None],
    stale: str,
) -> Made:
    return Made(
        name,
        command,
        noted.get("commit"),
        noted.get("dirty"),
        noted.get("date"),
        *cost,
        stale=stale or _gone(command),
    )


def _gone(command: str) -> str:
    """Why a command cannot be given, as far as names of modules say."""
    for module in re.findall(r"python -m ([\w.]+)", command):
        path = ROOT / module.replace(".", "/")
        if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
            return f"there is no module {module}"
    return ""


def read_results(directory: Path = RESULTS) -> list[dict[str, Any]]:
    """All results, by name.

    Raises
    ------
    ValueError
        If a file is not what `benchmarks.record.write_result` writes.
    """
    found = []
    for file in sorted(directory.glob("*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        missing = {"command", "metrics", "environment"} - result.keys()
        if missing:
            raise ValueError(f"{file}: no {', '.join(sorted(missing))}; is it of write_result?")
        found.append({"name": file.stem} | result)
    return found


def age(made: Made, now: datetime) -> str:
    """Commits and days since."""
    if made.commit is None or made.date is None:
        return "–"
    days = (now - datetime.fromisoformat(made.date)).days
    asked = ["git", "rev-list", "--count", f"{made.commit}..HEAD"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    # A commit that was rebased away is known to nobody.
    commits = done.stdout.strip() if done.returncode == 0 else "?"
    return f"{commits} commits, {days} days"


def duration(seconds: float | None) -> str:
    """Short: 40 s, 9.7 min, 2.1 h."""
    if seconds is None:
        return "–"
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def listing(made: Sequence[Made], now: datetime) -> str:
    """All of them, a line each; what is wrong with one follows on a line of its own."""
    heads = ("result", "state", "age", "wall clock", "CPU", "command")
    rows = [
        (m.name, m.state, age(m, now), duration(m.wall_clock), duration(m.cpu), first)
        for m in made
        for first in m.command.splitlines()[:1]
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [_line(heads, widths)]
    for own, row in zip(made, rows, strict=True):
        lines.append(_line(row, widths))
        lines += [f"{'':{sum(widths[:5]) + 10}}{line}" for line in own.command.splitlines()[1:]]
        lines += [f"    {own.stale}"] if own.stale else []
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def chosen(made: Sequence[Made], names: Sequence[str]) -> list[Made]:
    """Those named; the name of a file stands for all its sections.

    Raises
    ------
    SystemExit
        If there is no such result.
    """
    known = {m.name for m in made} | {m.name.partition("/")[0] for m in made}
    unknown = sorted(set(names) - known)
    if unknown:
        raise SystemExit(f"no result {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return [m for m in made if {m.name, m.name.partition("/")[0]} & set(names)]


def remake(wanted: Sequence[Made]) -> None:
    """Run the commands of results, then make the tables of the pages.

    Raises
    ------
    SystemExit
        If something they start from is not there.
    """
    for own in wanted:
        path, how = NEEDS.get(own.name.partition("/")[0], ("", ""))
        if path and not (ROOT / path).exists():
            raise SystemExit(f"{own.name} needs {path}, which is not there; make it first: {how}")
    for own in wanted:
        cost = f"{duration(own.wall_clock)} of wall clock, {duration(own.cpu)} of CPU"
        print(f"{own.name}: the last time {cost}, without what was there already", flush=True)
        for command in own.command.splitlines():
            print(f"    {command}", flush=True)
            words = shlex.split(command)[1:]  # without "python": this one it is
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.tables"], cwd=ROOT, check=True)


def mark_stale(name: str, reason: str, directory: Path = RESULTS) -> Path:
    """Write into a result, or one of its sections (file/section), why it no longer holds.

    Making it again takes the mark away.
    """
    stem, _, section = name.partition("/")
    path = directory / f"{stem}.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    marked = result["metrics"][section] if section else result
    marked["stale"] = reason.rstrip(".")
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """List, make again or mark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], help="names of results to make again")
    parser.add_argument("--stale", metavar="REASON", help="mark those of --only, make nothing")
    options = parser.parse_args(arguments)
    if options.stale is not None and not options.only:
        parser.error("--stale needs --only NAME: which result is it?")
    made = [own for result in read_results() for own in sections_of(result)]
    wanted = chosen(made, options.only)
    if options.stale is not None:
        for own in wanted:
            print(f"marked {mark_stale(own.name, options.stale)}")
    elif wanted:
        remake(wanted)
    else:
        print(listing(made, datetime.now(UTC)))


if __name__ == "__main__":
    main()
