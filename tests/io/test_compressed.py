"""Topologies that are compressed."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.io import load_molecule, write_psf
from tests.io.systems import bead_topology_of, chain_bonds, random_walk, save


@pytest.mark.parametrize(("extension", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress)])
@pytest.mark.parametrize("kind", ["pdb", "gro", "psf"])
def test_compressed_topologies(
    tmp_path: Path, kind: str, extension: str, compress: Callable[[bytes], bytes]
) -> None:
    plain = tmp_path / f"chain.{kind}"
    bonds = np.array(chain_bonds(4)).T
    if kind == "psf":
        write_psf(plain, names=[("S1", "BEA", "CG")] * 4, masses=np.full(4, 50.0), bond_index=bonds)
    elif kind == "pdb":
        save(plain, bead_topology_of(chain_bonds(4), 4), random_walk(1, 4))
    else:
        topology = mdtraj.Topology()
        residue = topology.add_residue("SOL", topology.add_chain())
        for name in ("OW", "HW1", "HW2"):
            topology.add_atom(name, mdtraj.element.hydrogen, residue)
        water = np.array([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]]])
        save(plain, topology, water)
    packed = tmp_path / f"packed.{kind}.{extension}"
    packed.write_bytes(compress(plain.read_bytes()))
    masses = {"B1": 1.0} if kind == "pdb" else None
    one, other = (load_molecule(path, masses=masses) for path in (plain, packed))
    assert other.name == "packed"
    assert one.atom_type == other.atom_type
    np.testing.assert_array_equal(one.bond_index, other.bond_index)
    np.testing.assert_array_equal(one.atom_mass, other.atom_mass)
    packed.write_bytes(plain.read_bytes())
    with pytest.raises(ValueError, match=rf"packed.{kind}.{extension}.*decompressed"):
        load_molecule(packed)
