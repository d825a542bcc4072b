"""The benchmark of error bars: its processes have the times that it says, and it counts right."""

import math

import numpy as np
import pytest

from benchmarks.coverage import FRAMES, Count, Process, overall, processes
from cgsim.evaluate import Estimate
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.statistics.series import Series

UNKNOWN = Estimate(math.nan, math.nan)


@pytest.mark.parametrize("process", processes(), ids=lambda own: own.name)
def test_the_times_of_a_process_are_those_of_long_runs(process: Process) -> None:
    ensemble = process.ensemble(1500, 2, np.random.default_rng(0))
    squared = [radius_of_gyration(xyz, ensemble.bead_mass) ** 2 for xyz in ensemble.xyz]
    found, (relaxation, integrated) = Series(squared, 1.0), process.times
    assert relaxation == pytest.approx(FRAMES, rel=0.02)
    assert found.relaxation.value == pytest.approx(relaxation, rel=0.15)
    assert found.integrated.value == pytest.approx(integrated, rel=0.2)


@pytest.mark.parametrize("process", processes(), ids=lambda own: own.name)
def test_what_is_scored_is_wider_and_as_fast(process: Process) -> None:
    rng = np.random.default_rng(1)
    one, wide = (process.ensemble(800, 1, rng, energy=energy) for energy in (1.0, 1.3))
    spreads = [
        np.std(np.linalg.norm(own.xyz[0][:, 1] - own.xyz[0][:, 0], axis=1)) for own in (one, wide)
    ]
    assert spreads[1] / spreads[0] == pytest.approx(1.3 if "Orn" in process.name else 1.14, rel=0.1)


def test_values_bounds_and_silence_are_counted_apart() -> None:
    count = Count()
    for estimate in (
        Estimate(1.0, 0.1),  # holds 1.2, its two errors
        Estimate(1.0, 0.09),
        Estimate(math.nan, math.nan, lower_bound=1.0),
        Estimate(math.nan, math.nan, lower_bound=1.3),
        Estimate(math.nan, math.nan, upper_bound=1.3),
        UNKNOWN,
    ):
        count.add(estimate, 1.2)
    assert vars(count) == {"values": 2, "covered": 1, "bounds": 3, "held": 2, "unknown": 1}
    assert count.right == pytest.approx(3 / 5)
    assert math.isnan(Count().right)


def test_the_overall_share_is_of_runs_that_are_long_enough() -> None:
    def case(length: int, covered: int) -> dict:
        count = Count(values=10, covered=covered)
        about = {"process": "p", "length": length, "n_replicas": 4}
        return {**about, "scores": {"rg": count.to_dict()}}

    found = overall([case(5, 9), case(50, 10), case(4, 2)])["rg"]
    assert found["resolvable"] == pytest.approx(19 / 20)
    assert found["short"] == pytest.approx(2 / 10)
