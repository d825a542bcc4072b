"""From molecules to one number: means, medians, correlations, and what their error bars cover."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from cgsim.evaluate import Estimate, MoleculeScore
from cgsim.evaluate.scores.summary import summarise

Columns: TypeAlias = Mapping[str, Sequence[float] | np.ndarray]
TIMES = ("relaxation", "relaxation_reference")


def molecules(columns: Columns, *, error: float = 0.1) -> list[MoleculeScore]:
    """One per value of the columns."""
    n_molecules = len(next(iter(columns.values())))
    return [
        MoleculeScore(
            name=f"m{index}",
            n_beads=2,
            n_frames=10,
            duration=10.0,
            duration_reference=10.0,
            n_effective=5.0,
            n_effective_reference=5.0,
            scores={name: Estimate(float(own[index]), error) for name, own in columns.items()},
        )
        for index in range(n_molecules)
    ]


def summary(columns: Columns, *, n_bootstrap: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    rng = np.random.default_rng(seed)
    return summarise(molecules(columns), n_bootstrap=n_bootstrap, rng=rng)


def test_the_error_of_a_mean_is_the_spread_over_the_root_of_the_number() -> None:
    values = np.random.default_rng(1).normal(5.0, 1.0, size=30)
    for name in ("mae_rg", "js_pair", "collisions_per_million"):
        found = summary({name: values})[name]
        assert found.value == pytest.approx(values.mean())
        assert found.error == pytest.approx(values.std() / math.sqrt(30), rel=0.08)


def test_drifts_up_and_down_do_not_cancel() -> None:
    assert summary({"drift_rg": [0.2, -0.2, 0.5, -0.1]})["drift_rg"].value == pytest.approx(0.25)


def test_the_error_of_a_median_is_that_of_normal_values() -> None:
    """Known for many values: 1.2533 of that of the mean."""
    ratios = np.random.default_rng(2).normal(1.0, 0.1, size=400)
    found = summary({"relaxation_ratio": ratios}, n_bootstrap=500)["median_relaxation_ratio"]
    assert found.error == pytest.approx(1.2533 * 0.1 / math.sqrt(400), rel=0.3)


def test_error_bars_over_molecules_cover_the_truth() -> None:
    """The mean over all molecules there could be is within two error bars in 19 of 20 panels."""
    rng = np.random.default_rng(3)
    covered = []
    for seed in range(200):
        panel = rng.gamma(4.0, 0.5, size=20)  # of mean 2
        found = summary({"mae_rg": panel}, n_bootstrap=100, seed=seed)["mae_rg"]
        covered.append(abs(found.value - 2.0) < 1.96 * found.error)
    assert 0.87 < np.mean(covered) < 0.98


def test_a_ratio_of_times_is_the_median() -> None:
    ratios = [0.9, 1.0, 1.1, 30.0, math.nan]
    found = summary({"relaxation_ratio": ratios, "integrated_ratio": ratios})
    assert found["median_relaxation_ratio"].value == pytest.approx(1.05)
    assert found["median_integrated_ratio"].value == pytest.approx(1.05)
    assert found["n_unresolved"].value == 1.0


@pytest.mark.parametrize(
    ("name", "of", "value"),
    [
        ("median_relaxation_ratio", "relaxation_ratio", 1.3),
        ("mae_rg", "mae_rg", 1.3),
        ("drift_rg", "drift_rg", -1.3),
    ],
)
def test_one_known_molecule_among_others_keeps_its_own_error(
    name: str, of: str, value: float
) -> None:
    """Drawn again and again it would seem exact."""
    found = summary({of: [math.nan, value, math.nan, math.nan]})[name]
    assert found == Estimate(abs(value), 0.1)
    both = summary({of: [math.nan, value, 2 * value, math.nan]})[name]
    assert both.error > 0.1


def test_correlation_of_logs_is_of_logs() -> None:
    times = np.array([1.0, 10.0, 100.0, 1000.0])
    found = summary(dict(zip(TIMES, (times**2, times), strict=True)), n_bootstrap=20)
    assert found["r2_log_relaxation"].value == pytest.approx(1.0)
    assert found["r2_relaxation"].value == pytest.approx(np.corrcoef(times**2, times)[0, 1] ** 2)
    assert found["r2_relaxation"].value < 0.999
    # One slow molecule among many fast ones decides the correlation of the times, not of the logs.
    fast = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 500.0])
    wrong = np.array([3.0, 2.0, 1.0, 1.0, 3.0, 2.0, 400.0])
    found = summary(dict(zip(TIMES, (wrong, fast), strict=True)), n_bootstrap=20)
    expected = np.corrcoef(np.log(wrong), np.log(fast))[0, 1] ** 2
    assert found["r2_log_relaxation"].value == pytest.approx(expected)
    assert found["r2_log_relaxation"].value < found["r2_relaxation"].value - 0.05


def test_the_error_of_a_correlation_is_the_jackknifes() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=60)
    y = x + 0.5 * rng.normal(size=60)
    found = summary({"rg": y, "rg_reference": x}, n_bootstrap=500)["r2_rg"]
    left_out = [np.corrcoef(np.delete(x, k), np.delete(y, k))[0, 1] ** 2 for k in range(60)]
    jackknife = math.sqrt(59 * np.var(left_out))
    assert found.error == pytest.approx(jackknife, rel=0.25)


def test_of_one_molecule_the_error_is_its_own() -> None:
    columns = {"mae_rg": [0.2], "relaxation_ratio": [1.1], "rg": [1.0], "rg_reference": [1.2]}
    found = summarise(molecules(columns, error=0.07), n_bootstrap=10, rng=np.random.default_rng(0))
    assert found["mae_rg"] == Estimate(0.2, 0.07)
    assert found["median_relaxation_ratio"] == Estimate(1.1, 0.07)
    assert math.isnan(found["r2_rg"].error)
    assert found["n_unresolved"].value == 0.0


def test_what_no_molecule_has_is_absent_and_what_some_lack_is_of_the_others() -> None:
    some = [*molecules({"mae_rg": [1.0, 3.0]}), *molecules({"js_rg": [0.5]})]
    found = summarise(some, n_bootstrap=10, rng=np.random.default_rng(0))
    assert set(found) == {"mae_rg", "js_rg"}
    assert found["mae_rg"].value == 2.0
    assert found["js_rg"].value == 0.5


def with_ratios(ratios: Sequence[Estimate]) -> Estimate:
    """The median over molecules of these ratios."""
    some = molecules({"relaxation_ratio": [1.0] * len(ratios)})
    some = [
        replace(own, scores={"relaxation_ratio": ratio})
        for own, ratio in zip(some, ratios, strict=True)
    ]
    found = summarise(some, n_bootstrap=50, rng=np.random.default_rng(0))
    assert found["n_unresolved"].value == sum(math.isnan(ratio.value) for ratio in ratios)
    return found["median_relaxation_ratio"]


def at(*values: float) -> list[Estimate]:
    return [Estimate(value, 0.01) for value in values]


def above(bound: float) -> Estimate:
    return Estimate(math.nan, math.nan, lower_bound=bound)


def below(bound: float) -> Estimate:
    return Estimate(math.nan, math.nan, upper_bound=bound)


def test_a_median_is_within_its_error_wherever_the_bounded_ratios_are() -> None:
    """Three of five are known; the others may be anywhere beyond their bounds."""
    known = at(0.9, 1.0, 1.1)
    for bounded, actual in (
        ([above(0.2), above(0.2)], (0.2, 0.3)),
        ([above(0.2), above(0.2)], (50.0, 60.0)),
        ([below(3.0), above(0.5)], (0.1, 0.6)),
        ([below(3.0), above(0.5)], (2.9, 9.0)),
    ):
        found = with_ratios([*known, *bounded])
        truth = float(np.median([0.9, 1.0, 1.1, *actual]))
        assert found.value == 1.0
        assert not found.is_bound
        assert abs(found.value - truth) <= 2 * found.error


def test_a_median_of_mostly_bounds_is_a_bound() -> None:
    assert with_ratios([*at(1.0), above(3.0), above(4.0)]).lower_bound == 3.0
    assert with_ratios([*at(1.0), below(0.5), below(0.2)]).upper_bound == 0.5
    for found in (with_ratios([*at(1.0), above(3.0), above(4.0)]), with_ratios([above(2.0)])):
        assert math.isnan(found.value)
        assert found.upper_bound is None


def test_bounds_that_decide_nothing_leave_a_range_or_nothing() -> None:
    nothing = with_ratios([*at(1.0), above(0.1), above(0.1), below(9.0), below(9.0)])
    assert 1.0 - 2 * nothing.error <= 0.1
    assert 1.0 + 2 * nothing.error >= 9.0
