"""GUIDANCE: how strongly steps follow the current frame, tuned on molecules whose MD is known.

A network that has not learnt all that the current frame says of the next forgets too fast, and so
all slow motions of its roll-outs are too fast; `cgsim.model.score.denoiser.Denoiser` says what
guidance does about it. How much it takes is a property of the network: it is measured on molecules
whose slowest implied timescale is known of MD, long enough to tell it, best such as the network was
not trained with: guidance cannot make up for what it has not learnt of others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cgsim.evaluate import Ensemble
from cgsim.evaluate.kinetics.msm import Clusters, fit_clusters
from cgsim.evaluate.kinetics.tica import fit_tica
from cgsim.evaluate.kinetics.validation import implied_timescales
from cgsim.evaluate.sources import ensembles_of
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.rollout.simulate import simulate

GUIDANCES = (1.0, 1.5, 2.0, 2.5, 3.0)
N_CLUSTERS = 50
LENGTH = 4  # time steps that molecules are rolled out for, together, over those of their MD


@dataclass(frozen=True)
class GuidanceScan:
    """How fast a simulator is at several strengths of guidance.

    Attributes
    ----------
    names
        Of the molecules.
    guidances : [n]
        What was tried.
    ratios : [n, n_molecules]
        Slowest implied timescale over that of MD; NaN where one cannot be told.
    """

    names: tuple[str, ...]
    guidances: np.ndarray
    ratios: np.ndarray

    @property
    def best(self) -> float:
        """The weakest guidance that is as good as any.

        An error is the mean ``|log ratio|`` over the molecules. One within a standard error of the
        difference from the smallest is as good: guidance costs time, and must not be told by noise.
        """
        errors = np.abs(np.log(self.ratios))
        known = errors[:, ~np.isnan(errors).any(axis=0)]
        excess = known - known[np.argmin(known.mean(axis=1))]
        n_known = excess.shape[1]
        tolerance = excess.std(axis=1, ddof=1) / np.sqrt(n_known) if n_known > 1 else 0.0
        as_good = self.guidances[excess.mean(axis=1) <= tolerance]
        return float(as_good[np.argmin(np.abs(np.log(as_good)))])


def tune_guidance(
    simulator: Simulator,
    trajectories: Sequence[MappedTrajectory],
    *,
    lag_time: float,
    guidances: Sequence[float] = GUIDANCES,
    n_replicas: int = 8,
    seed: int = 0,
) -> GuidanceScan:
    """Roll out molecules whose MD is known, and compare the slowest implied timescales.

    Parameters
    ----------
    simulator
        The noise angles of its guidance stay, its strength does not count. Set the one that was
        found by ``simulator.sampler = replace(simulator.sampler, guidance=...)``.
    trajectories
        MD of one or several molecules, best such as the simulator was not trained with; several of
        one name are runs of one molecule.
    lag_time
        ps, of TICA and of the Markov models; a multiple of the time step.
    guidances
        What to try.
    n_replicas
        Roll-outs of each molecule, together `LENGTH` times as many time steps as the longest MD.

    Raises
    ------
    ValueError
        If the simulator knows no guidance; if the lag time is no multiple of the time step or of
        the frame interval of the MD, or no timescale can be told of any molecule.
    """
    n_lag = round(lag_time / simulator.timestep)
    if n_lag < 1 or not np.isclose(n_lag * simulator.timestep, lag_time):
        raise ValueError(
            f"lag_time must be a multiple of the time step, {simulator.timestep:g} ps, got "
            f"{lag_time:g} ps"
        )
    references = ensembles_of(trajectories)
    rulers = [_clusters(own, lag_time) for own in references]
    expected = _slowest(rulers, references, lag_time)
    ratios = []
    for guidance in guidances:
        guided = simulator.sampled_by(replace(simulator.sampler, guidance=guidance))
        learned = _rolled_out(guided, trajectories, references, n_replicas=n_replicas, seed=seed)
        ratios.append(_slowest(rulers, learned, lag_time) / expected)
    if np.isnan(ratios).any(axis=0).all():
        raise ValueError(f"no molecule has a slow motion at a lag time of {lag_time:g} ps")
    names = tuple(own.name for own in references)
    return GuidanceScan(names, np.array(guidances), np.stack(ratios))


def _rolled_out(
    simulator: Simulator,
    trajectories: Sequence[MappedTrajectory],
    references: Sequence[Ensemble],
    *,
    n_replicas: int,
    seed: int,
) -> list[Ensemble]:
    """Roll-outs of every molecule, in the order of the references."""
    longest = max(own.duration for own in references)
    n_steps = round(LENGTH * longest / (n_replicas * simulator.timestep))
    first = {own.name: own for own in reversed(trajectories)}
    starts = [first[own.name] for own in references]
    rolled = simulate(simulator, starts, n_steps, n_replicas=n_replicas, seed=seed)
    found = {own.name: own for own in ensembles_of(rolled.trajectories)}
    return [found[own.name] for own in references]


def _clusters(reference: Ensemble, lag_time: float) -> Clusters:
    tica = fit_tica(reference, lag_time=lag_time)
    return fit_clusters(tica, reference, n_clusters=N_CLUSTERS)


def _slowest(
    rulers: Sequence[Clusters], ensembles: Sequence[Ensemble], lag_time: float
) -> np.ndarray:
    """The slowest implied timescale of every molecule, ps."""
    found = [
        implied_timescales(ruler, own, lag_times=[lag_time], n_timescales=1, n_bootstrap=2)
        for ruler, own in zip(rulers, ensembles, strict=True)
    ]
    return np.array([own.values[0, 0] for own in found])
