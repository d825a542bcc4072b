"""Are the predicted distributions of the next frame right? Ensembles of samples, scored.

The samples may come from anywhere: of a simulator by `cgsim.rollout.next_frame`, of the simplest
propagators by `cgsim.baselines.regression`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.observables.structure import bond_lengths, radius_of_gyration
from cgsim.evaluate.statistics.distributions import histogram
from cgsim.evaluate.statistics.estimate import Estimate

#: Probabilities of the central intervals whose coverage is measured.
LEVELS = (0.5, 0.9, 0.99)


def pit_values(samples: np.ndarray, observed: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Probability integral transform: where the observation falls among the samples.

    ``(r + V (1 + n_ties)) / (n_samples + 1)`` with r samples below the observation, n_ties equal to
    it and V uniform: exactly uniform if observation and samples come from one distribution,
    whatever that is and however few the samples (Czado, Gneiting and Held, 2009).

    Parameters
    ----------
    samples
        [n_samples, ...], scalar quantities.
    observed
        [...].
    seed
        Of V.

    Returns
    -------
    np.ndarray
        [...], between 0 and 1.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    _check(samples, observed)
    below = (samples < observed).sum(axis=0)
    ties = (samples == observed).sum(axis=0)
    drawn = np.random.default_rng(seed).random(observed.shape)
    return (below + drawn * (1 + ties)) / (len(samples) + 1)


@dataclass(frozen=True)
class PitHistogram:
    """Histogram of PIT values: flat if calibrated, U-shaped if too narrow, humped if too wide.

    Parameters
    ----------
    counts
        [n_bins].
    """

    counts: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """Frequencies relative to the flat ones, [n_bins]: 1 everywhere if calibrated."""
        return self.counts * (len(self.counts) / self.counts.sum())

    @property
    def deviation(self) -> float:
        """Root-mean-square difference of the density from 1."""
        return float(np.sqrt(np.mean((self.density - 1) ** 2)))

    @property
    def floor(self) -> float:
        """Deviation that chance alone gives to that many independent values."""
        return float(np.sqrt((len(self.counts) - 1) / self.counts.sum()))

    @property
    def reduced_chi_square(self) -> float:
        """Pearson's χ² per degree of freedom: 1 for calibrated, independent values."""
        return (self.deviation / self.floor) ** 2


def pit_histogram(values: np.ndarray, *, n_bins: int = 20) -> PitHistogram:
    """Histogram of PIT values of any shape in equal bins.

    Raises
    ------
    ValueError
        If there are fewer than two bins, no values, or values outside 0 to 1.
    """
    _check_pit(values)
    if n_bins < 2:
        raise ValueError(f"n_bins must be at least 2, got {n_bins}")
    return PitHistogram(histogram(values, np.linspace(0.0, 1.0, n_bins + 1)))


def coverage(values: np.ndarray, *, levels: Sequence[float] = LEVELS) -> dict[float, Estimate]:
    """Fraction of observations inside the central intervals of the predicted distributions.

    Parameters
    ----------
    values
        PIT values [n_windows, ...]: the interval of probability p holds those within p / 2 of 1/2.
    levels
        Probabilities p, to which the fractions should be equal.

    Returns
    -------
    dict
        For every level the fraction and its standard error over windows, which need not assume
        that the values of one window are independent; binomial with one value per window.

    Raises
    ------
    ValueError
        If a level or a value is outside 0 to 1.
    """
    _check_pit(values)
    if not all(0 < level < 1 for level in levels):
        raise ValueError(f"levels must lie between 0 and 1, got {tuple(levels)}")
    distance = np.abs(values.reshape(len(values), -1) - 0.5)
    return {level: mean_estimate((distance <= level / 2).mean(axis=1)) for level in levels}


def mean_estimate(values: np.ndarray) -> Estimate:
    """Mean and standard error of one value per window, [n_windows]."""
    return Estimate(float(values.mean()), float(values.std() / np.sqrt(len(values))))


def energy_score(samples: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Energy score ``E|X − y| − ½ E|X − X′|``: smaller is better, and the truth is best of all.

    Estimated without bias from independent samples (Gneiting and Raftery, J. Am. Stat. Assoc. 102,
    359, 2007, eq. 22); it may thus be negative.

    Parameters
    ----------
    samples
        [n_samples, ..., d], at least two samples of d numbers.
    observed
        [..., d].

    Returns
    -------
    np.ndarray
        [...], in the unit of the samples.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, or there are fewer than two samples.
    """
    _check(samples, observed)
    n_samples = len(samples)
    if n_samples < 2:
        raise ValueError(f"the energy score needs at least two samples, got {n_samples}")
    error = np.linalg.norm(samples - observed, axis=-1).mean(axis=0)
    spread = np.zeros(observed.shape[:-1])
    for index in range(1, n_samples):
        spread += np.linalg.norm(samples[:index] - samples[index], axis=-1).sum(axis=0)
    return error - spread / (n_samples * (n_samples - 1))


def bead_energy_score(samples: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Energy score of every bead, [n_windows, n_beads] nm.

    Parameters and errors are those of `configuration_energy_score`.
    """
    _check_configurations(samples, observed)
    return energy_score(samples, observed)


def configuration_energy_score(samples: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Energy score of whole configurations, [n_windows] nm: it knows how beads move together.

    Parameters
    ----------
    samples
        [n_samples, n_windows, n_beads, 3], nm.
    observed
        [n_windows, n_beads, 3], nm.

    Raises
    ------
    ValueError
        As for `energy_score`.
    """
    _check_configurations(samples, observed)
    n_numbers = observed.shape[1] * 3
    return energy_score(
        samples.reshape(*samples.shape[:2], n_numbers), observed.reshape(-1, n_numbers)
    )


def skill(score: np.ndarray, reference: np.ndarray) -> Estimate:
    """Skill ``1 − mean(score) / mean(reference)``: 1 is perfect, 0 no better than the reference.

    Parameters
    ----------
    score, reference
        [n_windows], negatively oriented scores of the same windows.

    Returns
    -------
    Estimate
        With the standard error of a ratio of paired means.

    Raises
    ------
    ValueError
        If the windows differ in number or the mean score of the reference is not positive.
    """
    if score.shape != reference.shape or score.ndim != 1:
        raise ValueError(
            f"scores must be [n_windows], one per window, got {score.shape} and {reference.shape}"
        )
    mean = float(reference.mean())
    if not mean > 0:
        raise ValueError(f"the mean score of the reference must be positive, got {mean:g}")
    ratio = float(score.mean()) / mean
    return Estimate(1 - ratio, mean_estimate(score - ratio * reference).error / mean)


@dataclass(frozen=True)
class StepQuantities:
    """Scalar quantities of one step, for PIT values and coverage.

    All but the components are the same in every frame of reference.

    Parameters
    ----------
    bond_length
        [..., n_bonds], nm, after the step.
    along_bond
        [..., n_bonds], nm: mean displacement of the two beads of a bond, along the bond as it was
        before the step.
    rg
        [..., 1], nm, after the step.
    component
        [..., 3 n_beads], nm: x, y and z of the displacements.
    """

    bond_length: np.ndarray
    along_bond: np.ndarray
    rg: np.ndarray
    component: np.ndarray


def step_quantities(
    current: np.ndarray, next_pos: np.ndarray, *, edge_index: np.ndarray, bead_mass: np.ndarray
) -> StepQuantities:
    """Scalar quantities of steps, observed or sampled.

    Parameters
    ----------
    current
        [n_windows, n_beads, 3], nm.
    next_pos
        [..., n_windows, n_beads, 3], nm.
    edge_index
        [2, n_bonds].
    bead_mass
        [n_beads], Da.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if current.ndim != 3 or next_pos.shape[-3:] != current.shape:
        raise ValueError(
            "current must be [n_windows, n_beads, 3] and next_pos [..., n_windows, n_beads, 3], "
            f"got {current.shape} and {next_pos.shape}"
        )
    lead = next_pos.shape[:-2]
    flat = next_pos.reshape(-1, *current.shape[1:])
    step = next_pos - current
    first, second = edge_index
    bond = current[:, second] - current[:, first]
    direction = bond / np.linalg.norm(bond, axis=-1, keepdims=True)
    middle = (step[..., first, :] + step[..., second, :]) / 2
    return StepQuantities(
        bond_length=bond_lengths(flat, edge_index).reshape(*lead, -1),
        along_bond=(middle * direction).sum(axis=-1),
        rg=radius_of_gyration(flat, bead_mass).reshape(*lead, 1),
        component=step.reshape(*lead, -1),
    )


def _check(samples: np.ndarray, observed: np.ndarray) -> None:
    if samples.ndim < 1 or not len(samples) or samples.shape[1:] != observed.shape:
        raise ValueError(
            f"samples must be [n_samples, *observed.shape], got {samples.shape} for observations "
            f"{observed.shape}"
        )
    if not (np.isfinite(samples).all() and np.isfinite(observed).all()):
        raise ValueError("samples and observations must be finite")


def _check_configurations(samples: np.ndarray, observed: np.ndarray) -> None:
    if observed.ndim != 3 or observed.shape[-1] != 3:
        raise ValueError(f"observed must be [n_windows, n_beads, 3], got {observed.shape}")
    _check(samples, observed)


def _check_pit(values: np.ndarray) -> None:
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("PIT values must lie between 0 and 1, and there must be at least one")
