"""The stages of the polymer benchmarks: MD, training; each skipped when its result is there."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from benchmarks.polymers.scores import MD_TIMESTEP
from benchmarks.record import RESULTS
from cgsim.config import POLYMERS, ModelConfig, TrainingConfig
from cgsim.evaluate import Ensemble
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.evaluate.sources import ensembles_of
from cgsim.evaluate.statistics.autocorrelation import autocorrelation, relaxation_time
from cgsim.io import load_molecule, read_json, read_sidecar, write_atomic_json
from cgsim.mapping import map_metis
from cgsim.mapping.store import load_mapped, map_to_folder
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.md import Chain, PolymerRun, generate_polymers, sample_chains
from cgsim.md.files import recorded_md_speed
from cgsim.model.checkpoint import SIMULATOR_FILE
from cgsim.model.networks import Network
from cgsim.model.simulator import Simulator

TRAIN_FRAMES_OF_TRIAL, TEST_FRAMES_OF_TRIAL = 40, 120
ENOUGH = 250  # relaxation times in a run of a test chain that need not be longer
BEST_SETUPS = RESULTS / "md_speed.json"


@dataclass(frozen=True)
class PolymerSizes:
    """Sizes of a polymer benchmark; times in ps (one ps is one tau of the polymer).

    Parameters
    ----------
    size
        Of the chains: see `cgsim.md.sample_chains`.
    n_train, n_validation, n_test
        Class-I chains to learn from, the next ones to validate on, and class-II chains.
    atoms_per_bead
        Fine beads per bead.
    train_md, test_md
        MD of the chains of class I, and the two runs of those of class II.
    slow_duration
        Length of the runs of those class-II chains whose ``test_md`` is not `ENOUGH` relaxation
        times long.
    seed
        Of chains and MD.
    """

    size: str
    n_train: int
    n_validation: int
    n_test: int
    atoms_per_bead: int
    train_md: PolymerRun
    test_md: PolymerRun
    slow_duration: float
    seed: int = 0

    def chains(self, kind: str) -> list[Chain]:
        """All chains of one class; of class I, those to validate on come last."""
        n_chains = self.n_test if kind == "II" else self.n_train + self.n_validation
        return sample_chains(kind, size=self.size, n_chains=n_chains, seed=self.seed)

    @property
    def n_md_steps(self) -> int:
        """Steps of MD of all chains together, chain-steps."""
        runs = ((self.n_train + self.n_validation, self.train_md), (self.n_test, self.test_md))
        return sum(
            n_chains
            * run.n_replicas
            * (run.n_frames + run.n_equilibration_frames)
            * run.steps_per_frame
            for n_chains, run in runs
        )


SIZES = {
    "mini": PolymerSizes(
        "mini",
        n_train=250,
        n_validation=10,
        n_test=20,
        atoms_per_bead=POLYMERS.mapping["atoms_per_bead"],
        train_md=PolymerRun(duration=2500.0, equilibration=1000.0),
        test_md=PolymerRun(duration=12000.0, equilibration=1000.0, n_replicas=2),
        slow_duration=30000.0,
    ),
    "paper": PolymerSizes(
        "paper",
        n_train=90,
        n_validation=10,
        n_test=40,
        atoms_per_bead=100,
        train_md=PolymerRun(duration=50_000.0, frame_interval=5.0, equilibration=10_000.0),
        test_md=PolymerRun(
            duration=200_000.0, frame_interval=5.0, equilibration=10_000.0, n_replicas=2
        ),
        slow_duration=500_000.0,
    ),
}


def trial_sizes(sizes: PolymerSizes) -> PolymerSizes:
    """A few short trajectories of the same chains: do the stages work, and what will they cost."""

    def short(run: PolymerRun, n_frames: int) -> PolymerRun:
        interval = run.frame_interval
        return replace(run, duration=n_frames * interval, equilibration=2 * interval)

    return replace(
        sizes,
        n_train=2,
        n_validation=1,
        n_test=1,
        train_md=short(sizes.train_md, TRAIN_FRAMES_OF_TRIAL),
        test_md=short(sizes.test_md, TEST_FRAMES_OF_TRIAL),
        slow_duration=TEST_FRAMES_OF_TRIAL * sizes.test_md.frame_interval,
    )


@dataclass(frozen=True)
class Data:
    """Mapped MD: class I to learn from and to validate on, two runs of the same class-II chains."""

    train: list[MappedTrajectory]
    validation: list[MappedTrajectory]
    reference: list[MappedTrajectory]
    floor: list[MappedTrajectory]

    @property
    def longest(self) -> float:
        """Of the runs of the class-II chains, ps."""
        return max(own.n_frames * own.frame_interval for own in self.reference)

    def test_ensembles(self) -> tuple[list[Ensemble], list[Ensemble]]:
        """The reference and the floor, for `cgsim.evaluate`."""
        return ensembles_of(self.reference), ensembles_of(self.floor)


def prepare(sizes: PolymerSizes, folder: Path) -> Data:
    """Simulate all chains in ``folder/md`` and map them into ``folder/mapped``, where needed."""
    console = Console()
    console.rule("molecular dynamics to learn from")
    train = _mapped(sizes, sizes.chains("I"), sizes.train_md, folder)
    console.rule("molecular dynamics of other polymers to compare with")
    chains, n_replicas = sizes.chains("II"), sizes.test_md.n_replicas
    test = _mapped(sizes, chains, sizes.test_md, folder)
    slow = [
        index for index in range(len(chains)) if is_slow(test[index * n_replicas :][:n_replicas])
    ]
    if slow:
        longer = replace(sizes.test_md, duration=sizes.slow_duration)
        extended = iter(_mapped(sizes, [chains[index] for index in slow], longer, folder))
        for index in slow:
            for replica in range(n_replicas):
                test[index * n_replicas + replica] = next(extended)
    return Data(
        train[: sizes.n_train],
        train[sizes.n_train :],
        reference=test[0::n_replicas],
        floor=test[1::n_replicas],
    )


def is_slow(replicas: Sequence[MappedTrajectory]) -> bool:
    """Whether the runs of a chain are shorter than `ENOUGH` of its relaxation times (their mean).

    A time that is not resolved is slow.
    """
    first = replicas[0]
    times = [
        relaxation_time(
            autocorrelation([radius_of_gyration(own.pos, own.bead_mass) ** 2]), own.frame_interval
        )
        for own in replicas
    ]
    return not first.n_frames * first.frame_interval >= ENOUGH * float(np.mean(times))


def _mapped(
    sizes: PolymerSizes, chains: Sequence[Chain], run: PolymerRun, folder: Path
) -> list[MappedTrajectory]:
    """Mapped MD of some chains, chain by chain, replica by replica, of the length of the run."""
    files = generate_polymers(chains, folder / "md", replace(run, seed=sizes.seed))
    trajectories = []
    for index, file in enumerate(files):
        name = chains[index // run.n_replicas].name
        target = folder / "mapped" / f"{file.stem}.cg"
        n_frames = read_sidecar(file)["n_frames"][file.name]
        if not (target.exists() and load_mapped(target).n_frames == n_frames):
            molecule = load_molecule(folder / "md" / f"{name}.pdb")
            mapping = map_metis(molecule, atoms_per_bead=sizes.atoms_per_bead)
            map_to_folder(file, molecule, mapping, folder=target, overwrite=True)
        trajectories.append(load_mapped(target).frames(0, run.n_frames))
    return trajectories


def train(
    data: Data,
    folder: Path,
    *,
    model: ModelConfig,
    training: TrainingConfig,
    network: Network | None = None,
) -> Simulator:
    """Train (or load) a simulator, on the best device there is; its wall-clock is noted beside."""
    from cgsim.training.fit import fit

    note = folder / "timing.json"
    is_new = not (folder / SIMULATOR_FILE).exists()
    start = time.perf_counter()
    try:
        simulator = fit(
            data.train,
            folder,
            model=model,
            training=training,
            validation=data.validation,
            network=network,
        )
    finally:
        if is_new and folder.exists():
            seconds = training_seconds(folder) + time.perf_counter() - start
            write_atomic_json(note, {"training_seconds": seconds})
    return simulator.to(best_device())


def training_seconds(folder: Path) -> float:
    """Wall-clock of a training so far, s."""
    note = folder / "timing.json"
    return float(read_json(note)["training_seconds"]) if note.exists() else 0.0


def best_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def md_speed(sizes: PolymerSizes, reference: Sequence[MappedTrajectory], folder: Path) -> float:
    """The fastest MD known of chains of this size, chain-steps/s.

    The larger of what was noted when the reference was made, perhaps on a busy machine, and what
    `benchmarks.speed.md_polymers` measured.
    """
    chain = sizes.chains("II")[0]
    noted = recorded_md_speed(folder / "md" / f"{reference[0].name}.json") / MD_TIMESTEP
    if not BEST_SETUPS.exists():
        return noted
    measured = json.loads(BEST_SETUPS.read_text(encoding="utf-8"))["metrics"]
    setups = measured["chain_steps_per_second"].get(chain.size, {})
    return max(noted, *setups.values()) if setups else noted
