"""Windows hold the right frames, batches the right graphs, splits every frame once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch_geometric.data import Batch

from cgsim.data.graphs import CGData, SystemGraph
from cgsim.data.windows import WindowDataset
from cgsim.mapping.trajectory import (
    MappedTrajectory,
    atom_types_of,
    split_by_molecule,
    split_by_time,
)
from cgsim.testing.systems import ATOM_TYPES, random_chain, random_molecule, random_simulator


def dataset_of(
    *trajectories: MappedTrajectory, history: int = 2, stride: int = 1, n_hops: int = 2
) -> WindowDataset:
    return WindowDataset(
        trajectories,
        atom_types=ATOM_TYPES,
        history=history,
        stride=stride,
        n_hops=n_hops,
        n_bonds=3,
    )


def numbered(n_frames: int, *, n_beads: int = 3, name: str = "chain") -> MappedTrajectory:
    """A chain whose frames tell their number: x is the frame, y the bead squared."""
    chain = random_chain(n_beads, n_frames=n_frames, name=name)
    pos = np.zeros((n_frames, n_beads, 3), dtype=np.float32)
    pos[:, :, 0] = np.arange(n_frames)[:, None]
    pos[:, :, 1] = np.arange(n_beads) ** 2
    return replace(chain, pos=pos)


@pytest.mark.parametrize(("history", "stride"), [(1, 1), (2, 1), (2, 3), (4, 2)])
def test_frames_of_every_window(history: int, stride: int) -> None:
    n_frames = 20
    dataset = dataset_of(numbered(n_frames), history=history, stride=stride)
    assert len(dataset) == n_frames - history * stride
    for index in range(len(dataset)):
        window = dataset[index]
        assert window.pos.shape == (3, history, 3)
        assert window.next_pos.shape == (3, 3)
        past = stride * torch.arange(-(history - 1), 1.0)  # relative to the current frame
        torch.testing.assert_close(window.pos[:, :, 0], past.expand(3, -1))
        torch.testing.assert_close(window.next_pos[:, 0], torch.full((3,), float(stride)))


def test_every_window_is_there_once() -> None:
    """In order, of trajectory after trajectory; the last one ends with the last frame."""
    first, second = numbered(8), numbered(6, n_beads=4, name="other")
    for trajectory in (first, second):
        trajectory.pos[:, :, 0] **= 2  # steps tell where they are
    dataset = dataset_of(first, second)
    steps = [round(dataset[index].next_pos[0, 0].item()) for index in range(len(dataset))]
    assert steps == [2 * t + 1 for t in range(1, 7)] + [2 * t + 1 for t in range(1, 5)]
    assert [len(dataset[index].mass) for index in (0, 5, 6, 9)] == [3, 3, 4, 4]


def test_windows_are_centred_on_the_present_frame() -> None:
    """So that float32 keeps the steps of a molecule that has diffused 5 micrometres away."""
    chain = numbered(6)
    far = replace(chain, pos=chain.pos.astype(np.float64) * 1e-4 + 5000.0)
    window = dataset_of(far)[2]
    torch.testing.assert_close(window.pos[:, -1].mean(dim=0), torch.zeros(3), atol=1e-7, rtol=0)
    step = window.next_pos[:, 0] - window.pos[:, -1, 0]
    torch.testing.assert_close(step, torch.full((3,), 1e-4), rtol=1e-5, atol=0)
    assert window.pos.dtype == torch.float32


def test_static_tensors() -> None:
    ring = random_molecule(np.array([[0, 1, 2, 0], [1, 2, 3, 3]]), n_beads=4, seed=2)
    window = dataset_of(ring, n_hops=1)[0]
    pairs = {tuple(pair) for pair in window.edge_index[:, window.edge_hop == 1].T.tolist()}
    both = np.concatenate([ring.edge_index, ring.edge_index[::-1]], axis=1)
    assert pairs == {tuple(pair) for pair in both.T.tolist()}
    assert (window.edge_index[1].diff() >= 0).all()
    assert [ATOM_TYPES[i] for i in window.atom_type[window.atom_kind]] == list(ring.atom_type)
    assert window.mass.tolist() == ring.bead_mass.tolist()
    assert window.bead_index.tolist() == ring.bead_index.tolist()
    assert window.embedding_index.tolist() == [0, 1, 2, 3]
    assert (window.atom_edge_index[1].diff() >= 0).all()
    for atom, kind in enumerate(window.atom_kind.tolist()):
        bonded = ring.atom_bonds[::-1][ring.atom_bonds == atom]
        received = window.atom_edge_index[0, window.atom_edge_index[1] == kind]
        types = window.atom_type[received].tolist()
        assert sorted(types) == sorted(window.atom_type[window.atom_kind[bonded]].tolist())


def test_small_systems_without_a_cell_are_joined_completely() -> None:
    small, large = random_chain(16), random_chain(17, name="large")
    periodic = replace(small, cell=np.tile(9.0 * np.eye(3), (small.n_frames, 1, 1)))
    n_pairs = [
        dataset_of(chain, n_hops=1)[0].edge_index.shape[1] for chain in (small, large, periodic)
    ]
    assert n_pairs == [16 * 15, 2 * 16, 2 * 15]


def test_batch_is_the_batch_of_pytorch_geometric() -> None:
    """Bead by bead the same; only the atom graphs are shared, so rows of the embedding differ."""
    first, second = random_chain(4), random_chain(6, seed=1, name="other")
    dataset = dataset_of(first, second)
    chosen = [1, 7, 12, 15, 11]
    ours = dataset[chosen]
    theirs = Batch.from_data_list([dataset[index] for index in sorted(chosen)])
    for key in ("pos", "next_pos", "mass", "edge_index", "edge_hop", "batch"):
        assert torch.equal(ours[key], theirs[key]), key
    assert ours.num_nodes == theirs.num_nodes
    assert len(ours.atom_kind) == len(first.atom_type) + len(second.atom_type)

    def atoms_of_beads(data: CGData) -> list[list[int]]:
        """Types of the atoms that make up every bead's row of the embedding."""
        rows = data.embedding_index[:, None] == data.bead_index
        return [data.atom_type[data.atom_kind[row]].tolist() for row in rows]

    assert atoms_of_beads(ours) == atoms_of_beads(theirs)

    def kinds_bonded(data: CGData) -> list[list[int]]:
        """Types of what every atom receives from, of the atoms of each bead."""
        rows = data.embedding_index[:, None] == data.bead_index
        source, destination = data.atom_edge_index
        return [
            data.atom_type[source[destination == kind]].tolist()
            for row in rows
            for kind in data.atom_kind[row]
        ]

    assert kinds_bonded(ours) == kinds_bonded(theirs)


def test_batches_of_batches() -> None:
    """PyTorch Geometric joins our shared batches rightly, too."""
    dataset = dataset_of(random_chain(4), random_chain(6, seed=1, name="other"))
    joined = Batch.from_data_list([dataset[[0, 1]], dataset[[11, 12]]])
    expected = dataset[[0, 1, 11, 12]]
    for key in ("atom_type", "atom_edge_index", "atom_kind", "bead_index", "embedding_index"):
        assert torch.equal(joined[key], expected[key]), key


def test_indices() -> None:
    dataset = dataset_of(random_chain(4))
    for index in (-1, len(dataset), [0, len(dataset)], []):
        with pytest.raises(IndexError, match=rf"0\.\.{len(dataset) - 1}"):
            dataset[index]
    assert torch.equal(dataset[np.int64(3)].pos, dataset[3].pos)
    assert torch.equal(dataset[[3, 0]].pos, dataset[[0, 3]].pos)


def test_cells_of_the_present_frame() -> None:
    chain = random_chain(3, n_frames=6)
    cell = np.arange(6.0)[:, None, None] + 5 * np.eye(3)
    found = dataset_of(replace(chain, cell=cell), history=2, stride=2)[[0, 1]].cell
    assert torch.equal(found, torch.as_tensor(cell[2:4]).float())
    assert "cell" not in dataset_of(chain)[0]


def test_mixed_cells_are_refused() -> None:
    free = random_chain(3)
    boxed = replace(free, name="boxed", cell=np.tile(5 * np.eye(3), (12, 1, 1)))
    dataset = dataset_of(free, boxed)
    assert "cell" in dataset[len(dataset) - 1]
    with pytest.raises(ValueError, match="some systems have a periodic cell and others none"):
        dataset[[0, len(dataset) - 1]]


def test_too_short() -> None:
    assert len(dataset_of(random_chain(n_frames=7), history=3, stride=2)) == 1
    with pytest.raises(ValueError, match=r"^chain: 6 frames; 3 past frames .* at least 7"):
        dataset_of(random_chain(n_frames=6), history=3, stride=2)


def test_unknown_atom_types() -> None:
    strange = replace(random_chain(3, name="strange"), atom_type=("A", "Xe", "A"))
    with pytest.raises(ValueError, match=r"^strange: atom type 'Xe' .* known types: A, B, C"):
        SystemGraph.build(strange, atom_types=ATOM_TYPES, n_hops=1, n_bonds=1)


def test_atom_types_are_sorted() -> None:
    chain = random_chain(2)
    chains = [replace(chain, atom_type=("O", "C")), replace(chain, atom_type=("H", "C"))]
    assert atom_types_of(chains) == ("C", "H", "O")


def test_frames_is_a_view() -> None:
    chain = replace(random_chain(n_frames=9), cell=np.zeros((9, 3, 3)))
    part = chain.frames(2, 5)
    assert part.n_frames == 3
    assert np.shares_memory(part.pos, chain.pos)
    assert np.array_equal(part.pos, chain.pos[2:5])
    assert part.cell is not None
    assert part.cell.shape == (3, 3, 3)


@pytest.mark.parametrize("fraction", [0.1, 0.33, 0.5])
def test_split_by_time(fraction: float) -> None:
    chains = [numbered(20), numbered(7, name="other")]
    early, late = split_by_time(chains, fraction=fraction)
    for chain, start, end in zip(chains, early, late, strict=True):
        assert np.array_equal(np.concatenate([start.pos, end.pos]), chain.pos)
        assert end.n_frames == pytest.approx(fraction * chain.n_frames, abs=0.5)
        assert start.name == end.name == chain.name


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 1.0])
def test_split_by_molecule(fraction: float) -> None:
    """All replicas of a molecule on one side, no side empty, nothing lost."""
    chains = [random_chain(3, name=f"m{i % 5}", seed=i) for i in range(10)]
    train, held = split_by_molecule(chains, fraction=fraction, seed=3)
    names = [{chain.name for chain in side} for side in (train, held)]
    assert names[0] | names[1] == {chain.name for chain in chains}
    assert not names[0] & names[1]
    assert len(names[1]) == min(max(round(5 * fraction), 1), 4)
    assert len(train) + len(held) == 10
    again = split_by_molecule(chains, fraction=fraction, seed=3)
    assert [chain.name for chain in again[1]] == [chain.name for chain in held]


def test_split_by_molecule_depends_on_the_seed() -> None:
    chains = [random_chain(3, name=f"m{i}") for i in range(8)]
    held = {split_by_molecule(chains, fraction=0.1, seed=seed)[1][0].name for seed in range(8)}
    assert len(held) > 1


def test_split_needs_two_molecules() -> None:
    with pytest.raises(ValueError, match="at least two molecules"):
        split_by_molecule([random_chain(), random_chain(seed=1)], fraction=0.5, seed=0)


def test_windows_without_rigid_motion_are_superposed_on_their_present() -> None:
    """Shapes stay; nothing is left to turn or move by; with rigid motion frames are as they are."""
    chain = random_chain(5, n_frames=12)
    rows = np.array([[0, 3, 6], [2, 5, 8]])
    np.testing.assert_array_equal(chain.at(rows), chain.pos[rows])
    still = replace(chain, recipe=chain.recipe | {"rigid_motion": False})
    found = still.at(rows, current=1)
    for frames, before in zip(found, chain.pos[rows].astype(float), strict=True):
        assert np.abs(np.einsum("n,knc->kc", chain.bead_mass, frames)).max() < 1e-9
        for frame, original in zip(frames, before, strict=True):
            np.testing.assert_allclose(pdist(frame), pdist(original))
            torque = np.einsum("n,ni,nj->ij", chain.bead_mass, frame, frames[1])
            np.testing.assert_allclose(torque, torque.T, atol=1e-9 * np.abs(torque).max() + 1e-9)
    dataset = random_simulator([still]).windows([still])
    batch = dataset[4]
    pos = torch.cat([batch.pos, batch.next_pos[:, None]], dim=1).numpy().swapaxes(0, 1)
    expected = still.at(4 + dataset.first + dataset.offsets, current=-2)
    expected = expected - expected[-2].mean(axis=0)
    np.testing.assert_allclose(pos, expected, atol=1e-6)
