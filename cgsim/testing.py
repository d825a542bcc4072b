"""Tests for simulators, ours or yours: exact symmetries, batches, small systems made on the spot.

All of them raise ``AssertionError`` with the largest difference, as `torch.testing` does.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from cgsim.config import (
    DynamicsConfig,
    EmbeddingConfig,
    GraphConfig,
    ModelConfig,
    ScoreConfig,
)
from cgsim.data import CGData, MappedTrajectory
from cgsim.elastic import ElasticGaussian
from cgsim.exact import RouseNetwork
from cgsim.noise import CorrelatedGaussian, GaussianField
from cgsim.simulator import Simulator
from cgsim.statistics import measure

ATOM_TYPES = ("A", "B", "C")
BOND_LENGTH = 0.3  # nm, root mean square
FRAME_INTERVAL = 2.0  # ps
ANGLE = 0.7  # noise angle at which score networks are compared

TINY = ModelConfig(
    history=2,
    embedding=EmbeddingConfig(n_channels=4, n_layers=1),
    graph=GraphConfig(n_hops=2, cutoff=2.0, n_radial=4),
    dynamics=DynamicsConfig(n_channels=4, n_layers=2, lmax=1, noise="correlated"),
    score=ScoreConfig(n_channels=4, n_layers=1, n_evaluations=2, start_level=1.5),
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

    The frames are samples of equilibrium, whatever their number (see `cgsim.exact.RouseNetwork`).

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
    statistics = measure(trajectories, stride=stride)
    simulator = Simulator(config, atom_types=ATOM_TYPES, statistics=statistics)
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


def random_rotation(*, seed: int = 0) -> Tensor:
    """A proper rotation matrix [3, 3], float64."""
    generator = torch.Generator().manual_seed(seed)
    matrix, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    return matrix * torch.linalg.det(matrix)


def transformed(batch: CGData, matrix: Tensor, shift: Tensor | None = None) -> CGData:
    """A batch of windows rotated (or reflected) by a matrix [3, 3], then shifted by [3], nm.

    A reflection turns every handedness into the opposite one.
    """
    other = batch.clone()
    other.chirality = batch.chirality * torch.linalg.det(matrix).sign().to(batch.chirality)
    other.pos, other.next_pos = (pos.double() @ matrix.T for pos in (batch.pos, batch.next_pos))
    if shift is not None:
        other.pos, other.next_pos = other.pos + shift, other.next_pos + shift
    if "cell" in batch:
        other.cell = batch.cell.double() @ matrix.T
    return other


def reordered(
    trajectory: MappedTrajectory, beads: np.ndarray, atoms: np.ndarray
) -> MappedTrajectory:
    """The same molecule renumbered: new bead ``i`` is old bead ``beads[i]``, atoms likewise."""
    new_bead, new_atom = np.argsort(beads), np.argsort(atoms)
    return replace(
        trajectory,
        atom_type=tuple(trajectory.atom_type[atom] for atom in atoms),
        atom_bonds=new_atom[trajectory.atom_bonds],
        bead_index=new_bead[trajectory.bead_index[atoms]],
        bead_name=tuple(trajectory.bead_name[bead] for bead in beads),
        bead_mass=trajectory.bead_mass[beads],
        edge_index=new_bead[trajectory.edge_index],
        pos=trajectory.pos[:, beads],
        chirality=None if trajectory.chirality is None else trajectory.chirality[beads],
    )


def dense_precision(field: GaussianField) -> Tensor:
    """The precision matrix [3 n, 3 n] of a Gaussian field, all systems of the batch in one."""
    one = torch.eye(3, dtype=field.diagonal.dtype)
    matrix = torch.kron(torch.diag(field.diagonal), one)
    if not isinstance(field, CorrelatedGaussian | ElasticGaussian):
        return matrix
    blocks = field.weight[:, None, None] * one
    if isinstance(field, ElasticGaussian):
        along = field.direction[:, :, None] * field.direction[:, None, :]
        blocks = blocks + field.stiffness[:, None, None] * along
    for (first, second), block in zip(field.pairs.T.tolist(), blocks, strict=True):
        stretch = field.diagonal.new_zeros(len(field.diagonal))
        stretch[first], stretch[second] = 1, -1
        matrix = matrix + torch.kron(torch.outer(stretch, stretch), block)
    return matrix


def rotated_precision(precision: Tensor, matrix: Tensor) -> Tensor:
    """``Q P Q^T`` with the rotation or reflection of every bead on the diagonal of Q."""
    every = torch.kron(
        torch.eye(len(precision) // 3).to(precision), matrix.to(precision).contiguous()
    )
    return every @ precision @ every.T


@torch.no_grad()
def outputs(simulator: Simulator, batch: CGData, residual: Tensor) -> dict[str, Tensor]:
    """Everything a simulator says of a batch, the score network's answer to ``residual`` included.

    Returns
    -------
    ``mean``, ``displacement``, ``score`` [n, 3], ``precision`` [3 n, 3 n], ``log_prob``
    [n_graphs] and ``nll`` [].
    """
    prediction = simulator.predict(batch)
    pos, next_pos = batch.pos.to(simulator.dtype), batch.next_pos.to(simulator.dtype)
    said = {
        "mean": prediction.acceleration.mean,
        "displacement": prediction.displacement,
        "precision": dense_precision(prediction.acceleration),
        "log_prob": prediction.acceleration.log_prob(simulator.reduced_acceleration(pos, next_pos)),
        "nll": simulator.loss(batch, generator=torch.Generator().manual_seed(0))["nll"],
    }
    graph = simulator._graph(pos[:, -1], batch)
    if (denoiser := simulator.denoiser(pos[:, -1], prediction, graph=graph)) is not None:
        said["score"] = denoiser.guided(residual.to(pos), ANGLE)
    return said


def assert_equivariant(
    simulator: Simulator, trajectory: MappedTrajectory, *, seed: int = 0, tolerance: float = 1e-10
) -> None:
    """Rotate, reflect, shift and renumber a molecule: the predictions must follow exactly.

    With the reflection goes the handedness of its beads: what follows is the mirror-image molecule.

    Parameters
    ----------
    simulator
        In float64 (``simulator.double()``) to reach the default tolerance; with ``lmax`` above 1 it
        must also be built in float64, as e3nn keeps its coupling coefficients in the type of
        construction.
    trajectory
        Any system that the simulator takes.
    tolerance
        Absolute and relative.

    Raises
    ------
    AssertionError
        Naming the transformation and the output that does not follow.
    """
    random = np.random.default_rng(seed)
    batch = _middle_window(simulator, trajectory)
    residual = torch.as_tensor(random.normal(size=(trajectory.n_beads, 3)))
    expected = outputs(simulator, batch, residual)
    identity = torch.eye(3, dtype=torch.float64)
    rotation = random_rotation(seed=seed)
    for name, matrix in {"rotation": rotation, "reflection": -rotation}.items():
        found = outputs(simulator, transformed(batch, matrix), residual @ matrix.T)
        turned = {key: value @ matrix.to(value).T for key, value in _vectors(expected).items()}
        turned["precision"] = rotated_precision(expected["precision"], matrix)
        _assert_same(found, expected | turned, f"{name}, {trajectory.name}", tolerance)
    moved = transformed(batch, identity, torch.as_tensor(random.normal(size=3)))
    _assert_same(outputs(simulator, moved, residual), expected, "translation", tolerance)
    beads = random.permutation(trajectory.n_beads)
    atoms = random.permutation(len(trajectory.atom_type))
    other = _middle_window(simulator, reordered(trajectory, beads, atoms))
    other.pos, other.next_pos = batch.pos[beads], batch.next_pos[beads]
    follow = {key: value[beads] for key, value in _vectors(expected).items()}
    rows = torch.as_tensor(3 * beads[:, None] + np.arange(3)).flatten()
    follow["precision"] = expected["precision"][rows][:, rows]
    found = outputs(simulator, other, residual[beads])
    _assert_same(found, expected | follow, "permutation", tolerance)


def assert_batch_invariant(
    simulator: Simulator, trajectories: Sequence[MappedTrajectory], *, tolerance: float = 1e-10
) -> None:
    """Windows of all trajectories in one batch: the predictions must be those of each alone.

    Raises
    ------
    AssertionError
        Naming the output that differs.
    """
    dataset = simulator.windows(trajectories)
    chosen = np.unique([*dataset.starts[:-1], *(dataset.starts[1:] - 1)]).tolist()
    batch, alone = dataset[chosen], [dataset[index] for index in chosen]
    residual = torch.as_tensor(np.random.default_rng(0).normal(size=(len(batch.pos), 3)))
    parts = residual.split([len(window.pos) for window in alone])
    found = outputs(simulator, batch, residual)
    singles = [outputs(simulator, *both) for both in zip(alone, parts, strict=True)]
    expected = {
        key: torch.cat([single[key] for single in singles])
        for key in found.keys() - {"precision", "nll"}
    }
    expected["precision"] = torch.block_diag(*(single["precision"] for single in singles))
    weights = torch.tensor([len(part) for part in parts]).to(residual) / len(residual)
    expected["nll"] = torch.stack([single["nll"] for single in singles]) @ weights.to(found["nll"])
    _assert_same(found, expected, "batch", tolerance)


def _middle_window(simulator: Simulator, trajectory: MappedTrajectory) -> CGData:
    dataset = simulator.windows([trajectory])
    return dataset[len(dataset) // 2]


def _vectors(said: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: said[key] for key in ("mean", "displacement", "score") if key in said}


def _assert_same(
    found: dict[str, Tensor], expected: dict[str, Tensor], what: str, tolerance: float
) -> None:
    for key, value in expected.items():
        torch.testing.assert_close(
            found[key],
            value,
            rtol=tolerance,
            atol=tolerance,
            msg=partial("{}: {} does not follow. {}".format, what, key),
        )
