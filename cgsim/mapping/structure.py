"""The bead model as files that MDTraj and VMD open, with bonds and masses."""

from collections.abc import Sequence
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.core.element import virtual
from mdtraj.formats import PDBTrajectoryFile
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cgsim.io import Molecule, atomic_path, write_psf
from cgsim.mapping.bead_mapping import Mapping
from cgsim.units import NM_PER_ANGSTROM

_MAX_PDB_SERIAL = 99_999  # CONECT records beyond it would be ambiguous
_BONDS_PER_CONECT = 4


def bead_names(molecule: Molecule, mapping: Mapping) -> list[tuple[str, str]]:
    """Return the residue and atom name of each bead.

    A bead that is a whole residue has its name, others are ``BEA``; a bead at one atom has the
    atom's name (``CA`` at a C-alpha), others are ``CG``.
    """
    atoms = list(molecule.topology.atoms)
    members = np.split(
        np.argsort(mapping.bead_index, kind="stable"),
        np.cumsum(np.bincount(mapping.bead_index))[:-1],
    )
    names = []
    for indices in members:
        residue = atoms[indices[0]].residue
        is_whole = {atom.index for atom in residue.atoms} == set(indices.tolist())
        residue_name = residue.name.strip()[:3] if is_whole else ""
        sites = indices[mapping.atom_weight[indices] > 0]
        atom_name = atoms[sites[0]].name.strip()[:4] if len(sites) == 1 else ""
        names.append((residue_name or "BEA", atom_name or "CG"))
    return names


def named_topology(names: Sequence[tuple[str, str]], edge_index: np.ndarray) -> mdtraj.Topology:
    """Return beads as atoms with bonds, each its own residue, without elements.

    Each bonded component is a chain.

    Parameters
    ----------
    names
        Residue and atom name of each bead.
    edge_index
        ``[2, n_bonds]``, each bond once.
    """
    topology = _unbonded_topology(names, edge_index)
    beads = list(topology.atoms)
    for first, second in edge_index.T:
        topology.add_bond(beads[first], beads[second])
    return topology


def _unbonded_topology(names: Sequence[tuple[str, str]], edge_index: np.ndarray) -> mdtraj.Topology:
    i, j = edge_index
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    topology = mdtraj.Topology()
    for bead, (residue_name, atom_name) in enumerate(names):
        if bead == 0 or component[bead] != component[bead - 1]:
            chain = topology.add_chain()
        residue = topology.add_residue(residue_name, chain, resSeq=bead + 1)
        topology.add_atom(atom_name, virtual, residue)
    return topology


def bead_topology(molecule: Molecule, mapping: Mapping) -> mdtraj.Topology:
    """Return the beads of a molecule as atoms with bonds (see `bead_names`, `named_topology`)."""
    return named_topology(bead_names(molecule, mapping), mapping.edge_index)


def write_bead_structure(
    path_stem: str | Path,
    names: Sequence[tuple[str, str]],
    *,
    bead_mass: np.ndarray,
    edge_index: np.ndarray,
    xyz: np.ndarray,
) -> tuple[Path, Path]:
    """Write ``<path_stem>.pdb`` (CONECT) and ``<path_stem>.psf`` (masses and bonds), atomically.

    A PDB file has no masses, and no bonds of more than 99,999 beads: load the PSF.

    Parameters
    ----------
    path_stem
        Path without extension.
    names
        Residue and atom name of each bead (see `bead_names`).
    bead_mass
        ``[n_beads]`` Da.
    edge_index
        ``[2, n_bonds]``, each bond once.
    xyz
        ``[n_beads, 3]`` nm.

    Returns
    -------
    tuple of Path
        The PDB and the PSF file.

    Raises
    ------
    ValueError
        If `xyz` has another shape or is not finite.
    """
    xyz = np.asarray(xyz, dtype=np.float64)
    if xyz.shape != (len(names), 3) or not np.isfinite(xyz).all():
        raise ValueError(f"xyz must be [{len(names)}, 3] finite positions, not {list(xyz.shape)}")
    topology = _unbonded_topology(names, edge_index)
    pdb, psf = (Path(f"{path_stem}.{extension}") for extension in ("pdb", "psf"))
    _write_pdb(pdb, topology, edge_index, xyz=xyz)
    rows = [
        (f"S{atom.residue.chain.index % 999 + 1}", atom.residue.name, atom.name)
        for atom in topology.atoms
    ]
    write_psf(psf, names=rows, masses=bead_mass, bond_index=edge_index)
    return pdb, psf


def _write_pdb(
    path: Path, unbonded: mdtraj.Topology, edge_index: np.ndarray, *, xyz: np.ndarray
) -> None:
    """Write CONECT records for all bonds; MDTraj's writer leaves out those of standard residues."""
    bonded: list[list[int]] = [[] for _ in range(unbonded.n_atoms)]
    for i, j in edge_index.T.tolist():
        bonded[i].append(j)
        bonded[j].append(i)
    with atomic_path(path) as temporary:
        with PDBTrajectoryFile(str(temporary), mode="w") as file:
            file.write(xyz / NM_PER_ANGSTROM, unbonded, ter=False)
        text = temporary.read_text().removesuffix("END\n")
        if unbonded.n_atoms <= _MAX_PDB_SERIAL:
            text += "".join(_conect(serial, others) for serial, others in enumerate(bonded, 1))
        temporary.write_text(text + "END\n")


def _conect(serial: int, bonded: list[int]) -> str:
    lines = ""
    for start in range(0, len(bonded), _BONDS_PER_CONECT):
        others = bonded[start : start + _BONDS_PER_CONECT]
        lines += f"CONECT{serial:5d}" + "".join(f"{other + 1:5d}" for other in others) + "\n"
    return lines
