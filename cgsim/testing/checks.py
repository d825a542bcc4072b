"""Tests for simulators, ours or yours: exact symmetries, batches, small systems made on the spot.

All of them raise ``AssertionError`` with the largest difference, as `torch.testing` does.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cgsim.data.graphs import CGData
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.loss import reduced_acceleration
from cgsim.model.noise.gaussian import GaussianField
from cgsim.model.simulator import Simulator

ANGLE = 0.7  # noise angle at which score networks are compared


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
        drift=None if trajectory.drift is None else trajectory.drift[:, beads],
        chirality=None if trajectory.chirality is None else trajectory.chirality[beads],
        reference=None if trajectory.reference is None else trajectory.reference[:, beads],
    )


def dense_precision(field: GaussianField) -> Tensor:
    """The precision matrix [3 n, 3 n] of a Gaussian field, all systems of the batch in one."""
    one = torch.eye(3 if field.n_alike == 3 else 1, dtype=torch.float64)
    n_rows = (3 * field.counts).tolist()  # what is beyond is padding
    blocks = [
        torch.kron(matrix, one.to(matrix))[:n, :n]
        for matrix, n in zip(field.precision(), n_rows, strict=True)
    ]
    return torch.block_diag(*blocks).to(field.diagonal)


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
    target = reduced_acceleration(simulator, pos, next_pos)
    said = {
        "mean": prediction.acceleration.mean,
        "displacement": prediction.displacement,
        "precision": dense_precision(prediction.acceleration),
        "log_prob": prediction.acceleration.log_prob(target),
        "nll": simulator.loss(batch, generator=torch.Generator().manual_seed(0))["nll"],
    }
    graph = simulator.graph_at(pos[:, -1], batch)
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
