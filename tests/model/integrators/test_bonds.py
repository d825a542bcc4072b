"""Steps that turn bonds: exact inverses, geometry, symmetry, and molecules that are refused."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.config import DynamicsConfig, ModelConfig, SamplerConfig, ScoreConfig
from cgsim.data.augmentation import NO_AUGMENTATION
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.integrators.bonds import Turning
from cgsim.model.integrators.steps import Straight
from cgsim.model.loss import draw
from cgsim.nn.graph.neighbours import (
    BeadGraph,
    Topology,
    bead_graph,
    complete_pairs,
    topological_pairs,
)
from cgsim.testing.checks import assert_equivariant, random_rotation
from cgsim.testing.systems import TINY, random_chain, random_simulator

Connect = Callable[..., tuple[np.ndarray, np.ndarray]]

#: Bonds of trees of beads: a chain, a star, a comb, and one that is numbered backwards.
TREES = {
    "chain": [(0, 1), (1, 2), (2, 3), (3, 4)],
    "star": [(0, 1), (0, 2), (0, 3), (0, 4)],
    "comb": [(0, 1), (1, 2), (1, 3), (0, 4)],
    "mixed": [(4, 2), (2, 0), (0, 3), (3, 1)],
    "two": [(0, 1), (1, 2), (3, 4)],
}


def graph_of(*trees: str, connect: Connect = complete_pairs) -> BeadGraph:
    """Five beads for every tree."""
    found = [connect(np.array(TREES[name]).T, 5, n_hops=2) for name in trees]
    pairs = np.concatenate([own + 5 * k for k, (own, _) in enumerate(found)], axis=1)
    hop = np.concatenate([own for _, own in found])
    batch = torch.arange(len(trees)).repeat_interleave(5)
    return bead_graph(
        torch.zeros(len(batch), 3, dtype=torch.float64),
        cutoff=1.0,
        topology=Topology(torch.as_tensor(pairs), torch.as_tensor(hop)),
        batch=batch,
        n_graphs=len(trees),
    )


def present(n_trees: int = 1) -> Tensor:
    return torch.randn(5 * n_trees, 3, dtype=torch.float64)


def bond(pos: Tensor, name: str) -> Tensor:
    first, second = torch.tensor(TREES[name]).T
    return pos[second] - pos[first]


@pytest.mark.parametrize("name", TREES)
def test_a_step_can_be_undone(name: str) -> None:
    pos, end = present(), present()
    steps = Turning.at(pos, graph_of(name))
    torch.testing.assert_close(steps.exp_map(steps.log_map(end)), end)
    near = pos + 0.1 * present()  # no bond turns by more than half a turn
    torch.testing.assert_close(steps.log_map(steps.exp_map(near)), near)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_of_the_longest_chain_can_be_undone(dtype: torch.dtype) -> None:
    """Its slowest mode is 30,000 times softer than its fastest."""
    bonds = np.stack([np.arange(299), np.arange(1, 300)])
    pairs, hop = topological_pairs(bonds, 300, n_hops=1)
    pos, end = (torch.randn(300, 3, dtype=dtype).cumsum(dim=0) for _ in range(2))
    graph = bead_graph(
        pos,
        cutoff=0.0,
        topology=Topology(torch.as_tensor(pairs), torch.as_tensor(hop)),
        batch=torch.zeros(300).long(),
        n_graphs=1,
    )
    steps = Turning.at(pos, graph)
    tolerance = 1e-9 if dtype == torch.float64 else 2e-2
    found = steps.exp_map(steps.log_map(end))
    torch.testing.assert_close(found, end, rtol=0, atol=tolerance)


def test_systems_of_a_batch_do_not_see_each_other() -> None:
    names = list(TREES)
    pos, ahead, vectors = present(5), present(5), present(5)[:, :, None]
    steps = Turning.at(pos, graph_of(*names))
    together = steps.exp_map(ahead), steps.transport(vectors, ahead)
    for k, name in enumerate(names):
        own = slice(5 * k, 5 * k + 5)
        alone = Turning.at(pos[own], graph_of(name))
        torch.testing.assert_close(together[0][own], alone.exp_map(ahead[own]))
        torch.testing.assert_close(together[1][own], alone.transport(vectors[own], ahead[own]))


@pytest.mark.parametrize("name", TREES)
def test_bonds_turn_along_great_circles(name: str) -> None:
    """What of a displacement is along a bond stretches it, what is across turns it, exactly."""
    pos, change = present(), 0.2 * present()
    before, own = bond(pos, name), bond(change, name)
    after = bond(Turning.at(pos, graph_of(name)).exp_map(pos + change), name)
    length = before.norm(dim=1)
    along = (own * before).sum(dim=1) / length
    across = (own - along[:, None] * before / length[:, None]).norm(dim=1)
    torch.testing.assert_close(after.norm(dim=1), length + along)
    cosine = (before * after).sum(dim=1) / length / after.norm(dim=1)
    torch.testing.assert_close(cosine, torch.cos(across / length))
    normal = torch.linalg.cross(before, own)
    torch.testing.assert_close((after * normal).sum(dim=1), torch.zeros(len(own)).double())


@pytest.mark.parametrize("name", ["chain", "star", "comb", "mixed"])
def test_the_centre_goes_straight(name: str) -> None:
    pos, ahead = present(), present()
    end = Turning.at(pos, graph_of(name)).exp_map(ahead)
    torch.testing.assert_close(end.mean(dim=0), ahead.mean(dim=0))


def test_small_steps_are_straight() -> None:
    """They differ by the square of the step."""
    pos, change = present(), present()
    steps = Turning.at(pos, graph_of("comb"))
    errors = [
        (steps.exp_map(pos + size * change) - pos - size * change).norm() for size in (2e-3, 1e-3)
    ]
    assert 3.9 < errors[0] / errors[1] < 4.1


@pytest.mark.parametrize("sign", [1, -1], ids=["rotation", "reflection"])
def test_steps_turn_and_move_with_the_molecule(sign: int) -> None:
    pos, ahead, vectors = present(), present(), present()[:, :, None]
    matrix, shift = sign * random_rotation(seed=1), torch.tensor([3.0, -1.0, 2.0])
    here = Turning.at(pos, graph_of("mixed"))
    there = Turning.at(pos @ matrix.T + shift, graph_of("mixed"))
    moved = ahead @ matrix.T + shift
    torch.testing.assert_close(there.exp_map(moved), here.exp_map(ahead) @ matrix.T + shift)
    turned = torch.einsum("ij,njk->nik", matrix, here.transport(vectors, ahead))
    other = torch.einsum("ij,njk->nik", matrix, vectors)
    torch.testing.assert_close(there.transport(other, moved), turned)


def test_numbering_of_beads_does_not_matter() -> None:
    """The chain and the mixed one are the same tree."""
    order = torch.tensor([4, 2, 0, 3, 1])
    pos, ahead = present(), present()
    expected = Turning.at(pos, graph_of("mixed")).exp_map(ahead)
    found = Turning.at(pos[order], graph_of("chain")).exp_map(ahead[order])
    torch.testing.assert_close(found, expected[order])


def test_carried_vectors() -> None:
    """Bonds keep the length and the angle to themselves of what is theirs; and all the way back."""
    pos, ahead, vectors = present(), present(), present()[:, :, None]
    steps = Turning.at(pos, graph_of("star"))
    carried = steps.transport(vectors, ahead)
    before, after = bond(vectors[:, :, 0], "star"), bond(carried[:, :, 0], "star")
    torch.testing.assert_close(after.norm(dim=1), before.norm(dim=1))
    along = [
        (torch.nn.functional.normalize(bond(where, "star")) * own).sum(dim=1)
        for where, own in ((pos, before), (ahead, after))
    ]
    torch.testing.assert_close(along[0], along[1])
    torch.testing.assert_close(carried.mean(dim=0), vectors.mean(dim=0))
    torch.testing.assert_close(steps.transport_back(carried, ahead), vectors)


def test_a_list_of_edges_is_as_good_as_a_grid() -> None:
    pos, ahead = present(), present()
    grid, listed = graph_of("comb"), graph_of("comb", connect=topological_pairs)
    assert grid.width
    assert not listed.width
    found = Turning.at(pos, listed).exp_map(ahead)
    torch.testing.assert_close(found, Turning.at(pos, grid).exp_map(ahead))


def test_no_bond_vanishes() -> None:
    """Not even if a displacement asks for it."""
    pos = torch.zeros(5, 3, dtype=torch.float64)
    pos[:, 0] = torch.arange(5.0)
    ahead = torch.zeros(5, 3, dtype=torch.float64)
    end = Turning.at(pos, graph_of("chain")).exp_map(ahead)
    torch.testing.assert_close(bond(end, "chain").norm(dim=1), torch.full((4,), 0.1).double())


def test_straight_steps_change_nothing() -> None:
    pos, ahead, vectors = present(), present(), present()[:, :, None]
    steps = Straight.at(pos, graph_of("chain"))
    assert steps.exp_map(ahead) is ahead
    assert steps.log_map(ahead) is ahead
    assert steps.transport(vectors, ahead) is vectors
    assert steps.transport_back(vectors, ahead) is vectors


def ring() -> MappedTrajectory:
    chain = random_chain(4)
    closing = np.array([[0], [3]])
    return replace(chain, edge_index=np.concatenate([chain.edge_index, closing], axis=1))


@pytest.mark.parametrize(
    ("molecule", "problem"),
    [
        (ring, "beads that form a ring"),
        (lambda: random_chain(301, n_frames=3), "301 beads, more than 300"),
        (
            lambda: replace(
                (chain := random_chain(4)), cell=np.tile(5 * np.eye(3), (chain.n_frames, 1, 1))
            ),
            "a periodic cell",
        ),
    ],
)
def test_molecules_that_are_refused(molecule: Callable[[], MappedTrajectory], problem: str) -> None:
    config = replace(TINY, dynamics=DynamicsConfig(4, 1, steps="turning"))
    simulator = random_simulator([random_chain(4)], config)
    trajectory = molecule()
    with pytest.raises(ValueError, match=f"{trajectory.name}: turning steps are not for {problem}"):
        simulator.windows([trajectory])


def test_a_bond_that_turns_by_a_right_angle() -> None:
    """Of a dumbbell, by hand."""
    pos = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    graph = bead_graph(
        pos,
        cutoff=3.0,
        topology=Topology(torch.tensor([[1, 0], [0, 1]]), torch.tensor([1, 1])),
        batch=torch.zeros(2).long(),
        n_graphs=1,
    )
    ahead = pos + torch.tensor([[0.0, 0.0, 0.0], [0.0, math.pi, 0.0]], dtype=torch.float64)
    expected = torch.tensor([1.0, math.pi / 2, 0.0], dtype=torch.float64) + torch.tensor(
        [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64
    )
    torch.testing.assert_close(Turning.at(pos, graph).exp_map(ahead), expected)


def turning(noise: str) -> ModelConfig:
    """All that turning steps come with, guidance too."""
    dynamics = DynamicsConfig(4, 1, noise=noise, steps="turning")
    score = ScoreConfig(4, 1, current_distances=True, unconditional=0.2)
    sampler = SamplerConfig(n_evaluations=3, churn=0.5, guidance=2.0)
    return replace(TINY, dynamics=dynamics, score=score, sampler=sampler)


@pytest.mark.parametrize("noise", ["independent", "correlated", "elastic"])
def test_simulators_are_equivariant(noise: str) -> None:
    torch.set_default_dtype(torch.float64)
    chain = random_chain(6)
    assert_equivariant(random_simulator([chain], turning(noise)), chain, tolerance=1e-8)


def test_the_target_is_what_the_step_undoes() -> None:
    """Windows are learnt from as displacements that end at the next frame, bonds turned."""
    chain = random_chain(6)
    simulator = random_simulator([chain], turning("elastic")).double()
    batch = simulator.windows([chain])[[2, 5]]
    windows, _, graph = draw(simulator, batch, generator=None, augmentation=NO_AUGMENTATION)
    end = Turning.at(windows.pos[:, -1], graph).exp_map(windows.target_pos)
    torch.testing.assert_close(end, batch.next_pos.double())
    assert (windows.target_pos - end).abs().max() > 1e-3


def test_a_step_of_a_state_far_from_the_origin() -> None:
    """Where a molecule is does not matter to how it moves."""
    chain = random_chain(6)
    simulator = random_simulator([chain], turning("elastic"))
    window = simulator.windows([chain])[[3]]
    near = simulator.start(window, torch.Generator().manual_seed(0))
    far = simulator.start(window, torch.Generator().manual_seed(0))
    shift = torch.tensor([300.0, -200.0, 100.0], dtype=torch.float64)
    far = replace(far, pos=far.pos + shift)
    found = simulator.step(far).pos - shift
    torch.testing.assert_close(found, simulator.step(near).pos, rtol=0, atol=1e-5)
