"""The picture of the slowest motion: a column for every peptide, all rows in it."""

from pathlib import Path

import numpy as np

from benchmarks.peptides.picture import ROWS, draw, plot
from benchmarks.peptides.scores import Ruler, ruler_of
from cgsim.evaluate import Ensemble


def ensemble(name: str, seed: int) -> Ensemble:
    """Three beads, the last one hopping."""
    random = np.random.default_rng(seed)
    state = np.cumsum(random.random(3000) < 0.02) % 2
    xyz = 0.02 * random.normal(size=(3000, 3, 3))
    xyz[:, :, 0] += 0.4 * np.arange(3)
    xyz[:, 2, 1] += 0.3 * state
    edges = np.array([[0, 1], [1, 2]])
    return Ensemble(name, (xyz.astype(np.float32),), 2.0, np.ones(3), edges)


def test_every_row_of_every_peptide(tmp_path: Path) -> None:
    names = ("A", "B")
    rows = {label: [ensemble(name, seed) for name in names] for seed, label in enumerate(ROWS)}
    rulers: dict[str, Ruler] = {own.name: ruler_of(own) for own in rows["MD"]}
    figure = plot(rows, rulers)
    above, below = figure.axes[:2], figure.axes[2:]
    assert [axis.get_title("left") for axis in above] == ["A", "B"]
    assert all(len(axis.patches) == len(ROWS) for axis in above)
    for axis in below:
        assert len(axis.lines) == len(ROWS)
        times, values = np.asarray(axis.lines[0].get_data())
        np.testing.assert_allclose(np.diff(times), 2.0)
        assert values[0] == 1.0
    draw(rows, rulers, tmp_path / "images" / "a.png")
    assert (tmp_path / "images" / "a.png").stat().st_size > 10_000
