"""A melt of short chains in a periodic box, made without any simulation: random walks at rest."""

from dataclasses import replace

import numpy as np

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.testing.systems import random_chain

CHAIN_LENGTH = 10  # beads
DENSITY = 0.85  # beads per cubed bond length, as in the melts of Kremer and Grest
ANGLE = 0.25  # mean cosine of two bonds in a row: chains of simulated melts are a little stiff


def random_melt(n_beads: int, *, step: float, seed: int = 0, n_frames: int = 3) -> MappedTrajectory:
    """Chains of ten beads, every second of one of two kinds, at constant density.

    Chains lie anywhere, through one another too: it is a system to measure speed on, of the right
    numbers of neighbours, and no equilibrium of any force field.

    Parameters
    ----------
    n_beads
        A multiple of `CHAIN_LENGTH`.
    step
        Displacement between two frames per component, in bond lengths.
    """
    random = np.random.default_rng(seed)
    kinds = [random_chain(CHAIN_LENGTH, seed=kind, n_frames=1) for kind in (0, 1)]
    n_chains = n_beads // CHAIN_LENGTH
    chosen = [kinds[index % 2] for index in range(n_chains)]
    n_atoms = np.cumsum([0] + [len(chain.atom_type) for chain in chosen])
    at_bead = CHAIN_LENGTH * np.arange(n_chains)
    length = (n_chains * CHAIN_LENGTH / DENSITY) ** (1 / 3)
    start = length * random.random((n_chains, 1, 3))
    pos = (start + random_walks(n_chains, random)).reshape(-1, 3)
    frames = pos + step * random.normal(size=(n_frames, *pos.shape)).cumsum(axis=0)
    pairs = zip(chosen, n_atoms, at_bead, strict=False)
    atom_bonds, bead_index, edge_index = zip(
        *((c.atom_bonds + a, c.bead_index + b, c.edge_index + b) for c, a, b in pairs), strict=True
    )
    return replace(
        kinds[0],
        name=f"melt of {n_beads} beads",
        atom_type=tuple(name for chain in chosen for name in chain.atom_type),
        atom_bonds=np.concatenate(atom_bonds, axis=1),
        bead_index=np.concatenate(bead_index),
        bead_name=tuple(name for chain in chosen for name in chain.bead_name),
        bead_mass=np.concatenate([chain.bead_mass for chain in chosen]),
        edge_index=np.concatenate(edge_index, axis=1),
        pos=frames.astype(np.float32),
        cell=np.broadcast_to(length * np.eye(3), (n_frames, 3, 3)),
        recipe={"method": "user"},
    )


def random_walks(n_chains: int, random: np.random.Generator) -> np.ndarray:
    """Chains [n_chains, CHAIN_LENGTH, 3] of bonds of length one, from the origin."""
    bonds = random.normal(size=(n_chains, CHAIN_LENGTH - 1, 3))
    bonds /= np.linalg.norm(bonds, axis=2, keepdims=True)
    for bond in range(1, CHAIN_LENGTH - 1):
        bonds[:, bond] += 2 * ANGLE * bonds[:, bond - 1]
        bonds[:, bond] /= np.linalg.norm(bonds[:, bond], axis=1, keepdims=True)
    return np.concatenate([np.zeros((n_chains, 1, 3)), bonds.cumsum(axis=1)], axis=1)
