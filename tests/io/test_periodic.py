"""Minimum images and unwrapping against exactly known answers."""

import tracemalloc
from itertools import product
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cgsim.io import Unwrapper, iter_frames, minimum_image, unwrap
from tests.io.systems import chain_bonds, comb_bonds, molecule_of, random_walk

SIDE = 2.0
CELLS = {
    "cube": SIDE * np.eye(3),
    "orthorhombic": np.diag([2.0, 2.7, 1.9]),
    "triclinic": np.array([[2.0, 0, 0], [0.9, 2.2, 0], [-0.7, 1.0, 2.4]]),
    "truncated octahedron": SIDE
    * np.array([[1, 0, 0], [1 / 3, 8**0.5 / 3, 0], [-1 / 3, 2**0.5 / 3, 6**0.5 / 3]]),
    "rhombic dodecahedron": SIDE * np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0.5**0.5]]),
    "strongly skewed": np.array([[2.0, 0, 0], [5.3, 2.2, 0], [-7.1, 9.4, 2.4]]),
}


def _wrapped(xyz: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Each atom on its own into the cell ``[n_frames, 3, 3]``, as MD programs write them."""
    fraction = np.einsum("fni,fij->fnj", xyz, np.linalg.inv(cell))
    return np.einsum("fni,fij->fnj", fraction - np.floor(fraction), cell)


def _trajectory(xyz: np.ndarray, cell: np.ndarray, topology: mdtraj.Topology) -> mdtraj.Trajectory:
    trajectory = mdtraj.Trajectory(xyz, topology)
    trajectory.unitcell_vectors = cell
    return trajectory


def _rotated_like_mdtraj(xyz: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MDTraj stores lengths and angles: the same system with the first vector along x."""
    dummy = mdtraj.Trajectory(np.zeros((1, 1, 3)), None)
    dummy.unitcell_vectors = cell[None]
    stored = dummy.unitcell_vectors[0].astype(np.float64)
    return xyz @ np.linalg.inv(cell) @ stored, stored


@given(
    lower=arrays(np.float64, 3, elements=st.floats(-9, 9, width=32)),
    diagonal=arrays(np.float64, 3, elements=st.floats(0.5, 3, width=32)),
    point=arrays(np.float64, (1, 5, 3), elements=st.floats(-20, 20, width=32)),
)
def test_minimum_image_is_the_shortest_of_all(
    lower: np.ndarray, diagonal: np.ndarray, point: np.ndarray
) -> None:
    """Any cell shape, against all images within the length of the answer."""
    cell = np.diag(diagonal)
    cell[[1, 2, 2], [0, 0, 1]] = lower
    image = minimum_image(point, cell[None])
    n_cells = (point - image) @ np.linalg.inv(cell)
    np.testing.assert_allclose(n_cells, np.rint(n_cells), atol=1e-6)
    length = np.linalg.norm(image, axis=2)
    for c in product((-1, 0, 1), repeat=3):  # c is complete for the layers stacked along z, y, x
        z = c[2] * cell[2]
        b = np.rint(((image - z) @ np.linalg.inv(cell))[..., 1:2]) + c[1]
        z = z + b * cell[1]
        a = np.rint(((image - z) @ np.linalg.inv(cell))[..., 0:1]) + c[0]
        other = np.linalg.norm(image - z - a * cell[0], axis=2)
        assert (length <= other + 1e-9).all()


def test_rounding_alone_misses_the_minimum_image() -> None:
    """The case for which more than rounding of fractional coordinates is needed."""
    cell = CELLS["rhombic dodecahedron"]
    point = np.array([[[0.49, 0.49, 0.49]]]) @ cell
    rounded = point - np.rint(point @ np.linalg.inv(cell)) @ cell
    assert np.linalg.norm(minimum_image(point, cell[None])) < np.linalg.norm(rounded) - 0.1


@pytest.mark.parametrize("name", CELLS)
def test_known_walk_is_recovered_across_chunks(name: str) -> None:
    """Two molecules, a chain of several cell lengths and a comb, wrapped atom by atom."""
    bonds = chain_bonds(20) + [(i + 20, j + 20) for i, j in comb_bonds(5)]
    molecule = molecule_of(bonds, 30)
    walk = np.concatenate(
        [random_walk(60, 20, seed=1), random_walk(60, 10, seed=2)[:, _comb_walk()]], axis=1
    )
    walk, cell = _rotated_like_mdtraj(walk, CELLS[name])
    cells = np.tile(cell, (len(walk), 1, 1))
    trajectory = _trajectory(_wrapped(walk, cells), cells, molecule.topology)
    unwrapper = Unwrapper(molecule)
    chunks = [unwrapper(trajectory[start : start + 13]) for start in range(0, 60, 13)]
    found = np.concatenate(chunks)
    assert np.abs(walk - walk[0]).max() > SIDE  # the molecules do leave the cell
    for part in (slice(0, 20), slice(20, 30)):
        offset = found[0, part] - walk[0, part]  # a cell vector, the same for all
        n_cells = offset[0] @ np.linalg.inv(cell)
        np.testing.assert_allclose(n_cells, np.rint(n_cells), atol=1e-4)
        np.testing.assert_allclose(found[:, part], walk[:, part] + offset[0], atol=2e-5)
    np.testing.assert_allclose(found, unwrap(trajectory, molecule), atol=2e-5)


def _comb_walk() -> np.ndarray:
    """Place the atoms of a comb on a random walk such that bonded ones are near."""
    return np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5])


def test_positions_stay_images_in_a_changing_cell() -> None:
    molecule = molecule_of(chain_bonds(20), 20)
    walk = random_walk(40, 20)
    scale = 1 + 0.02 * np.sin(np.arange(40))
    cells = scale[:, None, None] * CELLS["triclinic"]
    wrapped = _wrapped(walk, cells)
    found = unwrap(_trajectory(wrapped, cells, molecule.topology), molecule)
    n_cells = np.einsum("fni,fij->fnj", found - wrapped, np.linalg.inv(cells))
    np.testing.assert_allclose(n_cells, np.rint(n_cells), atol=1e-4)
    bond = np.linalg.norm(np.diff(found, axis=1), axis=2)
    np.testing.assert_allclose(bond, np.linalg.norm(np.diff(walk, axis=1), axis=2), atol=1e-4)
    assert np.linalg.norm(np.diff(found.mean(axis=1), axis=0), axis=1).max() < 1.0


def _at_constant_pressure(
    molecule_sizes: list[int], *, n_frames: int = 300, name: str = "triclinic"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What an engine with a barostat writes: whole molecules walk about and are wrapped by it.

    Each keeps to its place in the cell while that fluctuates, but for its steps, which are known.

    Returns
    -------
    wrapped, cells, steps
        ``[n_frames, n_atoms, 3]``, ``[n_frames, 3, 3]`` and the steps of the centres, those that
        follow the cell included, ``[n_frames - 1, n_molecules, 3]``.
    """
    rng = np.random.default_rng(4)
    scale = 1 + 0.01 * rng.normal(size=(n_frames, 1, 1)).clip(-2, 2)
    cells = scale * CELLS[name]
    n = len(molecule_sizes)
    shape = [random_walk(1, size, seed=k)[0] * 0.3 for k, size in enumerate(molecule_sizes)]
    centre = rng.random((n, 3)) @ cells[0]
    frames, steps = [], []
    for frame in range(n_frames):
        if frame:
            before = centre
            place = centre @ np.linalg.inv(cells[frame - 1]) @ cells[frame]
            centre = place + rng.normal(size=(n, 3), scale=0.15) + [0.1, 0.05, -0.05]  # they drift
            steps.append(centre - before)
        fraction = centre @ np.linalg.inv(cells[frame])
        centre = (fraction - np.floor(fraction)) @ cells[frame]
        frames.append(
            np.concatenate([s - s.mean(axis=0) + c for s, c in zip(shape, centre, strict=True)])
        )
    return np.stack(frames), cells, np.stack(steps)


@pytest.mark.parametrize("name", sorted(CELLS.keys() - {"strongly skewed"}))
@pytest.mark.parametrize("wrapped", ["molecules", "atoms"])
def test_box_fluctuations_do_not_add_to_displacements(name: str, wrapped: str) -> None:
    """Molecules that go through ten cells and more move as they did, whatever the cell does.

    Where each atom is wrapped on its own, a molecule on the boundary may be taken for its neighbour
    image, which follows the cell by one cell vector more.
    """
    sizes = [1, 5, 4]
    molecule = molecule_of([*chain_bonds(5, first=1), *chain_bonds(4, first=6)], 10)
    xyz, cells, steps = _at_constant_pressure(sizes, name=name)
    written = xyz if wrapped == "molecules" else _wrapped(xyz, cells)
    trajectory = _trajectory(written, cells, molecule.topology)
    unwrapper = Unwrapper(molecule)
    parts = [unwrapper.follow(trajectory[at : at + 70]) for at in range(0, len(xyz), 70)]
    path = np.concatenate([part.path for part in parts])
    images = np.concatenate([part.images for part in parts])
    centre = np.stack([path[:, a:b].mean(axis=1) for a, b in ((0, 1), (1, 6), (6, 10))], axis=1)
    assert np.linalg.norm(centre[-1] - centre[0], axis=1).min() > 10 * SIDE
    rotated = steps @ np.linalg.inv(CELLS[name]) @ _rotated_like_mdtraj(np.eye(3), CELLS[name])[1]
    neighbour = np.abs(np.diff(cells, axis=0)).max(axis=0).sum(axis=0)  # over a corner at most
    allowed = 1e-4 + (0 if wrapped == "molecules" else neighbour)
    assert (np.abs(np.diff(centre, axis=0) - rotated) < allowed).all()
    np.testing.assert_allclose(np.diff(centre[:, :1], axis=0), rotated[:, :1], atol=1e-4)
    stored = trajectory.unitcell_vectors.astype(np.float64)
    n_cells = np.einsum("fni,fij->fnj", images - trajectory.xyz, np.linalg.inv(stored))
    np.testing.assert_allclose(n_cells, np.rint(n_cells), atol=1e-4)


def test_in_a_constant_cell_the_path_is_an_image() -> None:
    molecule = molecule_of(chain_bonds(20), 20)
    walk, cell = _rotated_like_mdtraj(random_walk(40, 20), CELLS["triclinic"])
    cells = np.tile(cell, (40, 1, 1))
    trajectory = _trajectory(_wrapped(walk, cells), cells, molecule.topology)
    unwrapped = Unwrapper(molecule).follow(trajectory)
    assert not unwrapped.drift.any()
    np.testing.assert_array_equal(unwrapped.path, unwrapped.images)


def test_the_tilt_of_a_cell_may_flip() -> None:
    """Another basis of the same lattice, as LAMMPS changes to when a cell is too skewed."""
    molecule = molecule_of([(0, 1)], 3)
    walk = np.cumsum(np.full((60, 3, 3), 0.2), axis=0)
    walk[:, 1] += 0.2
    cell = np.array([[2.0, 0, 0], [1.0, 2.2, 0], [-0.7, 1.0, 2.4]])
    cells = np.tile(cell, (60, 1, 1))
    cells[20:, 1] -= cell[0]
    cells[40:, 2] += cells[40:, 0]
    trajectory = _trajectory(_wrapped(walk, cells), cells, molecule.topology)
    found = Unwrapper(molecule).follow(trajectory)
    for xyz in (found.path, found.images):
        np.testing.assert_allclose(xyz - xyz[0], walk - walk[0], atol=1e-4)
    unwrapper = Unwrapper(molecule)  # in chunks, at whose ends the cell is another than before
    chunks = [unwrapper.follow(trajectory[at : at + 25]) for at in range(0, 60, 25)]
    np.testing.assert_allclose(np.concatenate([own.path for own in chunks]), found.path)
    np.testing.assert_allclose(np.concatenate([own.images for own in chunks]), found.images)


def test_atoms_of_a_molecule_may_lie_among_those_of_others() -> None:
    """In a cell that fluctuates, where each molecule has a drift of its own."""
    sizes, bonds = [1, 5, 4], [*chain_bonds(5, first=1), *chain_bonds(4, first=6)]
    xyz, cells, _ = _at_constant_pressure(sizes)
    ordered = molecule_of(bonds, 10)
    expected = Unwrapper(ordered).follow(_trajectory(xyz, cells, ordered.topology))
    place = np.random.default_rng(1).permutation(10)  # of each atom
    mixed = molecule_of([(int(place[i]), int(place[j])) for i, j in bonds], 10)
    shuffled = np.empty_like(xyz)
    shuffled[:, place] = xyz
    found = Unwrapper(mixed).follow(_trajectory(shuffled, cells, mixed.topology))
    assert np.abs(expected.drift).max() > 0.1
    np.testing.assert_allclose(found.path[:, place], expected.path, atol=1e-5)
    np.testing.assert_allclose(found.images[:, place], expected.images, atol=1e-5)


def test_molecules_of_any_shape_have_a_tree() -> None:
    """Rings, branches and free particles, numbered in any order."""
    rng = np.random.default_rng(2)
    ring, comb = [*chain_bonds(5), (0, 4)], [(i + 5, j + 5) for i, j in comb_bonds(4)]
    number = rng.permutation(16)  # three atoms are free
    bonds = [(int(number[i]), int(number[j])) for i, j in ring + comb]
    molecule = molecule_of(bonds, 16)
    unwrapper = Unwrapper(molecule)
    assert unwrapper.n_components == 5
    root = unwrapper.parent
    for _ in range(16):
        root = unwrapper.parent[root]
    np.testing.assert_array_equal(root == root[:, None], np.equal.outer(
        unwrapper.component, unwrapper.component
    ))  # fmt: skip
    pairs = {(min(i, p), max(i, p)) for i, p in enumerate(unwrapper.parent.tolist()) if i != p}
    assert len(pairs) == 16 - 5
    assert pairs <= {(min(bond), max(bond)) for bond in bonds}


def test_through_files(tmp_path: Path) -> None:
    """A truncated octahedron through DCD and XTC, two files, small chunks."""
    molecule = molecule_of(chain_bonds(20), 20)
    walk, cell = _rotated_like_mdtraj(random_walk(50, 20), CELLS["truncated octahedron"])
    cells = np.tile(cell, (50, 1, 1))
    trajectory = _trajectory(_wrapped(walk, cells), cells, molecule.topology)
    files = [tmp_path / "a.xtc", tmp_path / "b.dcd"]
    trajectory[:30].save(str(files[0]))
    trajectory[30:].save(str(files[1]))
    unwrapper = Unwrapper(molecule)
    chunks = iter_frames(files, molecule, chunk=8, frame_interval=1.0)
    found = np.concatenate([unwrapper(chunk) for chunk in chunks])
    np.testing.assert_allclose(found - found[0], walk - walk[0], atol=3e-3)


def test_without_a_cell_nothing_changes() -> None:
    molecule = molecule_of(chain_bonds(5), 5)
    walk = random_walk(7, 5).astype(np.float32)
    np.testing.assert_array_equal(
        unwrap(mdtraj.Trajectory(walk, molecule.topology), molecule), walk
    )


def test_single_atoms_are_followed() -> None:
    molecule = molecule_of(chain_bonds(2), 3)
    walk = np.cumsum(np.full((30, 3, 3), 0.3), axis=0)
    walk[:, 1] += 0.2
    cells = np.tile(CELLS["cube"], (30, 1, 1))
    found = unwrap(_trajectory(_wrapped(walk, cells), cells, molecule.topology), molecule)
    np.testing.assert_allclose(found, walk, atol=1e-5)


def test_a_network_through_the_cell_cannot_be_whole() -> None:
    """A ring that closes only through the periodic boundary."""
    molecule = molecule_of([*chain_bonds(4), (0, 3)], 4)
    xyz = np.array([[[0.1, 0, 0], [0.6, 0, 0], [1.1, 0, 0], [1.6, 0, 0]]])
    with pytest.raises(ValueError, match="own periodic image"):
        unwrap(_trajectory(xyz, CELLS["cube"][None], molecule.topology), molecule)


def test_bad_cells_and_shapes() -> None:
    for cell in (np.zeros((1, 3, 3)), np.full((1, 3, 3), np.nan)):
        with pytest.raises(ValueError, match="cell"):
            minimum_image(np.zeros((1, 2, 3)), cell)
    molecule = molecule_of(chain_bonds(5), 5)
    other = molecule_of(chain_bonds(4), 4)
    with pytest.raises(ValueError, match="5 atoms"):
        unwrap(mdtraj.Trajectory(random_walk(2, 5), molecule.topology), other)


def test_memory_is_linear_in_the_number_of_molecules() -> None:
    """Of trimers that are cut at the boundary: four times as many take four times the memory."""

    def peak(n_molecules: int) -> int:
        molecule = molecule_of([(3 * i + j, 3 * i + 2) for i in range(n_molecules) for j in (0, 1)],
                               3 * n_molecules)  # fmt: skip
        place = 3 * np.random.default_rng(0).uniform(size=(1, n_molecules, 1, 3))
        xyz = place + 0.3 * np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0]])
        xyz = (xyz + 0.2 * np.arange(3)[:, None, None, None]).reshape(3, -1, 3)
        cells = np.tile(3.0 * np.eye(3), (3, 1, 1))
        trajectory = _trajectory(_wrapped(xyz, cells), cells, molecule.topology)
        tracemalloc.start()
        found = Unwrapper(molecule)(trajectory)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        bond = found[:, 0::3] - found[:, 2::3]
        np.testing.assert_allclose(bond, np.broadcast_to([0.3, 0, 0], bond.shape), atol=1e-5)
        np.testing.assert_allclose(np.diff(found, axis=0), 0.2, atol=1e-5)
        return most

    assert peak(4000) < 4.4 * peak(1000)
