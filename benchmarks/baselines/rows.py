"""Ways to go on with a trajectory: cgsim and what one would otherwise try, a function for each."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.polymers.runs import Data, best_device, train, training_seconds
from cgsim.baselines import PlainDynamics
from cgsim.baselines.discretise import Bins
from cgsim.baselines.language_model import LanguageModelConfig, fit_language_model
from cgsim.baselines.linear import LinearPropagator
from cgsim.baselines.propagators import fit_linear
from cgsim.baselines.recurrent import RecurrentConfig, RecurrentPropagator, fit_recurrent
from cgsim.baselines.regression import vector_autoregression
from cgsim.config import DynamicsConfig, ModelConfig, TrainingConfig
from cgsim.evaluate import Ensemble
from cgsim.evaluate.ensemble import first_part
from cgsim.evaluate.observables.structure import bond_lengths, radius_of_gyration
from cgsim.evaluate.sources import ensembles_of, read_ensembles
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator
from cgsim.model.networks import Network
from cgsim.model.simulator import Simulator
from cgsim.rollout.guard import LONGEST_BOND
from cgsim.rollout.simulate import roll_out_beside, simulate

VAR_HISTORY = 5  # frames that the vector autoregression sees
N_STATES = 20  # bins of Rg that the language model sees
N_PROMPT = 50  # frames that its sequences begin with

#: The network of Fu et al. (arXiv 2204.10348): 30 frames, no equivariance, 1.57 million parameters.
PUBLISHED = ModelConfig(
    history=30,
    dynamics=DynamicsConfig(n_channels=128, n_layers=10, noise="independent"),
    score=None,
)
LEARNING_RATE = 1e-3  # of that network


@dataclass(frozen=True)
class Budget:
    """How much is spent on every row.

    Parameters
    ----------
    n_steps
        Of the roll-out of every molecule.
    n_network, n_recurrent, n_language
        Training steps of simulators, of the recurrent network and of the language model.
    """

    n_steps: int
    n_network: int
    n_recurrent: int
    n_language: int


@dataclass(frozen=True)
class System:
    """Molecules with their MD, and one step of time for all rows.

    Parameters
    ----------
    data
        To learn from, and two runs of the molecules that are rolled out: one to compare with, one
        that rows of "own MD" learn from.
    stride
        Frames per step.
    simulator
        A trained simulator; None: train one.
    """

    name: str
    data: Data
    stride: int
    simulator: Path | None = None

    @property
    def timestep(self) -> float:
        """Ps."""
        return self.stride * self.data.reference[0].frame_interval


@dataclass(frozen=True)
class Task:
    """What a row is to do, and where.

    Parameters
    ----------
    folder
        Of this row, for what takes long.
    """

    system: System
    budget: Budget
    folder: Path
    seed: int

    @property
    def duration(self) -> float:
        """Of the roll-out, ps."""
        return self.budget.n_steps * self.system.timestep


@dataclass(frozen=True)
class Made:
    """What a row makes.

    Parameters
    ----------
    learned
        One ensemble per molecule.
    n_failures
        Roll-outs that exploded; None if they cannot.
    rollout_seconds, training_seconds
        Wall-clock.
    only_rg
        There are no structures, only their Rg: see `rg_ensemble`.
    """

    learned: list[Ensemble]
    n_failures: int | None
    rollout_seconds: float = float("nan")
    training_seconds: float = float("nan")
    only_rg: bool = False


def cgsim(task: Task) -> Made:
    """The simulator of this package: the one of the system, or one trained here."""
    system = task.system
    if system.simulator is not None:
        simulator = load_simulator(system.simulator).to(best_device())
        return rolled_out(simulator, task, training_seconds(system.simulator.parent))
    return trained(task, ModelConfig(), TrainingConfig(), network=None)


def not_equivariant(task: Task) -> Made:
    """A graph network on plain coordinates with a long history, as published."""
    training = replace(TrainingConfig(), learning_rate=LEARNING_RATE)
    return trained(task, PUBLISHED, training, network=PlainDynamics)


def trained(
    task: Task, model: ModelConfig, training: TrainingConfig, *, network: Network | None
) -> Made:
    """Train with the budget of the task, then roll out."""
    own = replace(
        training, stride=task.system.stride, n_steps=task.budget.n_network, seed=task.seed
    )
    folder = task.folder / "model"
    simulator = train(task.system.data, folder, model=model, training=own, network=network)
    return rolled_out(simulator, task, training_seconds(folder))


def rolled_out(simulator: Simulator, task: Task, seconds: float) -> Made:
    """Roll out a simulator beside the reference."""
    output = task.folder / "rollout"
    rollout = roll_out_beside(
        simulator, task.system.data.reference, task.duration, seed=task.seed, output=output
    )
    return Made(read_ensembles([output]), len(rollout.failures), rollout.seconds, seconds)


def autoregression(task: Task) -> Made:
    """A linear map of the last frames and Gaussian noise, fitted on the training molecules."""
    start = perf_counter()
    propagator = fit_autoregression(task.system.data.train, task.system.stride)
    seconds = perf_counter() - start
    made = propagated(task, [(task.system.data.reference, propagator)])
    return replace(made, training_seconds=seconds)


def autoregression_own_md(task: Task) -> Made:
    """The same, fitted to each molecule on the second MD run of that very molecule."""
    data, stride = task.system.data, task.system.stride
    start = perf_counter()
    groups = [
        ([reference], fit_autoregression([own], stride))
        for reference, own in zip(data.reference, data.floor, strict=True)
    ]
    seconds = perf_counter() - start
    return replace(propagated(task, groups), training_seconds=seconds)


def fit_autoregression(trajectories: Sequence[MappedTrajectory], stride: int) -> LinearPropagator:
    """On windows that start a step apart; bead i of one molecule is bead i of all.

    Raises
    ------
    ValueError
        If the molecules differ in their numbers of beads.
    """
    return fit_linear(
        vector_autoregression,
        [as_they_lie(own) for own in trajectories],
        stride=stride,
        history=VAR_HISTORY,
    )


def as_they_lie(trajectory: MappedTrajectory) -> MappedTrajectory:
    """The same frames, in windows that are not superposed even where rigid motion was taken out.

    That is how the figures of the propagators were made.
    """
    return replace(trajectory, recipe=trajectory.recipe | {"rigid_motion": True})


def recurrent(task: Task) -> Made:
    """An LSTM on every bead by itself with Gaussian noise, fitted on the training molecules."""
    config = RecurrentConfig(n_steps=task.budget.n_recurrent)
    start = perf_counter()
    train = [as_they_lie(own) for own in task.system.data.train]
    propagator = fit_recurrent(train, config, stride=task.system.stride, seed=task.seed)
    seconds = perf_counter() - start
    made = propagated(task, [(task.system.data.reference, propagator)])
    return replace(made, training_seconds=seconds)


def propagated(
    task: Task,
    groups: Iterable[tuple[Sequence[MappedTrajectory], LinearPropagator | RecurrentPropagator]],
) -> Made:
    """Roll out molecules group by group from their first frames.

    Each is stopped by the length of its own bonds in MD, not by that of the training molecules.
    """
    stride, learned, n_failures = task.system.stride, [], 0
    begin = perf_counter()
    for molecules, fitted in groups:
        propagator = replace(fitted, length_scale=math.inf)
        n_first = (propagator.history - 1) * stride + 1
        starts = [as_they_lie(own).frames(0, n_first) for own in molecules]
        rollout = simulate(propagator, starts, task.budget.n_steps, seed=task.seed)
        for own, made in zip(molecules, rollout.trajectories, strict=True):
            longest = LONGEST_BOND * float(bond_lengths(own.pos, own.edge_index).mean())
            n_sound = n_sound_frames(made.pos, own.edge_index, longest_bond=longest)
            n_failures += n_sound < task.budget.n_steps
            kept = made.frames(0, n_sound) if n_sound else replace(made, pos=own.pos[:1])
            learned += ensembles_of([kept])
    return Made(learned, n_failures, perf_counter() - begin)


def n_sound_frames(frames: np.ndarray, edge_index: np.ndarray, *, longest_bond: float) -> int:
    """Frames [n_frames, n_beads, 3] before one in which a bond is too long; nm."""
    sound = (bond_lengths(frames, edge_index) < longest_bond).all(axis=1)
    return len(frames) if sound.all() else int(sound.argmin())


def language_model(task: Task) -> Made:
    """A language model of binned Rg for each molecule, from the second MD run of that molecule.

    A state stands for the values of Rg that it held in training: one of them is drawn.
    """
    config = replace(LanguageModelConfig(), n_steps=task.budget.n_language)
    stride, data, learned = task.system.stride, task.system.data, []
    training = sampling = 0.0
    random = np.random.default_rng(task.seed)
    for reference, own in zip(data.reference, data.floor, strict=True):
        seen = radius_of_gyration(own.pos, own.bead_mass)
        bins = Bins.equal([seen], N_STATES)
        series = [bins(seen[offset::stride]) for offset in range(stride)]
        start = perf_counter()
        model = fit_language_model(series, N_STATES, config, seed=task.seed)
        between = perf_counter()
        known = radius_of_gyration(reference.pos[: stride * N_PROMPT : stride], own.bead_mass)
        sampled = model.sample(bins(known)[None], task.budget.n_steps, seed=task.seed)[0]
        training += between - start
        sampling += perf_counter() - between
        values = draw_values(sampled, bins(seen), seen, random=random)
        learned.append(rg_ensemble(own.name, [values], task.system.timestep))
    return Made(learned, None, sampling, training, only_rg=True)


def draw_values(
    states: np.ndarray, known_states: np.ndarray, known: np.ndarray, *, random: np.random.Generator
) -> np.ndarray:
    """For each state one of the known values in that state, drawn at random: [n] -> [n].

    A state without known values (no bin of a fitted model, but one that it may sample) gets those
    of the nearest state that has some.
    """
    held = np.unique(known_states)
    values = np.empty(len(states))
    for state in np.unique(states):
        nearest = held[np.abs(held - state).argmin()]
        mine = states == state
        values[mine] = random.choice(known[known_states == nearest], size=int(mine.sum()))
    return values


def rg_ensemble(name: str, series: Sequence[np.ndarray], frame_interval: float) -> Ensemble:
    """Two equal beads on a line whose Rg is that of the series [n_frames], to be scored as it."""
    ends = [np.stack([values, -values], axis=1) for values in series]
    xyz = tuple(np.stack([own, 0 * own, 0 * own], axis=2) for own in ends)
    return Ensemble(name, xyz, frame_interval, np.ones(2), np.array([[0], [1]]))


def second_run(task: Task) -> Made:
    """The second MD run, as long as the roll-outs: how well one can do."""
    floor = ensembles_of(task.system.data.floor)
    return Made([first_part(own, task.duration) for own in floor], None)


class Row(NamedTuple):
    """One row: its words in tables, and what makes it."""

    label: str
    make: Callable[[Task], Made]


ROWS: dict[str, Row] = {
    "cgsim": Row("cgsim", cgsim),
    "not-equivariant": Row("GNS, not equivariant, 30 frames", not_equivariant),
    "var": Row("VAR, training molecules", autoregression),
    "var-own-md": Row("VAR, own MD of each molecule", autoregression_own_md),
    "lstm": Row("LSTM per bead, training molecules", recurrent),
    "language-model": Row("language model of Rg, own MD of each molecule", language_model),
    "second-md-run": Row("second MD run", second_run),
}
