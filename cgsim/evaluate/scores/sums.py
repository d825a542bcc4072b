"""Sums over blocks of an ensemble, from which every score and its error bar follow.

An ensemble is cut into blocks: replicas, or pieces of replicas that are long against the
relaxation time. Every observable is kept as one sum per block, so that a bootstrap replicate is a
weighted sum of blocks and the trajectory is read only once.
"""

from dataclasses import dataclass

import numpy as np

from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.observables.structure import chunks_of, pair_distances
from cgsim.evaluate.statistics.autocorrelation import fluctuations, lagged_products
from cgsim.evaluate.statistics.blocking import cut_series, lags_that_resolve
from cgsim.evaluate.statistics.distributions import histogram, union_edges

_N_FINE = 20


@dataclass(frozen=True)
class Bins:
    """What two ensembles must agree on to be compared: bin edges and cutoffs, nm."""

    rg: np.ndarray
    bond: np.ndarray
    pair: np.ndarray
    contact_cutoff: float
    collision_cutoff: float


@dataclass(frozen=True)
class BlockSums:
    """Sums over the frames of each block; the first axis of every array is the block."""

    n_frames: np.ndarray
    rg: np.ndarray
    rg_counts: np.ndarray
    bond_counts: np.ndarray
    pair_counts: np.ndarray
    contacts: np.ndarray
    collisions: np.ndarray
    products: np.ndarray
    product_counts: np.ndarray


def common_bins(
    reference: Profile,
    other: Profile,
    *,
    n_bins: int,
    contact_cutoff: float,
    collision_cutoff: float,
) -> Bins:
    """Equal bins over the union ranges; 20 times finer for Rg, for the earth mover's distance."""
    return Bins(
        rg=union_edges(
            np.concatenate(reference.rg), np.concatenate(other.rg), n_bins=n_bins * _N_FINE
        ),
        bond=_distance_edges(reference.bond_range, other.bond_range, n_bins),
        pair=_distance_edges(reference.pair_range, other.pair_range, n_bins),
        contact_cutoff=contact_cutoff,
        collision_cutoff=collision_cutoff,
    )


def _distance_edges(reference: np.ndarray, other: np.ndarray, n_bins: int) -> np.ndarray:
    """Edges for distances; any will do if there are no such pairs of beads."""
    if not reference.size:
        return np.linspace(0.0, 1.0, n_bins + 1)
    return union_edges(reference, other, n_bins=n_bins)


def coarse_counts(fine: np.ndarray) -> np.ndarray:
    """Histograms [..., n_bins] from the 20 times finer ones of Rg."""
    return fine.reshape(*fine.shape[:-1], -1, _N_FINE).sum(axis=-1)


def block_sums(profile: Profile, bins: Bins) -> BlockSums:
    """Sums over the blocks of an ensemble for the given bins and cutoffs."""
    blocks = cut_blocks(profile)
    squares = fluctuations(profile.rg_squared)
    n_lags = _n_lags(profile)
    products = [lagged_products(squares[r], n_lags, start=a, stop=b) for r, a, b in blocks]
    rg = [profile.rg[r][a:b] for r, a, b in blocks]
    pieces = [profile.ensemble.xyz[r][a:b] for r, a, b in blocks]
    bonded = [_pair_sums(x, profile.ensemble.edge_index, bins.bond, bins=bins) for x in pieces]
    others = [_pair_sums(x, profile.pairs, bins.pair, bins=bins) for x in pieces]
    return BlockSums(
        n_frames=np.array([len(piece) for piece in pieces], dtype=np.float64),
        rg=np.array([values.sum() for values in rg]),
        rg_counts=np.stack([histogram(values, bins.rg) for values in rg]),
        bond_counts=np.stack([sums.counts for sums in bonded]),
        pair_counts=np.stack([sums.counts for sums in others]),
        contacts=np.stack([sums.contacts for sums in others]),
        collisions=np.array(
            [a.n_collisions + b.n_collisions for a, b in zip(bonded, others, strict=True)]
        ),
        products=np.stack([sums for sums, _ in products]),
        product_counts=np.stack([counts for _, counts in products]),
    )


def cut_blocks(profile: Profile) -> list[tuple[int, int, int]]:
    """Blocks of an ensemble as (replica, start, stop) in frames, by the integrated time of Rg²."""
    time = profile.integrated_time / profile.ensemble.frame_interval
    return cut_series(profile.rg, time)


def _n_lags(profile: Profile) -> int:
    """Lags needed to find the times of Rg² again in a bootstrap replicate."""
    times = np.array([profile.relaxation_time, profile.integrated_time])
    return lags_that_resolve(profile.rg, times / profile.ensemble.frame_interval)


@dataclass(frozen=True)
class _PairSums:
    counts: np.ndarray
    contacts: np.ndarray
    n_collisions: float


def _pair_sums(xyz: np.ndarray, pairs: np.ndarray, edges: np.ndarray, *, bins: Bins) -> _PairSums:
    counts, contacts = np.zeros(len(edges) - 1), np.zeros(pairs.shape[1])
    n_collisions = 0.0
    for chunk in chunks_of(xyz):
        distances = pair_distances(chunk, pairs)
        counts += histogram(distances, edges)
        contacts += (distances <= bins.contact_cutoff).sum(axis=0)
        n_collisions += float((distances < bins.collision_cutoff).sum())
    return _PairSums(counts, contacts, n_collisions)
