"""Small systems and simulators made on the spot."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from cgsim.config import (
    DynamicsConfig,
    EmbeddingConfig,
    GraphConfig,
    ModelConfig,
    SamplerConfig,
    ScoreConfig,
)
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.exact import RouseNetwork

ATOM_TYPES = ("A", "B", "C")


BOND_LENGTH = 0.3  # nm, root mean square


FRAME_INTERVAL = 2.0  # ps


TINY = ModelConfig(
    history=2,
    embedding=EmbeddingConfig(n_channels=4, n_layers=1),
    graph=GraphConfig(n_hops=2, cutoff=2.0, n_radial=4),
    dynamics=DynamicsConfig(n_channels=4, n_layers=2, lmax=1, noise="correlated"),
    score=ScoreConfig(n_channels=4, n_layers=1),
    sampler=SamplerConfig(n_evaluations=2, sigma_max=1.5),
)
"""A network small enough for tests, with all its parts."""


def random_chain(
    n_beads: int = 6, *, n_frames: int = 12, max_atoms: int = 3, seed: int = 0, name: str = "chain"
) -> MappedTrajectory:
    """A linear chain; arguments as in `random_molecule`."""
    bonds = np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)])
    return random_molecule(
        bonds, n_beads=n_beads, n_frames=n_frames, max_atoms=max_atoms, seed=seed, name=name
    )


def random_molecule(
    edge_index: np.ndarray,
    *,
    n_beads: int,
    n_frames: int = 12,
    max_atoms: int = 3,
    seed: int = 0,
    name: str = "molecule",
) -> MappedTrajectory:
    """A connected molecule of harmonic bonds in overdamped solvent, a frame every 2 ps.

    The frames are samples of equilibrium, whatever their number (see
    `cgsim.testing.exact.RouseNetwork`).

    Parameters
    ----------
    edge_index : [2, n_bonds]
        Bead bonds, each once.
    max_atoms
        Every bead holds 1 to this many atoms of random types A, B and C.
    """
    random = np.random.default_rng(seed)
    counts = random.integers(1, max_atoms + 1, size=n_beads)
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    inside = np.setdiff1d(np.arange(counts.sum()), last)
    atom_type = random.integers(len(ATOM_TYPES), size=counts.sum())
    bead_index = np.repeat(np.arange(n_beads), counts)
    between = np.stack([last[edge_index[0]], first[edge_index[1]]])
    return MappedTrajectory(
        name=name,
        atom_type=tuple(ATOM_TYPES[code] for code in atom_type),
        atom_bonds=np.concatenate([np.stack([inside, inside + 1]), between], axis=1),
        bead_index=bead_index,
        bead_name=tuple((f"R{bead + 1}", "B") for bead in range(n_beads)),
        bead_mass=np.bincount(bead_index, weights=10.0 + atom_type),
        edge_index=edge_index,
        pos=_rouse(edge_index, n_beads).frames(n_frames, FRAME_INTERVAL, random).astype(np.float32),
        frame_interval=FRAME_INTERVAL,
        recipe={"method": "user", "bead_index": bead_index.tolist()},
    )


def _rouse(edge_index: np.ndarray, n_beads: int) -> RouseNetwork:
    """Bonds of the root-mean-square length `BOND_LENGTH`, whose rates are a tenth per frame."""
    bonds = tuple((int(first), int(second)) for first, second in edge_index.T)
    friction = (10.0 * FRAME_INTERVAL,) * n_beads
    return RouseNetwork(bonds, friction, spring=1.0, thermal_energy=BOND_LENGTH**2 / 3)


def random_simulator(
    trajectories: Sequence[MappedTrajectory],
    config: ModelConfig = TINY,
    *,
    stride: int = 1,
    seed: int = 0,
) -> Simulator:
    """A simulator with random weights, none of them zero, for atoms of types A, B and C."""
    scales = measure(trajectories, stride=stride)
    simulator = Simulator(config, atom_types=ATOM_TYPES, scales=scales)
    with torch.no_grad():
        for parameter in simulator.parameters():
            parameter.zero_()
    perturb_parameters(simulator, scale=0.5, seed=seed)
    return simulator.eval()


def perturb_parameters(module: nn.Module, *, scale: float = 0.3, seed: int = 0) -> None:
    """Add noise to all parameters, in place; a zero one could hide a lost symmetry."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(scale * noise.to(parameter))
