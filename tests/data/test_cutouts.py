"""Cut-outs of large systems: what is said of their core is what is said of it in the whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cgsim.config import ModelConfig
from cgsim.data.cutouts import CutoutDataset, nearest_image, surroundings
from cgsim.data.graphs import CGData
from cgsim.data.sampling import ReplayDataset, WindowSampler
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.testing.checks import outputs
from cgsim.testing.systems import TINY, random_chain, random_simulator

N_BEADS, N_WINDOW, SHELL = 130, 70, 3.5
SKEWED = np.array([[40.0, 0, 0], [0.3, 1.5, 0], [-0.4, 0.2, 1.4]])


def stretched(cell: np.ndarray | None = None, *, n_beads: int = N_BEADS) -> MappedTrajectory:
    """A chain along x, so that chains of edges reach only some way along it."""
    chain = random_chain(n_beads, seed=3, n_frames=5)
    pos = chain.pos + np.array([0.3, 0, 0], dtype=np.float32) * np.arange(n_beads)[:, None]
    cells = None if cell is None else np.broadcast_to(cell, (5, 3, 3))
    return replace(chain, pos=pos, cell=cells)


def with_noise(noise: str) -> ModelConfig:
    return replace(TINY, dynamics=replace(TINY.dynamics, noise=noise))


def cutouts(simulator: Simulator, systems: list[MappedTrajectory]) -> CutoutDataset:
    return CutoutDataset(simulator.windows(systems), n_beads=N_WINDOW, shell=SHELL, n_bonds=1)


@torch.no_grad()
def nll(simulator: Simulator, batch: CGData) -> float:
    return float(simulator.loss(batch)["nll"])


def both(
    simulator: Simulator, system: MappedTrajectory, *, window: int = 1, middle: int = 60
) -> tuple[CGData, CGData, Tensor]:
    """A cut-out, the whole system with the same core, and which of its beads are cut out."""
    dataset = cutouts(simulator, [system])
    cut = dataset[[window * N_BEADS + middle]]
    whole = dataset.windows[window]
    present = whole.pos[:, -1].double().numpy()
    cell = None if system.cell is None else system.cell[0]
    beads, core = surroundings(present, cell, middle=middle, n_beads=N_WINDOW, shell=SHELL)
    whole.core = torch.zeros(N_BEADS, dtype=torch.bool)
    whole.core[torch.as_tensor(beads[core])] = True
    rows = torch.as_tensor(beads)
    torch.testing.assert_close(cut.pos.diff(dim=1), whole.pos[rows].diff(dim=1))
    cut.pos, cut.next_pos = whole.pos[rows], whole.next_pos[rows]  # not centred anew
    assert 10 < int(whole.core.sum()) < N_WINDOW - 10
    return cut, whole, rows


@pytest.mark.parametrize("cell", [None, SKEWED], ids=["open", "triclinic"])
@pytest.mark.parametrize("noise", ["independent", "correlated", "elastic"])
def test_the_loss_of_the_core_is_that_in_the_whole_system(
    noise: str, cell: np.ndarray | None
) -> None:
    """Given a shell as thick as the convolutions reach: to rounding, and not without one."""
    system = stretched(cell)
    simulator = random_simulator([stretched()], with_noise(noise)).double()
    cut, whole, beads = both(simulator, system)
    found, expected = (nll(simulator, batch) for batch in (cut, whole))
    assert found == pytest.approx(expected, rel=1e-9)
    cut.core = torch.ones_like(cut.core)
    whole.core[beads] = True
    found, expected = (nll(simulator, batch) for batch in (cut, whole))
    assert found != pytest.approx(expected, rel=1e-5)


def test_networks_say_the_same_of_the_core() -> None:
    system = stretched(SKEWED)
    simulator = random_simulator([stretched()]).double()
    cut, whole, beads = both(simulator, system)
    residual = torch.randn(N_BEADS, 3, dtype=torch.float64)
    found = outputs(simulator, cut, residual[beads])
    expected = outputs(simulator, whole, residual)
    for name in ("mean", "displacement", "score"):
        torch.testing.assert_close(found[name][cut.core], expected[name][whole.core])
        assert not torch.allclose(found[name], expected[name][beads])  # the shell is not right
    torch.testing.assert_close(found["nll"], expected["nll"])


def test_score_loss_is_of_the_core() -> None:
    """Of an untrained network: the residuals of the shell have no part in it."""
    system = stretched()
    simulator = random_simulator([system], with_noise("independent")).double()
    cut, _, _ = both(simulator, system)
    changed = cut.clone()
    changed.next_pos = torch.where(cut.core[:, None], cut.next_pos, cut.next_pos + 0.1)
    assert simulator.score is not None
    with torch.no_grad():
        simulator.score.output.weight.zero_()
        one, other = (
            float(simulator.loss(batch, generator=torch.Generator().manual_seed(0))["score"])
            for batch in (cut, changed)
        )
    assert one == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize("cell", [None, SKEWED, np.diag([40.0, 1.5, 1.4])])
def test_edges_of_a_cut_out_are_those_of_the_whole(cell: np.ndarray | None) -> None:
    simulator = random_simulator([stretched()])
    cut, whole, beads = both(simulator, stretched(cell))
    part, all_of_it = (
        simulator.graph_at(batch.pos[:, -1].double(), batch) for batch in (cut, whole)
    )
    place = torch.full((N_BEADS,), -1)
    place[beads] = torch.arange(N_WINDOW)
    ends = place[all_of_it.edge_index]
    inside = (ends >= 0).all(dim=0)
    assert torch.equal(part.edge_index, ends[:, inside])
    for name in ("hop", "shift", "reach"):
        assert torch.equal(getattr(part, name), getattr(all_of_it, name)[inside]), name


def test_beads_of_a_cut_out_are_embedded_as_in_the_whole() -> None:
    simulator = random_simulator([stretched()])
    cut, whole, beads = both(simulator, stretched())
    torch.testing.assert_close(simulator.embed(cut), simulator.embed(whole)[beads])
    alone = CutoutDataset(
        simulator.windows([stretched()]), n_beads=N_WINDOW, shell=SHELL, n_bonds=0
    )[[N_BEADS + 60]]
    assert len(alone.atom_kind) == len(cut.atom_kind) < len(whole.atom_kind)
    assert len(alone.atom_type) < len(cut.atom_type) <= len(whole.atom_type)
    assert not torch.allclose(simulator.embed(alone), simulator.embed(cut))


def test_surroundings() -> None:
    """On a line in a periodic box: through its wall, the core in the middle."""
    pos = np.zeros((20, 3))
    pos[:, 0] = np.arange(20.0)
    cell = np.diag([20.0, 9.0, 9.0])
    beads, core = surroundings(pos, cell, middle=1, n_beads=9, shell=2.6)
    assert beads.tolist() == [0, 1, 2, 3, 4, 5, 17, 18, 19]
    assert beads[core].tolist() == [0, 1, 2, 3, 19]  # radius 5 of the first one outside
    beads, core = surroundings(pos, None, middle=1, n_beads=9, shell=100.0)
    assert beads.tolist() == list(range(9))
    assert beads[core].tolist() == [0, 1, 2]  # a quarter at least


def test_nearest_images() -> None:
    random = np.random.default_rng(0)
    displacement = 5 * random.normal(size=(50, 3))
    for cell in (np.diag([1.0, 1.2, 1.4]), np.array([[1.0, 0, 0], [0.4, 1.1, 0], [0.3, -0.5, 1]])):
        found = nearest_image(displacement, cell)
        images = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3) @ cell
        shortest = np.linalg.norm(found[:, None] + images, axis=2).min(axis=1)
        assert np.linalg.norm(found, axis=1) == pytest.approx(shortest)
        turns = (displacement - found) @ np.linalg.inv(cell)
        assert turns == pytest.approx(np.rint(turns), abs=1e-9)


def test_small_systems_are_taken_whole() -> None:
    small, large = random_chain(20, name="small", n_frames=5), stretched()
    simulator = random_simulator([small, large])
    dataset = cutouts(simulator, [small, large])
    index = np.random.default_rng(0)
    drawn = dataset.draw(index, 40)
    assert (drawn < len(dataset)).all()
    batch = dataset[drawn.tolist()]
    sizes = torch.bincount(batch.batch)
    assert sorted(set(sizes.tolist())) == [20, N_WINDOW]
    whole = sizes[batch.batch] == 20
    assert bool(batch.core[whole].all())
    assert not bool(batch.core[~whole].all())
    losses = simulator.loss(batch)
    assert all(bool(loss.isfinite()) for loss in losses.values())
    only = dataset[[0, 1]]
    assert torch.bincount(only.batch).tolist() == [20, 20]
    assert "core" not in only


def test_batches_are_drawn_alike_and_replayed() -> None:
    system = stretched()
    simulator = random_simulator([system])
    dataset = cutouts(simulator, [system])
    replay = ReplayDataset(dataset, dataset, share=0.5)
    for source in (dataset, replay):
        sampler = WindowSampler(source, batch_size=3, n_batches=2, seed=0)
        one, two = ([source[rows] for rows in sampler] for _ in range(2))
        for a, b in zip(one, two, strict=True):
            assert torch.equal(a.pos, b.pos)
        assert not torch.equal(one[0].pos, one[1].pos)
        assert torch.bincount(one[0].batch).tolist() == [N_WINDOW] * 3


def test_a_window_needs_a_bead() -> None:
    simulator = random_simulator([stretched()])
    with pytest.raises(ValueError, match="at least 1 bead, got n_beads=0"):
        CutoutDataset(simulator.windows([stretched()]), n_beads=0, shell=1.0, n_bonds=1)
