"""Scores as jobs: each compares a few molecules, which are read where they are scored."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cgsim.cluster.jobs import Job, claim_file, in_parts, name_of
from cgsim.cluster.portions import Cluster
from cgsim.cluster.workers import run_jobs
from cgsim.evaluate import Comparison, Ensemble, Score
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.observables.table import add_named
from cgsim.evaluate.scores.compare import row_random
from cgsim.evaluate.scores.headline import concluded
from cgsim.evaluate.scores.summary import summarise
from cgsim.evaluate.sources import Source, find_sources
from cgsim.evaluate.yardsticks import LEARNED, check_yardsticks
from cgsim.io import read_json, write_atomic_json

Molecule = Mapping[str, Source]
"""The files of one molecule by row of the comparison: reference, learned, or a yardstick."""


@dataclass(frozen=True)
class RowPaths:
    """Files and folders of a comparison; what each row is, `cgsim.evaluate.judge.Rows` says."""

    reference: Sequence[Path]
    learned: Sequence[Path]
    yardsticks: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    observables: Sequence[str] = ()  # of the user, as ``package.module:THING``

    def sources(self) -> dict[str, list[Source]]:
        """The molecules of every row.

        Raises
        ------
        ValueError
            If there is no such yardstick.
        """
        check_yardsticks(self.yardsticks)
        rows = {_REFERENCE: self.reference, LEARNED: self.learned, **self.yardsticks}
        return {row: find_sources(paths) for row, paths in rows.items()}


_REFERENCE = "reference"


def _rows(ensembles: Mapping[str, Sequence[Ensemble]]) -> Rows:
    """What is compared, from ensembles by row."""
    yardsticks = {row: own for row, own in ensembles.items() if row not in (_REFERENCE, LEARNED)}
    return Rows(ensembles[_REFERENCE], ensembles[LEARNED], yardsticks)


def score_paths(paths: RowPaths, *, cluster: Cluster, folder: Path | None = None) -> Comparison:
    """Compare molecules on the workers of a cluster.

    Values are those of `cgsim.evaluate.judge.score`; error bars come from other bootstrap draws.

    Parameters
    ----------
    folder
        Where workers keep the scores of every job; the same call goes on from there, unless the
        files that were scored have changed since.

    Raises
    ------
    ValueError
        If a row has other molecules than the reference, or other beads or bonds for one.
    FailedJobsError
        At the end: what `cgsim.evaluate.scores.compare` raised for some of them.
    """
    add_named(paths.observables)
    jobs = []
    molecules = _by_molecule(paths.sources())
    for part in in_parts(molecules, cluster.portion(len(molecules))):
        name = name_of([molecule[_REFERENCE].name for molecule in part])
        file = None if folder is None else folder.absolute() / f"{name}.json"
        claim = None if folder is None else claim_file(folder, name)
        jobs.append(Job(name, _score, (part, file, paths.observables), claim))
    return _merged(
        [data for part in run_jobs(jobs, cluster=cluster, label="scores") for data in part]
    )


def score_into(paths: RowPaths, output: Path | None, *, cluster: Cluster) -> Comparison:
    """`score_paths`, with the numbers as JSON; what workers kept on the way is removed then."""
    folder = None if output is None else output.with_name(f"{output.name}.jobs")
    comparison = score_paths(paths, cluster=cluster, folder=folder)
    if output is not None and folder is not None:
        write_atomic_json(output, comparison.to_dict())
        if folder.exists():
            shutil.rmtree(folder)
    return comparison


def _by_molecule(rows: Mapping[str, Sequence[Source]]) -> list[Molecule]:
    """The rows of each molecule of the reference, in its order."""
    by_name = {row: {source.name: source for source in sources} for row, sources in rows.items()}
    names = list(by_name[_REFERENCE])
    for row, sources in by_name.items():
        if sorted(sources) != sorted(names):
            raise ValueError(f"{row} has molecules {sorted(sources)}, reference {sorted(names)}")
    return [{row: sources[name] for row, sources in by_name.items()} for name in names]


def _score(
    part: Sequence[Molecule], file: Path | None, observables: Sequence[str]
) -> list[dict[str, Any]]:
    """Comparisons of single molecules, as plain data; read from ``file`` if they are there."""
    add_named(observables)
    inputs = [source.stamp() for molecule in part for source in molecule.values()]
    inputs += [list(observables)] if observables else []
    if file is not None and file.exists() and (known := read_json(file))["inputs"] == inputs:
        comparisons: list[dict[str, Any]] = known["comparisons"]
        return comparisons
    comparisons = []
    for molecule in part:
        read = {row: [source.read()] for row, source in molecule.items()}
        comparisons.append(score(_rows(read)).to_dict())
    if file is not None:
        write_atomic_json(file, {"inputs": inputs, "comparisons": comparisons})
    return comparisons


def _merged(parts: Sequence[Mapping[str, Any]]) -> Comparison:
    """One comparison of all molecules from comparisons of each."""
    comparisons = [Comparison.from_dict(part) for part in parts]
    first = comparisons[0]
    rows = {}
    for key in first.scores:
        if not all(key in each.scores for each in comparisons):
            continue  # of a reference that is too short to be halved
        molecules = tuple(own for each in comparisons for own in each.scores[key].molecules)
        random = row_random(first.seed, key)
        rows[key] = Score(
            molecules, summarise(molecules, n_bootstrap=first.scoring.n_bootstrap, rng=random)
        )
    merged = Comparison(
        rows.pop(LEARNED),
        first.scoring,
        first.seed,
        yardsticks=rows,
        red_lines=tuple(own for each in comparisons for own in each.red_lines),
        notes=tuple(dict.fromkeys(note for each in comparisons for note in each.notes)),
    )
    return concluded(merged)
