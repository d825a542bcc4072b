"""The dynamics network: sensible before training, bounded, continuous, equivariant."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.config import DynamicsConfig, GraphConfig
from cgsim.model.dynamics import LARGEST_DISPLACEMENT, Beads, Dynamics, Prediction, bounded
from cgsim.model.noise.correlated import CorrelatedGaussian
from cgsim.model.noise.elastic import ElasticGaussian
from cgsim.model.noise.independent import IndependentGaussian
from cgsim.nn.graph.neighbours import BeadGraph, Topology, bead_graph, topological_pairs
from cgsim.testing.checks import dense_precision, random_rotation, rotated_precision
from cgsim.testing.systems import perturb_parameters

CUTOFF = 2.0
N_BEADS = 5
BONDS = np.array([[0, 1], [1, 2]])  # a chain of three beads, and two beads without bonds


@pytest.fixture(autouse=True)
def _double() -> None:
    torch.set_default_dtype(torch.float64)


def network(*, history: int = 3, lmax: int = 1, noise: str = "correlated") -> Dynamics:
    config = DynamicsConfig(n_channels=4, n_layers=2, lmax=lmax, noise=noise)
    graph = GraphConfig(n_hops=2, cutoff=CUTOFF, n_radial=4)
    return Dynamics(config, graph, history=history, n_embedding=3)


def beads_of(history: int = 3) -> Beads:
    return Beads(
        embedding=torch.randn(N_BEADS, 3),
        steps=torch.randn(N_BEADS, history - 1, 3),
        mass=torch.rand(N_BEADS) + 0.5,
        noise_level=0.1 * torch.rand(N_BEADS),
    )


def graph_of(pos: Tensor) -> BeadGraph:
    pairs, hop = topological_pairs(BONDS, N_BEADS, n_hops=2)
    return bead_graph(
        pos,
        cutoff=CUTOFF,
        topology=Topology(torch.as_tensor(pairs), torch.as_tensor(hop)),
        batch=torch.zeros(N_BEADS, dtype=torch.long),
        n_graphs=1,
    )


def predict(dynamics: Dynamics, beads: Beads, pos: Tensor) -> Prediction:
    graph = graph_of(pos)
    found: Prediction = dynamics(beads, graph.displacement(pos), graph=graph)
    return found


def test_untrained_mean_is_the_overdamped_prior() -> None:
    """No displacement: the acceleration stops the last step, ``a = -v / Delta``."""
    beads = beads_of()
    found = predict(network(), beads, torch.randn(N_BEADS, 3))
    torch.testing.assert_close(found.displacement, torch.zeros(N_BEADS, 3))
    torch.testing.assert_close(found.acceleration.mean, -beads.steps[:, -1])


@pytest.mark.parametrize("noise", ["independent", "correlated", "elastic"])
def test_untrained_precision_is_that_of_the_data(noise: str) -> None:
    field = predict(network(noise=noise), beads_of(), torch.randn(N_BEADS, 3)).acceleration
    torch.testing.assert_close(field.diagonal, torch.ones(N_BEADS))
    covariance = torch.linalg.inv(dense_precision(field))
    assert covariance.diagonal().min() > 0.7
    assert covariance.diagonal().max() <= 1.0


def test_noise_chooses_the_distribution() -> None:
    beads, pos = beads_of(), torch.randn(N_BEADS, 3)
    kinds = {
        "independent": IndependentGaussian,
        "correlated": CorrelatedGaussian,
        "elastic": ElasticGaussian,
    }
    for noise, kind in kinds.items():
        assert type(predict(network(noise=noise), beads, pos).acceleration) is kind


@pytest.mark.parametrize("lmax", [1, 2])
@pytest.mark.parametrize("history", [1, 2, 4])
@pytest.mark.parametrize("sign", [1, -1], ids=["rotation", "reflection"])
def test_equivariant(history: int, lmax: int, sign: int) -> None:
    noise = "elastic" if history == 2 else "correlated"
    dynamics = network(history=history, lmax=lmax, noise=noise)
    perturb_parameters(dynamics)
    beads, pos = beads_of(history), torch.randn(N_BEADS, 3)
    matrix = sign * random_rotation(seed=3)
    before = predict(dynamics, beads, pos)
    after = predict(dynamics, replace(beads, steps=beads.steps @ matrix.T), pos @ matrix.T)
    expected = [
        before.displacement @ matrix.T,
        before.acceleration.mean @ matrix.T,
        rotated_precision(dense_precision(before.acceleration), matrix),
    ]
    found = [after.displacement, after.acceleration.mean, dense_precision(after.acceleration)]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    turn = dynamics.irreps.D_from_matrix(matrix)
    torch.testing.assert_close(after.latent, before.latent @ turn.T, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("what", ["embedding", "steps", "mass", "noise_level"])
def test_every_input_matters(what: str) -> None:
    dynamics, beads, pos = network(), beads_of(), torch.randn(N_BEADS, 3)
    perturb_parameters(dynamics)
    other = replace(beads, **{what: 1.1 * getattr(beads, what)})
    before, after = predict(dynamics, beads, pos), predict(dynamics, other, pos)
    assert (after.displacement - before.displacement).abs().max() > 1e-6
    assert (after.acceleration.diagonal - before.acceleration.diagonal).abs().max() > 1e-6


def test_continuous_where_a_pair_crosses_the_cutoff() -> None:
    """Bead 4 leaves bead 0; mean, latents and the dense precision change no more than it moves."""
    dynamics, beads = network(), beads_of()
    perturb_parameters(dynamics)
    pos = torch.tensor([[0.0, 0, 0], [-1, 0, 0], [-2, 0, 0], [0, 9, 0], [0, 0, 0]])

    def at(distance: float) -> tuple[int, Tensor]:
        moved = pos.clone()
        moved[4, 0] = distance
        found = predict(dynamics, beads, moved)
        field = found.acceleration
        said = [field.mean, found.latent, dense_precision(field)]
        return graph_of(moved).edge_index.shape[1], torch.cat([part.flatten() for part in said])

    step = 1e-5
    n_inside, inside = at(CUTOFF - step)
    n_outside, outside = at(CUTOFF + step)
    assert n_inside == n_outside + 2
    assert (inside - outside).abs().max() < 1e-9
    assert (at(CUTOFF - 0.5)[1] - outside).abs().max() > 1e-3


def test_bonded_pairs_are_seen_at_any_distance() -> None:
    dynamics, beads = network(), beads_of()
    perturb_parameters(dynamics)
    pos = torch.tensor([[0.0, 0, 0], [9, 0, 0], [0, 20, 0], [0, 0, 30], [0, 0, -30]])
    before = predict(dynamics, beads, pos).displacement
    pos[0, 0] += 1.0
    change = (predict(dynamics, beads, pos).displacement - before).abs().amax(dim=1)
    assert change[:3].min() > 1e-6
    torch.testing.assert_close(change[3:], torch.zeros(2))


def test_bounded_keeps_the_direction() -> None:
    vector = torch.randn(20, 3) * torch.logspace(-4, 4, 20)[:, None]
    found = bounded(vector, 6.0)
    assert (found.norm(dim=1) < 6.0).all()
    torch.testing.assert_close(torch.cross(found, vector, dim=1), torch.zeros(20, 3))
    assert ((found * vector).sum(dim=1) > 0).all()
    torch.testing.assert_close(found[0], vector[0])


def test_no_step_tears_a_molecule_apart() -> None:
    """However wild history and weights are, the mean displacement stops at its bound."""
    dynamics, beads = network(), beads_of()
    perturb_parameters(dynamics, scale=20.0)
    wild = replace(beads, steps=1e6 * beads.steps)
    found = predict(dynamics, wild, torch.randn(N_BEADS, 3))
    longest = torch.full((N_BEADS,), LARGEST_DISPLACEMENT)
    torch.testing.assert_close(found.displacement.norm(dim=1), longest)
