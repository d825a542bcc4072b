"""CLOCK: how much time a step of a roll-out is worth, told by molecules whose MD is known.

What the beads do not show is drawn anew in every step of a simulator, where MD remembers it; so its
slow motions are too fast, of all molecules by about one factor. Coarse models are known for that,
and their time is multiplied by what a few molecules tell (Marrink et al., J. Phys. Chem. B 111,
7812 (2007); Fritz et al., Phys. Chem. Chem. Phys. 13, 10412 (2011)). Shapes and their shares stay
as they are; what was right of fast motions becomes too slow.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cgsim.data import MappedTrajectory
from cgsim.ensembles import ensembles_of
from cgsim.evaluate import Ensemble
from cgsim.evaluate.msm import Clusters, fit_clusters
from cgsim.evaluate.msm_validation import implied_timescales
from cgsim.evaluate.tica import fit_tica
from cgsim.rollout import simulate
from cgsim.simulator import Simulator

N_CLUSTERS = 50
LENGTH = 4  # time steps that molecules are rolled out for, together, over those of their MD


@dataclass(frozen=True)
class ClockReading:
    """How fast a simulator is, by several clocks.

    Attributes
    ----------
    names
        Of the molecules.
    clocks : [n]
        Time that a step is worth, in time steps: those of which the lag time is a whole multiple.
    ratios : [n, n_molecules]
        Slowest implied timescale over that of MD by each clock; NaN where one cannot be told.
    """

    names: tuple[str, ...]
    clocks: np.ndarray
    ratios: np.ndarray

    @property
    def best(self) -> float:
        """The clock by which the median ratio is nearest to 1, as a factor."""
        return float(self.clocks[np.argmin(np.abs(np.log(np.nanmedian(self.ratios, axis=1))))])


def read_clock(
    simulator: Simulator,
    trajectories: Sequence[MappedTrajectory],
    *,
    lag_time: float,
    n_replicas: int = 8,
    seed: int = 0,
) -> ClockReading:
    """Roll out molecules whose MD is known, and compare the slowest implied timescales.

    Parameters
    ----------
    simulator
        What its clock says already does not count.
    trajectories
        MD of one or several molecules, by which the simulator may have been trained; several of one
        name are runs of one molecule.
    lag_time
        ps, of TICA and of the Markov models; a multiple of the time step.
    n_replicas
        Roll-outs of each molecule, together `LENGTH` times as many time steps as the longest MD.

    Raises
    ------
    ValueError
        If the lag time is no multiple of the time step or of the frame interval of the MD, or no
        timescale can be told of any molecule.
    """
    plain = with_clock(simulator, 1.0)
    n_lag = round(lag_time / plain.timestep)
    if n_lag < 1 or not np.isclose(n_lag * plain.timestep, lag_time):
        raise ValueError(
            f"lag_time must be a multiple of the time step, {plain.timestep:g} ps, got "
            f"{lag_time:g} ps"
        )
    references = ensembles_of(trajectories)
    rulers = [_clusters(own, lag_time) for own in references]
    expected = _slowest(rulers, references, lag_time)
    learned = _rolled_out(plain, trajectories, references, n_replicas=n_replicas, seed=seed)
    clocks = n_lag / np.arange(n_lag, 0, -1)
    ratios = np.stack(
        [
            _slowest(rulers, [replace(own, frame_interval=t) for own in learned], lag_time)
            / expected
            for t in (plain.timestep * clocks).tolist()
        ]
    )
    if np.isnan(ratios).all(axis=1).any():
        raise ValueError(f"no molecule has a slow motion at a lag time of {lag_time:g} ps")
    return ClockReading(tuple(own.name for own in references), clocks, ratios)


def with_clock(simulator: Simulator, clock: float) -> Simulator:
    """The simulator with another time of a step, in time steps of its training data.

    Raises
    ------
    ValueError
        If it is not positive.
    """
    if not clock > 0:
        raise ValueError(f"clock must be positive, got {clock}")
    other = copy.deepcopy(simulator)
    other.statistics = replace(simulator.statistics, clock=clock)
    return other


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
