"""The simulator without the atom graph: all symmetries kept, bonds inside the beads not seen."""

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from cgsim.baselines.composition import CompositionEmbedding
from cgsim.config import EmbeddingConfig, Hardware, TrainingConfig
from cgsim.data.scales import measure
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.checkpoint import load_simulator, read_header
from cgsim.model.networks import with_networks
from cgsim.model.simulator import Simulator
from cgsim.testing.checks import assert_batch_invariant, assert_equivariant, outputs
from cgsim.testing.systems import ATOM_TYPES, TINY, perturb_parameters, random_chain
from cgsim.training.fit import fit

# Six atoms in two beads: 0-1-2 and 3-4-5, a chain.
TYPES = torch.tensor([0, 1, 0, 1, 2, 0])
BONDS = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
BEADS = torch.tensor([0, 0, 0, 1, 1, 1])


def network() -> CompositionEmbedding:
    return CompositionEmbedding(3, EmbeddingConfig(n_channels=5)).double()


def embed(
    layer: CompositionEmbedding,
    types: Tensor = TYPES,
    bonds: Tensor = BONDS,
    beads: Tensor = BEADS,
) -> Tensor:
    found: Tensor = layer(
        types, atom_edge_index=bonds, atom_kind=torch.arange(len(types)), bead_index=beads
    )
    return found


def untrained(trajectories: list[MappedTrajectory]) -> Simulator:
    scales = measure(trajectories, stride=1)
    model = with_networks(TINY, CompositionEmbedding)
    return Simulator(model, atom_types=ATOM_TYPES, scales=scales)


def random_composition(trajectories: list[MappedTrajectory]) -> Simulator:
    """Random weights, none of them zero, in float64 and evaluation mode."""
    simulator = untrained(trajectories)
    perturb_parameters(simulator)
    simulator.double().eval()
    return simulator


def test_embedding_is_that_of_fractions_and_size() -> None:
    layer = network()
    third, size = 1 / 3, math.log(3)
    known = torch.tensor([[2 * third, third, 0, size], [third, third, third, size]])
    torch.testing.assert_close(embed(layer), layer.network(known.double()), rtol=1e-6, atol=1e-6)


def test_bonds_and_the_order_of_atoms_do_not_matter() -> None:
    layer, order = network(), torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = embed(layer, TYPES[order], BONDS[:, :1], BEADS[order])
    assert torch.equal(shuffled, embed(layer))


def test_order_of_beads_is_followed() -> None:
    layer = network()
    torch.testing.assert_close(embed(layer, beads=1 - BEADS), embed(layer).flip(0))


def test_size_matters_where_fractions_are_the_same() -> None:
    types, beads = torch.tensor([0, 1, 0, 1, 0, 1]), torch.tensor([0, 0, 1, 1, 1, 1])
    found = embed(network(), types, beads=beads)
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_equivariant() -> None:
    chain = random_chain(6)
    assert_equivariant(random_composition([chain]), chain)


def test_batch_is_many_singles() -> None:
    chains = [random_chain(4), random_chain(7, seed=3), random_chain(2, seed=8, name="dimer")]
    assert_batch_invariant(random_composition(chains), chains)


def test_isomers_are_the_same_to_it() -> None:
    """Two types swapped inside each bead: another atom graph, the same composition."""
    chain = random_chain(5, max_atoms=3)
    atoms = sorted(range(len(chain.atom_type)), key=lambda atom: (chain.bead_index[atom], -atom))
    isomer = replace(chain, atom_type=tuple(chain.atom_type[atom] for atom in atoms))
    assert isomer.atom_type != chain.atom_type
    simulator = random_composition([chain])
    residual = torch.zeros(5, 3)
    one, other = (
        outputs(simulator, simulator.windows([system])[3], residual) for system in (chain, isomer)
    )
    for key, value in one.items():
        assert torch.equal(other[key], value), key


def test_untrained_does_not_move() -> None:
    chain = random_chain(5)
    simulator = untrained([chain])
    displacement = simulator.predict(simulator.windows([chain])[3]).displacement
    assert torch.equal(displacement, torch.zeros(5, 3))


def test_every_parameter_of_the_embedding_learns() -> None:
    chain = random_chain(6)
    simulator = random_composition([chain])
    assert isinstance(simulator.embedding, CompositionEmbedding)
    simulator.loss(simulator.windows([chain])[[0, 4]])["nll"].backward()
    for name, parameter in simulator.embedding.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_trained_and_stored_like_any_simulator(tmp_path: Path) -> None:
    chain = random_chain(5, n_frames=60)
    simulator = fit(
        [chain],
        tmp_path,
        model=TINY,
        training=TrainingConfig(n_steps=2, batch_size=4, n_warmup=1, steps_per_epoch=2),
        hardware=Hardware(accelerator="cpu"),
        network=CompositionEmbedding,
    )
    file = tmp_path / "simulator.safetensors"
    assert read_header(file)["model"]["networks"]["embedding"] == "CompositionEmbedding"
    found = load_simulator(file, network=CompositionEmbedding)
    assert type(found.embedding) is type(simulator.embedding) is CompositionEmbedding
    batch, residual = found.windows([chain])[[2, 5]], torch.randn(10, 3)
    expected = outputs(simulator, batch, residual)
    for key, value in outputs(found, batch, residual).items():
        assert torch.equal(value, expected[key]), key
