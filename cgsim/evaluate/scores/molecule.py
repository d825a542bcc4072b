"""Score one molecule: every observable of two ensembles, with bootstrap errors over blocks."""

import numpy as np

from cgsim.evaluate.observables.profile import Profile
from cgsim.evaluate.scores.comparison import MoleculeScore, Scoring
from cgsim.evaluate.scores.sums import Bins, BlockSums, block_sums, coarse_counts, common_bins
from cgsim.evaluate.statistics.autocorrelation import normalise, relaxation_and_integrated_times
from cgsim.evaluate.statistics.distributions import (
    block_weights,
    earth_movers_distance,
    histogram_movers_distance,
    js_distance,
    standard_error,
)
from cgsim.evaluate.statistics.estimate import Estimate

#: Default contact cutoff, in mean bond lengths of the reference.
CONTACT_BOND_LENGTHS = 1.5


def contact_cutoff(reference: Profile, scoring: Scoring) -> float:
    """Contact cutoff, nm: the one of `scoring`, else 1.5 mean bond lengths of the reference."""
    if scoring.contact_cutoff is not None:
        return scoring.contact_cutoff
    return CONTACT_BOND_LENGTHS * reference.mean_bond_length


def score_molecule(
    reference: Profile, other: Profile, *, scoring: Scoring, rng: np.random.Generator
) -> MoleculeScore:
    """Score an ensemble against the reference ensemble of the same molecule."""
    bins = common_bins(
        reference,
        other,
        n_bins=scoring.n_bins,
        contact_cutoff=contact_cutoff(reference, scoring),
        collision_cutoff=scoring.collision_cutoff,
    )
    return MoleculeScore(
        name=reference.ensemble.name,
        n_beads=reference.ensemble.n_beads,
        n_frames=other.ensemble.n_frames,
        duration=other.ensemble.duration,
        duration_reference=reference.ensemble.duration,
        n_effective=other.n_effective,
        n_effective_reference=reference.n_effective,
        drift_rg=Estimate(*other.drift_rg()),
        **_estimates(reference, other, bins=bins, n_bootstrap=scoring.n_bootstrap, rng=rng),
    )


def _estimates(
    reference: Profile, other: Profile, *, bins: Bins, n_bootstrap: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    both = block_sums(reference, bins), block_sums(other, bins)
    every = [np.ones((1, len(sums.n_frames))) for sums in both]
    drawn = [block_weights(len(sums.n_frames), n_bootstrap, rng) for sums in both]

    values = _structure(*both, *every, bins=bins)
    values["emd_rg"][:] = earth_movers_distance(
        np.concatenate(reference.rg), np.concatenate(other.rg)
    )
    replicates = _structure(*both, *drawn, bins=bins)
    times = [
        np.array([[side.relaxation_time, side.integrated_time]]) for side in (reference, other)
    ]
    intervals = [side.ensemble.frame_interval for side in (reference, other)]
    values |= _kinetics(*times)
    replicates |= _kinetics(
        *(
            _resampled_times(sums, weights, interval)
            for sums, weights, interval in zip(both, drawn, intervals, strict=True)
        )
    )
    signed = {
        name: Estimate(float(values[name][0]), standard_error(replicates[name])) for name in values
    }
    return signed | {
        name: Estimate(abs(signed[name].value), signed[name].error)
        for name in ("mae_rg", "mape_rg")
    }


def _structure(
    reference: BlockSums,
    other: BlockSums,
    reference_weights: np.ndarray,
    weights: np.ndarray,
    *,
    bins: Bins,
) -> dict[str, np.ndarray]:
    """Structural scores [n] for n weightings [n, n_blocks] of the blocks."""
    n_reference = reference_weights @ reference.n_frames
    n_frames = weights @ other.n_frames
    rg_reference = reference_weights @ reference.rg / n_reference
    rg = weights @ other.rg / n_frames
    rg_counts = reference_weights @ reference.rg_counts, weights @ other.rg_counts
    contact_error = (
        weights @ other.contacts / n_frames[:, None]
        - reference_weights @ reference.contacts / n_reference[:, None]
    )
    return {
        "rg_reference": rg_reference,
        "rg": rg,
        "mae_rg": rg - rg_reference,
        "mape_rg": 100 * (rg - rg_reference) / rg_reference,
        "emd_rg": histogram_movers_distance(*rg_counts, bin_width=bins.rg[1] - bins.rg[0]),
        "js_rg": js_distance(*(coarse_counts(counts) for counts in rg_counts)),
        "js_bond": js_distance(
            reference_weights @ reference.bond_counts, weights @ other.bond_counts
        ),
        "js_pair": js_distance(
            reference_weights @ reference.pair_counts, weights @ other.pair_counts
        ),
        "rmse_contact": _root_mean_square(contact_error, bins.contact_cutoff),
        "collisions_per_million": 1e6 * (weights @ other.collisions) / n_frames,
    }


def _root_mean_square(errors: np.ndarray, cutoff: float) -> np.ndarray:
    """Over the pairs, the last axis; NaN without pairs or cutoff."""
    if errors.shape[-1] == 0 or not np.isfinite(cutoff):
        return np.full(len(errors), np.nan)
    return np.sqrt((errors**2).mean(axis=-1))


def _kinetics(reference: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    """Relaxation and integrated times, [n, 2] each, and their ratios."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = other / reference
    return {
        "relaxation_reference": reference[:, 0],
        "relaxation": other[:, 0],
        "relaxation_ratio": ratio[:, 0],
        "integrated_reference": reference[:, 1],
        "integrated": other[:, 1],
        "integrated_ratio": ratio[:, 1],
    }


def _resampled_times(sums: BlockSums, weights: np.ndarray, frame_interval: float) -> np.ndarray:
    """Relaxation and integrated time of each bootstrap replicate, [n, 2]."""
    acfs = normalise(weights @ sums.products, weights @ sums.product_counts)
    return relaxation_and_integrated_times(acfs, frame_interval)
