"""GSD files of HOOMD-blue."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.io import iter_frames, load_molecule, unwrap, write_atomic_json
from tests.io.systems import chain_bonds, random_walk, shape_of, wrapped

N_ATOMS, N_FRAMES = 12, 5


def test_gsd(tmp_path: Path) -> None:
    """HOOMD's numbers are nm and Da; its box has tilt factors; its images are counted in steps."""
    hoomd = pytest.importorskip("gsd.hoomd")
    walk, path = random_walk(N_FRAMES, 10), tmp_path / "run.gsd"
    bonds = [*chain_bonds(6), *chain_bonds(4, first=6)]
    with hoomd.open(str(path), "w") as file:
        for step, xyz in enumerate(walk):
            frame = hoomd.Frame()
            frame.configuration.step = 100 * step
            frame.configuration.box = [2.0, 2.2, 2.4, 0.3, -0.2, 0.1]
            vectors = np.array([[2, 0, 0], [0.3 * 2.2, 2.2, 0], [-0.2 * 2.4, 0.1 * 2.4, 2.4]])
            frame.particles.N = 10
            frame.particles.position = wrapped(xyz[None], vectors)[0] - vectors.sum(axis=0) / 2
            frame.particles.types, frame.particles.typeid = ["P", "Q"], [0, 1] * 5
            frame.particles.mass = [1.0, 2.5] * 5
            frame.bonds.N, frame.bonds.group = len(bonds), bonds
            frame.bonds.types, frame.bonds.typeid = ["b"], [0] * len(bonds)
            file.append(frame)
    molecule = load_molecule(path)
    assert molecule.atom_type == ("P", "Q") * 5
    assert molecule.atom_mass.tolist() == [1.0, 2.5] * 5
    assert molecule.bond_index.T.tolist() == sorted(list(bond) for bond in bonds)
    assert [residue.n_atoms for residue in molecule.topology.residues] == [6, 4]
    chunks = list(iter_frames(path, molecule, chunk=2, frame_interval=0.5))
    found = np.concatenate([unwrap(chunk, molecule) for chunk in chunks])
    for part in (slice(0, 6), slice(6, 10)):
        np.testing.assert_allclose(shape_of(found[:, part]), shape_of(walk[:, part]), atol=1e-5)
    write_atomic_json(tmp_path / "run.json", {"length_unit": 0.1})
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.unitcell_lengths[0, 0], 0.2, rtol=1e-6)
