"""The same numbers with torch-scatter and without it; `make test-scatter` installs and runs.

PyTorch Geometric takes torch-scatter only where it expects it to be faster (on GPUs). Here every
`scatter` of the model (of its embedding; beads and edges are summed by `index_add`) is sent through
it, so that the comparison means something on a CPU too.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric.utils import scatter

import cgsim.model.embedding
from cgsim.config import ModelConfig
from cgsim.data.graphs import CGData
from cgsim.data.scales import measure
from cgsim.data.windows import WindowDataset
from cgsim.io import molecule_from_topology
from cgsim.mapping import map_metis
from cgsim.mapping.store import map_trajectory
from cgsim.mapping.trajectory import atom_types_of
from cgsim.model.simulator import Simulator

try:
    import torch_scatter
except ImportError:
    torch_scatter = None

pytestmark = pytest.mark.scatter

Scatter = Callable[..., Tensor]


def by_index_add(
    src: Tensor, index: Tensor, dim: int = 0, dim_size: int = 0, reduce: str = "sum"
) -> Tensor:
    """Sum or average rows by `index_add`, with no package at all."""
    assert dim == 0
    total = src.new_zeros(dim_size, *src.shape[1:]).index_add(0, index, src)
    if reduce == "sum":
        return total
    assert reduce == "mean"
    count = torch.bincount(index, minlength=dim_size).clamp(min=1)
    return total / count.view(-1, *[1] * (src.dim() - 1))


def by_torch_scatter(
    src: Tensor, index: Tensor, dim: int = 0, dim_size: int = 0, reduce: str = "sum"
) -> Tensor:
    """Reduce with the kernels of torch-scatter."""
    return torch_scatter.scatter(src, index, dim, dim_size=dim_size, reduce=reduce)


@pytest.fixture(params=[by_index_add, by_torch_scatter])
def other(request: pytest.FixtureRequest) -> Scatter:
    """Return another implementation of `torch_geometric.utils.scatter`."""
    if request.param is by_torch_scatter and not hasattr(torch_scatter, "scatter"):
        pytest.skip("torch-scatter is not installed (see make test-scatter)")
    return request.param


@pytest.fixture
def windows(tmp_path: Path) -> tuple[Simulator, CGData]:
    """Return a float64 simulator and some windows of a random chain, 12 atoms in 4 beads."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("CHN", topology.add_chain())
    elements = [mdtraj.element.carbon, mdtraj.element.nitrogen] * 6
    atoms = [topology.add_atom(f"A{i}", element, residue) for i, element in enumerate(elements)]
    for first, second in pairwise(atoms):
        topology.add_bond(first, second)
    random = np.random.default_rng(0)
    steps = random.normal(size=(12, 3))
    chain = (0.15 * steps / np.linalg.norm(steps, axis=1, keepdims=True)).cumsum(axis=0)
    xyz = chain + random.normal(scale=0.003, size=(10, 12, 3)).cumsum(axis=0)
    mdtraj.Trajectory(xyz, topology, time=np.arange(10.0)).save_xtc(str(tmp_path / "chain.xtc"))

    molecule = molecule_from_topology(topology)
    mapping = map_metis(molecule, atoms_per_bead=3)
    trajectories = [map_trajectory(tmp_path / "chain.xtc", molecule, mapping)]
    config, types = ModelConfig(), atom_types_of(trajectories)
    simulator = Simulator(config, atom_types=types, scales=measure(trajectories, stride=1))
    dataset = WindowDataset(
        trajectories,
        atom_types=types,
        history=config.history,
        stride=1,
        n_hops=config.graph.n_hops,
        n_bonds=config.embedding.n_layers,
    )
    with torch.no_grad():  # away from the zeros that some layers start at
        for parameter in simulator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return simulator.double(), dataset[[0, 3, 5]]


def loss_and_gradients(simulator: Simulator, batch: CGData) -> list[Tensor]:
    """Return the losses of a batch, and the gradients of their sum."""
    simulator.zero_grad()
    losses = simulator.loss(batch, generator=torch.Generator().manual_seed(1))
    sum(losses.values(), torch.zeros(())).backward()
    gradients = [p.grad.clone() for p in simulator.parameters() if p.grad is not None]
    return [loss.detach() for loss in losses.values()] + gradients


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_scatter_agrees(other: Scatter, reduce: str) -> None:
    src = torch.randn(50, 7, dtype=torch.float64)
    index = torch.randint(9, (50,))  # destination 9 stays empty
    expected = scatter(src, index, dim_size=10, reduce=reduce)
    torch.testing.assert_close(other(src, index, dim_size=10, reduce=reduce), expected)


def test_simulator_agrees(
    other: Scatter, windows: tuple[Simulator, CGData], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", False)
    without = loss_and_gradients(*windows)
    calls = []

    def counted(*arguments: Tensor, **options: int | str) -> Tensor:
        calls.append(options)
        return other(*arguments, **options)

    monkeypatch.setattr(cgsim.model.embedding, "scatter", counted)
    replaced = loss_and_gradients(*windows)
    assert calls
    assert max(value.abs().max() for value in without) > 1e-3
    torch.testing.assert_close(replaced, without, rtol=1e-10, atol=1e-10)
