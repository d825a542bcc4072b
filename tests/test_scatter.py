"""The same numbers with torch-scatter and without it; `make test-scatter` installs and runs.

PyTorch Geometric takes torch-scatter only where it expects it to be faster (on GPUs); here every
`scatter` of the model is sent through it, so that the comparison means something on a CPU too.
"""

import numpy as np
import pytest
import torch
import torch_geometric.typing
from torch import Tensor
from torch_geometric.utils import scatter

import cgsim.embedding
import cgsim.nn.convolution
from cgsim.config import ModelConfig
from cgsim.data import CGData, MappedTrajectory, WindowDataset
from cgsim.simulator import Simulator
from cgsim.statistics import measure

torch_scatter = pytest.importorskip("torch_scatter")
if not hasattr(torch_scatter, "scatter"):
    pytest.skip("torch_scatter is installed but empty", allow_module_level=True)

pytestmark = pytest.mark.scatter


def by_torch_scatter(
    src: Tensor, index: Tensor, dim: int = 0, dim_size: int | None = None, reduce: str = "sum"
) -> Tensor:
    """Stand in for `torch_geometric.utils.scatter`, with the kernels of torch-scatter."""
    return torch_scatter.scatter(src, index, dim, dim_size=dim_size, reduce=reduce)


@pytest.fixture
def windows() -> tuple[Simulator, CGData]:
    """Return a float64 simulator and some windows of a random chain, 12 atoms in 4 beads."""
    n_atoms, n_beads, n_frames = 12, 4, 10
    random = np.random.default_rng(0)
    chain = random.normal(scale=0.3, size=(n_beads, 3)).cumsum(axis=0)
    trajectory = MappedTrajectory(
        name="chain",
        atom_type=tuple("AB"[i % 2] for i in range(n_atoms)),
        atom_bonds=np.stack([np.arange(n_atoms - 1), np.arange(1, n_atoms)]),
        bead_index=np.arange(n_atoms) // 3,
        bead_mass=np.full(n_beads, 3.0),
        edge_index=np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)]),
        pos=chain + random.normal(scale=0.02, size=(n_frames, n_beads, 3)).cumsum(axis=0),
        frame_interval=1.0,
        recipe={},
    )
    config = ModelConfig()
    simulator = Simulator(
        config, atom_types=("A", "B"), statistics=measure([trajectory], stride=1)
    ).double()
    dataset = WindowDataset(
        [trajectory],
        atom_types=("A", "B"),
        history=config.history,
        stride=1,
        n_hops=config.graph.n_hops,
    )
    with torch.no_grad():  # away from the zeros some layers start at
        for parameter in simulator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return simulator, dataset[[0, 3, 5]]


def loss_and_gradients(simulator: Simulator, batch: CGData) -> list[Tensor]:
    """Return the losses of a batch, and the gradients of their sum."""
    simulator.zero_grad()
    losses = simulator.loss(batch, generator=torch.Generator().manual_seed(1))
    sum(losses.values(), torch.zeros(())).backward()
    gradients = [p.grad.clone() for p in simulator.parameters() if p.grad is not None]
    return [loss.detach() for loss in losses.values()] + gradients


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_scatter_agrees(reduce: str) -> None:
    src = torch.randn(50, 7, dtype=torch.float64)
    index = torch.randint(9, (50,))  # destination 9 stays empty
    ours = scatter(src, index, dim_size=10, reduce=reduce)
    theirs = by_torch_scatter(src, index, dim_size=10, reduce=reduce)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_simulator_agrees(
    windows: tuple[Simulator, CGData], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", False)
    without = loss_and_gradients(*windows)
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", True)
    monkeypatch.setattr(cgsim.embedding, "scatter", by_torch_scatter)
    monkeypatch.setattr(cgsim.nn.convolution, "scatter", by_torch_scatter)
    with_ = loss_and_gradients(*windows)
    assert max(value.abs().max() for value in without) > 1e-3
    torch.testing.assert_close(with_, without, rtol=1e-10, atol=1e-10)
