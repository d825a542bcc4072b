"""What the rows measure: the sizes, and simulators of them."""

from argparse import Namespace
from dataclasses import dataclass, replace

import torch

from benchmarks.gpu.ledger import LeftOutError
from benchmarks.speed.melt import random_melt
from benchmarks.speed.rates import untrained
from cgsim.config import ModelConfig
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters

SKIN_STEP = 0.02  # bond lengths per step of a melt


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes
    ----------
    beads, replicas
        Of roll-outs.
    training_beads
        Of trainings.
    large
        Beads of a periodic melt.
    batch
        Windows.
    seconds
        Of one measurement.
    config
        Of networks.
    """

    beads: tuple[int, ...]
    replicas: tuple[int, ...]
    training_beads: tuple[int, ...]
    large: tuple[int, ...]
    batch: int
    seconds: float
    config: ModelConfig


FULL = Sizes(
    (9, 40, 100, 300), (1, 40, 1000), (9, 40, 100, 300), (100_000,), 64, 4.0, ModelConfig()
)
DRY = Sizes((9, 20), (1, 2), (9, 20), (1000,), 2, 0.02, TINY)


def sizes(options: Namespace) -> Sizes:
    """Those of the command."""
    return DRY if options.dry else FULL


def simulator_of(
    n_beads: int, options: Namespace, *, score: bool = True, scale: float = 0.0
) -> tuple[Simulator, list[MappedTrajectory]]:
    """An untrained simulator on the device, its weights moved at random, and what to start from."""
    config = sizes(options).config
    simulator, starts = untrained(n_beads, score=score, device="cpu", config=config)
    if scale:
        perturb_parameters(simulator, scale=scale)
    return simulator.to(options.device), starts


def melt_simulator(n_beads: int, options: Namespace) -> tuple[Simulator, MappedTrajectory]:
    """A periodic melt, whose neighbours are searched for in space."""
    melt = random_melt(n_beads, step=SKIN_STEP)
    config = sizes(options).config
    config = replace(config, graph=replace(config.graph, cutoff=2.0))
    torch.manual_seed(0)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=measure([melt], stride=1))
    return simulator.to(options.device).eval(), melt


def state_on(
    simulator: Simulator, starts: list[MappedTrajectory], n_replicas: int, device: str
) -> State:
    """The same replicas of the same frames on any device."""
    systems = choose_starts(simulator, starts, n_replicas=n_replicas, seed=0)
    batch = start_batch(simulator, systems).to(device)
    return simulator.start(batch, torch.Generator(device).manual_seed(0))


def only_on_gpu(options: Namespace) -> None:
    """Leave a row out where there is no GPU.

    Raises
    ------
    LeftOutError
        Saying so.
    """
    if options.device == "cpu":
        raise LeftOutError("there is no GPU")
