"""Neighbour lists with a skin: the same graphs as those of a new search, at fewer searches."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model import state as state_module
from cgsim.model.simulator import Simulator
from cgsim.model.state import State
from cgsim.nn.graph import skin
from cgsim.nn.graph.neighbours import BeadGraph, Topology, bead_graph, topological_pairs
from cgsim.nn.graph.skin import SkinList, skin_width
from cgsim.rollout.starts import choose_starts, start_batch
from cgsim.testing.checks import random_rotation
from cgsim.testing.systems import random_chain, random_simulator

CUTOFF, SKIN = 0.8, 0.3
CELLS = {
    "open": None,
    "orthorhombic": [[2.0, 0, 0], [0, 2.2, 0], [0, 0, 1.8]],
    "triclinic": [[2.0, 0, 0], [0.7, 1.9, 0], [-0.6, 0.8, 1.7]],
    "smaller than the cutoff": [[0.7, 0, 0], [0.2, 0.75, 0], [0.1, -0.2, 0.72]],
}


@pytest.fixture(params=list(CELLS))
def cell(request: pytest.FixtureRequest) -> Tensor | None:
    """Of two systems, the second one's a tenth larger."""
    vectors = CELLS[request.param]
    own = None if vectors is None else torch.tensor(vectors, dtype=torch.float64)
    return None if own is None else torch.stack([own, 1.1 * own])


def search(pos: Tensor, cell: Tensor | None, *, cutoff: float = CUTOFF) -> BeadGraph:
    """Chains of 14 and 9 beads."""
    parts = [
        topological_pairs(np.stack([np.arange(n - 1), np.arange(1, n)]), n, n_hops=2)
        for n in (14, 9)
    ]
    pairs = np.concatenate([parts[0][0], parts[1][0] + 14], axis=1)
    hop = torch.as_tensor(np.concatenate([parts[0][1], parts[1][1]]))
    return bead_graph(
        pos,
        cutoff=cutoff,
        topology=Topology(torch.as_tensor(pairs), hop, hop.to(pos).sqrt()),
        batch=torch.tensor([0] * 14 + [1] * 9),
        n_graphs=2,
        cell=cell,
    )


def walk(n_steps: int, *, step: float = 0.02) -> Tensor:
    """Positions [n_steps, 23, 3] of beads that move at random, out of the cell too."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(n_steps, 23, 3, dtype=torch.float64, generator=generator)
    start = 1.2 * torch.randn(23, 3, dtype=torch.float64, generator=generator)
    return start + step * steps.cumsum(dim=0)


def assert_same_graph(found: BeadGraph, expected: BeadGraph) -> None:
    """Edge by edge, in the same order."""
    for name in ("edge_index", "hop", "shift", "reach"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_the_graph_is_that_of_a_new_search(cell: Tensor | None) -> None:
    listed, n_searches, n_edges = None, 0, set()
    for pos in walk(60):
        if listed is None or not listed.holds_at(pos):
            candidates = search(pos, cell, cutoff=CUTOFF + SKIN)
            listed, n_searches = SkinList(candidates, pos, CUTOFF, SKIN), n_searches + 1
        graph = listed.graph_at(pos)
        assert_same_graph(graph, search(pos, cell))
        n_edges.add(graph.edge_index.shape[1])
    assert 1 < n_searches < 30
    assert len(n_edges) > 1  # pairs came and went


def test_it_holds_up_to_half_the_skin() -> None:
    pos = walk(1)[0]
    listed = SkinList(search(pos, None, cutoff=CUTOFF + SKIN), pos, CUTOFF, SKIN)
    for fraction, holds in ((0.49, True), (0.51, False)):
        moved = pos.clone()
        moved[3] += fraction * SKIN * torch.nn.functional.normalize(torch.ones(3), dim=0)
        assert listed.holds_at(moved) is holds
    assert not listed.holds_at(torch.full_like(pos, torch.nan))


def test_two_beads_may_meet_within_the_skin() -> None:
    """Both moved by almost half the skin: the list holds and knows the pair."""
    apart = CUTOFF + 0.99 * SKIN
    far = torch.arange(1.0, 22.0, dtype=torch.float64)[:, None] * torch.full((3,), 50.0)
    pos = torch.cat([torch.zeros(1, 3), far, torch.zeros(1, 3)]).double()
    order = torch.tensor([0, 22, *range(1, 22)])  # the two are beads 0 and 1, bonded; 0 and 3 not
    pos = pos[order]
    pos[1], pos[3] = pos[1] - 100, torch.tensor([apart, 0, 0])
    listed = SkinList(search(pos, None, cutoff=CUTOFF + SKIN), pos, CUTOFF, SKIN)
    moved = pos.clone()
    moved[0, 0], moved[3, 0] = 0.499 * SKIN, apart - 0.499 * SKIN
    assert listed.holds_at(moved)
    near = listed.graph_at(moved)
    assert_same_graph(near, search(moved, None))
    assert near.edge_index.shape[1] == listed.graph_at(pos).edge_index.shape[1] + 2


def test_edges_turn_with_the_system(cell: Tensor | None) -> None:
    pos, matrix = walk(1)[0], random_rotation()
    turned = None if cell is None else cell @ matrix.T
    one, other = search(pos, cell), search(pos @ matrix.T, turned)
    assert torch.equal(one.edge_index, other.edge_index)
    torch.testing.assert_close(
        other.displacement(pos @ matrix.T).norm(dim=1), one.displacement(pos).norm(dim=1)
    )


def test_width() -> None:
    assert skin_width(0.02, cutoff=2.0) == pytest.approx(0.8)
    assert skin_width(0.05, cutoff=2.0) == pytest.approx(1.0)
    assert skin_width(0.07, cutoff=2.0) == 0


# ---------------------------------------------------------------- in roll-outs


def periodic(trajectory: MappedTrajectory) -> MappedTrajectory:
    """In a triclinic cell that the chain is folded over several times."""
    vectors = np.array([[1.6, 0, 0], [0.5, 1.5, 0], [-0.4, 0.6, 1.4]])
    return replace(trajectory, cell=np.broadcast_to(vectors, (trajectory.n_frames, 3, 3)))


def cautious(simulator: Simulator) -> Simulator:
    """One of small steps, for which a skin pays."""
    small = 0.04 * simulator.scales.length_scale
    return Simulator(
        simulator.config,
        atom_types=simulator.atom_types,
        scales=replace(simulator.scales, step_scale=small),
    ).eval()


def states(simulator: Simulator, starts: list[MappedTrajectory], n_steps: int) -> list[State]:
    systems = choose_starts(simulator, starts, n_replicas=2, seed=0)
    still = [replace(system, pos=np.repeat(system.pos[-1:], 2, axis=0)) for system in systems]
    generator = torch.Generator().manual_seed(0)
    found = [simulator.start(start_batch(simulator, still), generator)]
    for _ in range(n_steps):
        found.append(simulator.step(found[-1]))
    return found[1:]


@pytest.mark.parametrize("make", [lambda chain: chain, periodic], ids=["open", "triclinic"])
def test_roll_outs_are_those_without_a_skin(
    make: Callable[[MappedTrajectory], MappedTrajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, score network included; and lists last for more than one step."""
    starts = [make(random_chain(20 + n, seed=n, name=str(n))) for n in range(2)]
    simulator = cautious(random_simulator(starts))
    n_searches = 0

    def counted(*arguments: object, **options: object) -> BeadGraph:
        nonlocal n_searches
        n_searches += 1
        return bead_graph(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(state_module, "bead_graph", counted)
    found = states(simulator, starts, 30)
    assert 1 < n_searches < 15
    monkeypatch.setattr(skin, "LARGEST_SKIN", 0.0)
    expected = states(simulator, starts, 30)
    assert n_searches > 30
    assert expected[-1].skin_list is None
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.pos, other.pos)
    assert simulator.score is not None


def test_no_list_where_steps_are_large() -> None:
    starts = [random_chain(20)]
    simulator = random_simulator(starts)
    assert skin_width(simulator.scales.step_scale, cutoff=simulator.cutoff) == 0
    assert all(state.skin_list is None for state in states(simulator, starts, 2))
