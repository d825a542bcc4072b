"""Memory in trajectories: autocorrelation of velocities and positions, kurtosis of displacements.

A particle without memory (Brownian motion) has velocities that are uncorrelated from frame to
frame and Gaussian displacements; what is left over time, the "long-time tail", is memory. Positions
are read block by block, bead by bead of each block.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.ensemble import Ensemble
from cgsim.evaluate.statistics.autocorrelation import (
    integrated_time,
    lagged_products,
    max_lags,
    normalise,
)
from cgsim.evaluate.statistics.blocking import cut_series
from cgsim.evaluate.statistics.distributions import bootstrap_weights, standard_error

N_BOOTSTRAP = 200
MAX_LAGS = 1000
N_POWERS = 4

Block = tuple[int, int, int]


@dataclass(frozen=True)
class Memory:
    """What `measure_memory` finds, with standard errors from a bootstrap over blocks.

    Parameters
    ----------
    name
        Of the molecule.
    times
        [n_lags], ps.
    velocity, velocity_errors
        [n_lags], ``<v(t) v(0)> / <v^2>`` of the velocities from frame to frame, all beads.
    position, position_errors
        [n_lags], ``<x(t) x(0)> / <x^2>`` of the deviations of every bead from its mean.
    kurtosis, kurtosis_errors
        [n_beads], ``<d^4> / <d^2>^2`` of the displacements in one frame, averaged over x, y and z:
        3 if they are Gaussian.
    """

    name: str
    times: np.ndarray
    velocity: np.ndarray
    velocity_errors: np.ndarray
    position: np.ndarray
    position_errors: np.ndarray
    kurtosis: np.ndarray
    kurtosis_errors: np.ndarray

    @property
    def excess_kurtosis(self) -> np.ndarray:
        """[n_beads], 0 if the displacements are Gaussian."""
        return self.kurtosis - 3


def measure_memory(ensemble: Ensemble, *, n_lags: int | None = None, seed: int = 0) -> Memory:
    """Autocorrelations and kurtosis of a molecule, in the frame of its centre of mass.

    Velocities and displacements are those over one frame: compare ensembles of the same interval.

    Parameters
    ----------
    n_lags
        By default half of the longest replica, at most 1000.
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If a replica has fewer than three frames.
    """
    weight = ensemble.bead_mass / ensemble.bead_mass.sum()
    replicas = [xyz - np.einsum("i,fic->fc", weight, xyz)[:, None] for xyz in ensemble.xyz]
    interval = ensemble.frame_interval
    velocity, velocity_errors = velocity_autocorrelation(replicas, n_lags=n_lags, seed=seed)
    position, position_errors = position_autocorrelation(replicas, n_lags=n_lags, seed=seed)
    kurtosis, kurtosis_errors = displacement_kurtosis(replicas, seed=seed)
    n_common = min(len(velocity), len(position))
    return Memory(
        name=ensemble.name,
        times=interval * np.arange(n_common),
        velocity=velocity[:n_common],
        velocity_errors=velocity_errors[:n_common],
        position=position[:n_common],
        position_errors=position_errors[:n_common],
        kurtosis=kurtosis,
        kurtosis_errors=kurtosis_errors,
    )


def velocity_autocorrelation(
    replicas: Sequence[np.ndarray], *, n_lags: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised autocorrelation of the velocities from frame to frame; no mean is removed.

    Parameters
    ----------
    replicas
        Positions [n_frames, n_particles, d] of any dimension, unwrapped.
    n_lags
        By default half of the longest replica, at most 1000.
    seed
        Of the bootstrap.

    Returns
    -------
    tuple of np.ndarray
        Autocorrelation and standard errors, [n_lags] each.

    Raises
    ------
    ValueError
        If a replica has fewer than three frames, or the shapes do not fit.
    """
    _check(replicas)
    steps = [np.diff(xyz, axis=0) for xyz in replicas]
    return _autocorrelation(steps, np.zeros(steps[0].shape[1:]), n_lags=n_lags, seed=seed)


def position_autocorrelation(
    replicas: Sequence[np.ndarray], *, n_lags: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised autocorrelation of positions about the mean of each particle over all replicas.

    Parameters, returns and errors as of `velocity_autocorrelation`.
    """
    _check(replicas)
    n_frames = sum(len(xyz) for xyz in replicas)
    mean = sum(xyz.sum(axis=0, dtype=np.float64) for xyz in replicas) / n_frames
    return _autocorrelation(replicas, np.asarray(mean), n_lags=n_lags, seed=seed)


def displacement_kurtosis(
    replicas: Sequence[np.ndarray], *, lag: int = 1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Kurtosis of the displacements of each particle, ``<(d - <d>)^4> / <(d - <d>)^2>^2``.

    Each component by itself, then their mean: 3 for Gaussian displacements, isotropic or not.

    Parameters
    ----------
    replicas
        Positions [n_frames, n_particles, d], unwrapped.
    lag
        Frames from start to end of a displacement.
    seed
        Of the bootstrap.

    Returns
    -------
    tuple of np.ndarray
        Kurtosis and standard errors, [n_particles] each; NaN for particles that do not move.

    Raises
    ------
    ValueError
        If a replica has no more than ``lag`` frames, or the shapes do not fit.
    """
    _check(replicas)
    shortest = min(map(len, replicas))
    if not 1 <= lag < shortest:
        raise ValueError(f"lag must be 1 to {shortest - 1} frames, got {lag}")
    moved = [xyz[lag:] - xyz[:-lag] for xyz in replicas]
    pivot = np.mean([part.mean(axis=0, dtype=np.float64) for part in moved], axis=0)
    sums = []
    for replica, start, stop in cut_series(moved, float(lag)):
        apart = moved[replica][start:stop] - pivot
        sums.append([(apart**power).sum(axis=0) for power in range(N_POWERS + 1)])
    weights = bootstrap_weights(len(sums), N_BOOTSTRAP, np.random.default_rng(seed))
    drawn = np.einsum("wb,bpic->wpic", weights, np.array(sums))
    first, second, third, fourth = np.moveaxis(drawn[:, 1:] / drawn[:, :1], 1, 0)
    variance = second - first**2
    central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = (central / variance**2).mean(axis=-1)
    return kurtosis[0], kurtosis[1:].std(axis=0)


def _autocorrelation(
    series: Sequence[np.ndarray], mean: np.ndarray, *, n_lags: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of vectors [n_frames, n_particles, d] about `mean`, with the sum over all components.

    Blocks are three integrated times long where the trajectory allows it.
    """
    n_lags = n_lags or min(max_lags(series), MAX_LAGS)
    whole = [(replica, 0, len(values)) for replica, values in enumerate(series)]
    pooled = normalise(*(part.sum(axis=0) for part in _products(series, mean, n_lags, whole)))
    blocks = cut_series(series, integrated_time(pooled, 1.0))
    sums, counts = _products(series, mean, n_lags, blocks)
    weights = bootstrap_weights(len(blocks), N_BOOTSTRAP, np.random.default_rng(seed))
    drawn = normalise(weights @ sums, weights @ counts)
    return drawn[0], np.array([standard_error(resampled) for resampled in drawn[1:].T])


def _products(
    series: Sequence[np.ndarray], mean: np.ndarray, n_lags: int, blocks: Sequence[Block]
) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts [n_blocks, n_lags] of lagged products over all particles and components."""
    sums, counts = np.zeros((len(blocks), n_lags)), np.zeros((len(blocks), n_lags))
    for row, (replica, start, stop) in enumerate(blocks):
        values = series[replica][start : stop + n_lags]
        for column in _columns(values, mean):
            product, count = lagged_products(column, n_lags, stop=stop - start)
            sums[row] += product
            counts[row] += count
    return sums, counts


def _columns(values: np.ndarray, mean: np.ndarray) -> Iterator[np.ndarray]:
    """Each component of each particle about its mean, float64."""
    flat = values.reshape(len(values), -1)
    for column, centre in zip(flat.T, mean.ravel(), strict=True):
        yield column.astype(np.float64) - centre


def _check(replicas: Sequence[np.ndarray]) -> None:
    if not replicas or any(xyz.ndim != 3 or len(xyz) < 3 for xyz in replicas):
        raise ValueError(
            "replicas must be [n_frames, n_particles, d] with three frames or more, got "
            f"{[xyz.shape for xyz in replicas]}"
        )
    if len({xyz.shape[1:] for xyz in replicas}) > 1:
        raise ValueError(f"replicas differ in their particles: {[x.shape for x in replicas]}")
