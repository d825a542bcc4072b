"""Pairs near in a reference are edges, each once, with their distances there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import squareform

from cgsim.data.references import ReferenceEdges
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.checks import assert_batch_invariant, assert_equivariant
from cgsim.testing.systems import TINY, random_chain, random_simulator

N_HOPS = TINY.graph.n_hops
NEAR = N_HOPS + 1


def reference_of(system: MappedTrajectory) -> np.ndarray:
    assert system.reference is not None
    return system.reference


def referred(n_beads: int, n_references: int = 1, *, name: str = "chain") -> MappedTrajectory:
    chain = random_chain(n_beads, n_frames=12, seed=n_beads, name=name)
    return replace(chain, reference=chain.pos[4 : 4 + n_references].astype(np.float64))


def simulator_of(*systems: MappedTrajectory, n_references: int = 1) -> Simulator:
    graph = replace(TINY.graph, n_references=n_references, reference_cutoff=1.5)
    return random_simulator(systems, replace(TINY, graph=graph)).double()


def distances(pos: np.ndarray) -> np.ndarray:
    return np.linalg.norm(pos[:, None] - pos[None], axis=2)


@pytest.mark.parametrize("n_beads", [8, 40])  # all pairs are edges; a search
@pytest.mark.parametrize("n_references", [1, 2])
def test_pairs_near_in_any_reference_are_edges(n_beads: int, n_references: int) -> None:
    system = referred(n_beads, n_references)
    simulator = simulator_of(system, n_references=n_references)
    data = simulator.windows([system])[0]
    length = simulator.scales.length_scale
    pairs = [tuple(pair) for pair in data.edge_index.T.tolist()]
    assert len(set(pairs)) == len(pairs)
    assert pairs == sorted(pairs, key=lambda pair: pair[::-1]), "sorted by destination"
    hop = dict(zip(pairs, data.edge_hop.tolist(), strict=True))
    near = (np.stack([distances(own) for own in reference_of(system)]) < 1.5 * length).any(axis=0)
    for i in range(n_beads):
        for j in set(range(n_beads)) - {i}:
            along = abs(i - j)
            wanted = along if along <= N_HOPS else NEAR * int(np.asarray(near)[i, j])
            assert hop.get((i, j), 0) == wanted
    source, destination = data.edge_index.numpy()
    known = data.edge_reach[:, 1:].numpy()
    is_known = data.edge_hop.numpy() > 0
    for column, own in zip(known.T, reference_of(system), strict=True):
        expected = np.where(is_known, distances(own)[source, destination] / length, 0)
        np.testing.assert_allclose(column, expected, rtol=1e-5)


def test_a_molecule_of_fewer_references_repeats_its_last() -> None:
    system = referred(20)
    edges = ReferenceEdges(2, cutoff=0.5, length_scale=0.3, hop=3)
    np.testing.assert_array_equal(edges.of(system), reference_of(system)[[0, 0]])


def test_counted_pairs_are_those_that_are_edges() -> None:
    system = referred(20)
    edges = ReferenceEdges(1, cutoff=0.7, length_scale=0.3, hop=3)
    none = np.zeros((2, 0), dtype=np.int64), np.zeros(0, dtype=np.int64)
    pairs, hop = edges.joined(system, *none)
    assert pairs.shape[1] == edges.count(system)
    assert (hop == 3).all()


def test_a_molecule_without_one_or_with_too_many_is_named() -> None:
    system = referred(20, 3, name="calmodulin")
    simulator = simulator_of(system, n_references=2)
    with pytest.raises(ValueError, match=r"calmodulin: 3 reference structures, .* knows of 2"):
        simulator.windows([system])
    with pytest.raises(ValueError, match=r"calmodulin: no reference structure.*--reference"):
        simulator.windows([replace(system, reference=None)])


@pytest.mark.parametrize("n_references", [1, 2])
@pytest.mark.parametrize("n_beads", [9, 24])
def test_equivariance_stays_exact(n_beads: int, n_references: int) -> None:
    system = referred(n_beads, n_references)
    assert_equivariant(simulator_of(system, n_references=n_references), system)


def test_a_batch_is_many_singles() -> None:
    systems = [referred(7, name="a"), referred(9, 2, name="b"), referred(9, name="c")]
    assert_batch_invariant(simulator_of(*systems, n_references=2), systems)
    large = [referred(24, name="a"), referred(30, name="b")]
    assert_batch_invariant(simulator_of(*large), large)


def test_edges_of_a_reference_are_never_cut_off() -> None:
    system = referred(24)
    pair = np.argwhere(np.triu(distances(reference_of(system)[0]) < 0.4, k=5))[0]
    simulator = simulator_of(system)
    far = system.pos.astype(np.float64)
    far[:, pair[1] :] += np.array([30.0, 0.0, 0.0])  # far beyond every cutoff
    data = simulator.windows([replace(system, pos=far)])[0]
    graph = simulator.graph_at(data.pos[:, -1].double(), data)
    found = [tuple(edge) for edge in graph.edge_index.T[graph.hop == NEAR].tolist()]
    assert tuple(pair.tolist()) in found
    assert tuple(pair[::-1].tolist()) in found


def test_the_networks_see_the_reference() -> None:
    system = referred(24)
    simulator = simulator_of(system)
    other = replace(system, reference=1.02 * reference_of(system))
    said = [simulator.predict(simulator.windows([own])[0]) for own in (system, other)]
    means = [own.acceleration.mean for own in said]
    precisions = [own.acceleration.precision() for own in said]
    assert (means[0] - means[1]).abs().max() > 1e-6
    assert (precisions[0] - precisions[1]).abs().max() > 1e-6
    turned = replace(system, reference=reference_of(system) @ np.diag([-1.0, -1.0, 1.0]) + 3.0)
    same = simulator.predict(simulator.windows([turned])[0]).acceleration.mean
    torch.testing.assert_close(same, means[0], rtol=1e-5, atol=1e-5)
    assert squareform(distances(reference_of(system)[0]), checks=False).min() > 0
