"""The rows of a comparison are one table."""

import subprocess
import sys
from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from cgsim.evaluate import YARDSTICKS, Comparison, Ensemble, Scoring, Yardstick, compare
from cgsim.evaluate.judge import Rows, score
from cgsim.evaluate.observables.table import RG
from cgsim.evaluate.report.plots import plot_means
from cgsim.evaluate.report.table import summary_table
from cgsim.evaluate.yardsticks import equal_time, row_label, row_labels
from tests.evaluate.processes import noisy_chain

HEAVY = ("numpy", "scipy", "torch", "mdtraj", "matplotlib")


@pytest.fixture
def own_row() -> Iterator[str]:
    """A yardstick of the user."""
    YARDSTICKS["rouse"] = Yardstick("Rouse model", "Roll-outs of a Rouse model.", "#123456")
    yield "rouse"
    del YARDSTICKS["rouse"]


def chains(seed: int) -> list[Ensemble]:
    sizes = (("a", 3), ("b", 5), ("c", 8))
    return [noisy_chain(name, n_beads, seed=seed + n_beads) for name, n_beads in sizes]


def test_the_table_costs_nothing() -> None:
    code = (
        "import sys, cgsim.evaluate.yardsticks as y; assert y.YARDSTICKS; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_row_says_what_it_is() -> None:
    assert list(YARDSTICKS)[:3] == ["floor", "md_equal_time", "md_10x_shorter"]
    assert "var" in YARDSTICKS
    assert list(row_labels()) == ["learned", *YARDSTICKS]
    for row in YARDSTICKS.values():
        assert row.help.endswith(".")
        assert mpl.colors.is_color_like(row.colour)
    assert len({row.label for row in YARDSTICKS.values()}) == len(YARDSTICKS)
    assert row_label("floor") == "second MD run"
    assert row_label("of another time") == "of another time"


def test_all_molecules_together_get_the_md_that_the_wall_clock_buys() -> None:
    """60 s at 50 ps/s are 3,000 ps, to be shared; twice the time or speed is twice as much."""
    assert equal_time(60.0, speed=50.0, n_molecules=1) == pytest.approx(3000.0)
    assert 20 * equal_time(60.0, speed=50.0, n_molecules=20) == pytest.approx(3000.0)
    assert equal_time(120.0, speed=25.0, n_molecules=6) == pytest.approx(500.0)


def test_a_row_of_the_user_is_scored_and_shown(own_row: str) -> None:
    given = {own_row: chains(30), "floor": chains(20)}
    comparison = compare(chains(0), chains(10), yardsticks=given, scoring=Scoring(n_bootstrap=20))
    assert list(comparison.rows) == ["learned", "second MD run", "Rouse model"]
    console = Console(width=200, record=True)
    console.print(summary_table(comparison))
    assert "Rouse model" in console.export_text()
    data = comparison.to_dict()
    assert data["rouse"]["summary"]["js_rg"]["value"] > 0
    assert data["md_equal_time"] is None
    assert Comparison.from_dict(data).to_dict() == data
    assert colours(plot_means(RG, comparison)) >= {"#123456", YARDSTICKS["floor"].colour}


def colours(figure: Figure) -> set[str]:
    return {mpl.colors.to_hex(container[0].get_color()) for container in figure.axes[0].containers}


def test_the_order_in_which_rows_are_given_does_not_matter() -> None:
    rows = {"md_10x_shorter": chains(30), "floor": chains(20)}
    first = score(Rows(chains(0), chains(10), rows))
    second = score(Rows(chains(0), chains(10), dict(reversed(rows.items()))))
    assert first.to_dict() == second.to_dict()
    assert list(Rows([], [], rows).scored) == ["learned", "floor", "md_10x_shorter"]


def test_a_yardstick_that_is_not_in_the_table_is_named() -> None:
    with pytest.raises(ValueError, match=r"no yardstick 'flor', only floor, md_equal_time"):
        compare(chains(0), chains(10), yardsticks={"flor": chains(20)})
