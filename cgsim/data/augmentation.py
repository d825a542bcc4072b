"""A batch of windows as tensors, with all that is random in their loss."""

import math
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cgsim.config import ScoreConfig
from cgsim.data.graphs import MIXED_CELLS, CGData
from cgsim.nn.random import randn_like


class Augmentation(NamedTuple):
    """What training changes at random in what the networks are shown; nothing by default.

    Attributes
    ----------
    history
        Largest noise on the past frames, in root-mean-square displacements.
    embedding
        Share of the numbers of an embedding that are left out (dropout).
    reversal
        Share of the windows that are shown backwards in time.
    """

    history: float = 0.0
    embedding: float = 0.0
    reversal: float = 0.0


NO_AUGMENTATION = Augmentation()


class Windows(NamedTuple):
    """What the loss is a function of, but for the bead graph and the weights of the networks.

    Attributes
    ----------
    pos : [n, k, 3]
        The past frames, with noise, nm.
    target_pos : [n, 3]
        Where the displacement to predict points: the next frame, its steps mapped back to straight
        ones (see `cgsim.model.integrators.steps.Steps.log_map`), nm.
    mass : [n]
        Da.
    noise_level : [n]
        Of the noise on the past frames, in root-mean-square displacements.
    noise : [n, 3]
        Standard normal numbers for a sample of the predicted Gaussian.
    angle : [n]
        Noise angle at which the score network is asked, the same for a whole window.
    conditional : [n] or None
        1 where the score network sees the current frame, else 0; None is everywhere.
    core : [n] or None
        Which beads are learnt from, where some are there as surroundings only.
    """

    pos: Tensor
    target_pos: Tensor
    mass: Tensor
    noise_level: Tensor
    noise: Tensor
    angle: Tensor
    conditional: Tensor | None = None
    core: Tensor | None = None

    @property
    def n_degrees(self) -> Tensor | int:
        """Degrees of freedom that are learnt from."""
        return self.target_pos.numel() if self.core is None else 3 * self.core.sum()


def noisy_windows(
    batch: CGData,
    *,
    step_scale: float,
    dtype: torch.dtype,
    generator: torch.Generator | None,
    augmentation: Augmentation,
    score: ScoreConfig | None = None,
) -> Windows:
    """Draw noise on the past frames, of half of the windows, and what the losses are drawn with.

    Parameters
    ----------
    step_scale
        Root-mean-square displacement of a step, nm.
    score
        How the score network is trained, where there is one.
    """
    pos, next_pos = batch.pos.to(dtype), batch.next_pos.to(dtype)
    if augmentation.reversal:
        backwards = _uniform(batch, pos, generator) < augmentation.reversal
        pos, next_pos = _some_reversed(pos, next_pos, backwards)
    level = pos.new_zeros(len(pos))
    if augmentation.history:
        drawn = _uniform(batch, pos, generator)
        level = augmentation.history * (2 * drawn - 1).clamp(min=0)
        pos = pos + step_scale * level[:, None, None] * randn_like(pos, generator)
    noise = randn_like(next_pos, generator)
    rho = 1.0 if score is None else score.rho
    angle = math.pi / 2 * _uniform(batch, pos, generator) ** rho
    conditional = None
    if score is not None and score.unconditional:
        conditional = (_uniform(batch, pos, generator) >= score.unconditional).to(dtype)
    core = batch.core if "core" in batch else None
    return Windows(pos, next_pos, batch.mass.to(dtype), level, noise, angle, conditional, core)


def _some_reversed(pos: Tensor, next_pos: Tensor, backwards: Tensor) -> tuple[Tensor, Tensor]:
    """Frames 0 ... k as frames k ... 0, where ``backwards`` [n] says so."""
    frames = torch.cat([pos, next_pos[:, None]], dim=1)
    frames = torch.where(backwards[:, None, None], frames.flip(1), frames)
    return frames[:, :-1], frames[:, -1]


def dropped(rows: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Rows [n, n_channels] with a share of their numbers zero, the others larger to make up."""
    if not share:
        return rows
    drawn = torch.rand(rows.shape, generator=generator, device=rows.device)
    return rows * (drawn >= share) / (1 - share)


def _uniform(batch: CGData, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """A number between 0 and 1 for every window, at each of its beads [n]."""
    drawn = torch.rand(
        count_graphs(batch), generator=generator, device=like.device, dtype=like.dtype
    )
    return drawn[batch.batch]


def count_graphs(batch: CGData) -> int:
    """Number of windows in a batch.

    Raises
    ------
    ValueError
        If some windows have a periodic cell and others none, which `join` would have refused, but
        not a loader of PyTorch Geometric.
    """
    n_graphs = int(batch.batch[-1]) + 1
    if "cell" in batch and len(batch.cell) != n_graphs:
        raise ValueError(MIXED_CELLS)
    return n_graphs


def randomly_turned(batch: CGData, generator: torch.Generator | None = None) -> CGData:
    """The same windows, each turned by a rotation of its own: for networks not equivariant."""
    return turned(batch, random_rotations(batch, generator))


def random_rotations(batch: CGData, generator: torch.Generator | None = None) -> Tensor:
    """A rotation for every window [n_graphs, 3, 3], uniform over all orientations.

    ``R = 1 + 2 w [v] + 2 [v]^2`` with ``[v]`` the matrix of the cross product with ``v``, of a unit
    quaternion ``(w, v)``, a normalised Gaussian 4-vector (Shoemake, Graphics Gems III, 1992).
    """
    normal = randn_like(batch.pos.new_empty(count_graphs(batch), 4), generator)
    quaternion = nn.functional.normalize(normal, dim=1)
    real, axis = quaternion[:, :1, None], quaternion[:, None, 1:]
    one = torch.eye(3).to(quaternion)
    cross = torch.linalg.cross(one[None], axis, dim=2)
    return one + 2 * real * cross + 2 * cross @ cross


def turned(batch: CGData, rotations: Tensor) -> CGData:
    """The same windows, each turned with its cell by its rotation [n_graphs, 3, 3]."""
    other, transposed = copy(batch), rotations.mT
    other.pos = batch.pos @ transposed[batch.batch]
    other.next_pos = (batch.next_pos[:, None] @ transposed[batch.batch])[:, 0]
    if "cell" in batch:
        other.cell = batch.cell @ transposed
    return other
