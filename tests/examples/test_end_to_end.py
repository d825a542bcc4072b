"""An observable of one's own, from examples/extend, through every command that scores."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cgsim.cli import command_line as cli
from cgsim.cluster import Cluster
from cgsim.cluster.jobs import Job
from cgsim.cluster.scores import RowPaths, score_paths
from cgsim.evaluate import OBSERVABLES
from cgsim.evaluate.observables.table import add_named
from cgsim.mapping.store import save_mapped
from cgsim.testing.systems import random_chain
from examples.extend.end_to_end import ENDS

NAMES = [f"examples.extend.end_to_end:{name}" for name in ("ENDS", "RELAXATION")]
MOLECULES = [random_chain(5, n_frames=1, seed=k, name=f"c{k}") for k in range(3)]
CHAINS = [  # two runs of each
    [
        replace(own, pos=random_chain(5, n_frames=800, seed=10 * run + k).pos)
        for k, own in enumerate(MOLECULES)
    ]
    for run in range(2)
]


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """Leave the table as it was."""
    before = dict(OBSERVABLES)
    yield
    OBSERVABLES.clear()
    OBSERVABLES.update(before)


@pytest.fixture
def rows(tmp_path: Path) -> tuple[Path, Path]:
    """Reference and learned, mapped."""
    folders = tmp_path / "reference", tmp_path / "learned"
    for folder, chains in zip(folders, CHAINS, strict=True):
        for chain in chains:
            save_mapped(chain, folder / f"{chain.name}.cg")
    return folders


def distance(run: int, chain: int) -> float:
    pos = np.asarray(CHAINS[run][chain].pos)
    return float(np.linalg.norm(pos[:, -1] - pos[:, 0], axis=1).mean())


def test_commands_score_it(rows: tuple[Path, Path], tmp_path: Path) -> None:
    for command, output in (("evaluate", tmp_path / "s.json"), ("report", tmp_path / "report")):
        arguments = [command, *rows, "--output", output, "--observable", *NAMES]
        assert cli.main([str(own) for own in arguments]) == 0
    for file in (tmp_path / "s.json", tmp_path / "report" / "metrics.json"):
        learned = json.loads(file.read_text())["learned"]
        assert learned["summary"]["median_relaxation_ratio_end_to_end"]["value"] > 0
        found = [
            [own[f"end_to_end{tail}"]["value"] for tail in ("_reference", "")]
            for own in learned["molecules"]
        ]
        expected = [[distance(run, chain) for run in range(2)] for chain in range(3)]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "JS distance of end-to-end distance" in page


def test_workers_score_it(rows: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs name it to themselves: the table of a worker is that of cgsim."""

    def elsewhere(jobs: Sequence[Job], **_more: object) -> list[Any]:
        results = []
        for job in jobs:
            for name in ("end_to_end", "relaxation_end_to_end"):
                del OBSERVABLES[name]
            results.append(job.function(*job.arguments))
        return results

    monkeypatch.setattr("cgsim.cluster.scores.run_jobs", elsewhere)
    paths = RowPaths([rows[0]], [rows[1]], observables=NAMES)
    shared = score_paths(paths, cluster=Cluster(workers=1, molecules_per_job=1))
    alone = score_paths(paths, cluster=Cluster())
    assert shared.learned.summary.keys() == alone.learned.summary.keys()
    for name in ("r2_end_to_end", "r2_relaxation_end_to_end"):
        assert shared.learned.summary[name].value == alone.learned.summary[name].value


def test_it_is_named_by_the_user_or_refused(
    rows: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    add_named(NAMES)
    add_named(NAMES)  # twice is once
    assert OBSERVABLES["end_to_end"] is ENDS
    command = ["evaluate", *map(str, rows), "--observable"]
    for name, said in (
        ("examples.extend.end_to_end:end_to_end", "is no observable but of type function"),
        ("examples.extend.end_to_end:END", "did you mean 'ENDS'?"),
        ("end_to_end", "write it as package.module:Thing"),
    ):
        assert cli.main([*command, name]) == 1
        assert said in capsys.readouterr().err
