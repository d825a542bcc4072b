"""What a topology file states, and no more: readers guess elements and bonds where it does not."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.formats import GroTrajectoryFile

from cgsim.io.cif import read_cif_atoms
from cgsim.io.compressed import plain
from cgsim.io.errors import in_words, missing_package
from cgsim.io.files import existing_file, file_extension
from cgsim.io.gro import read_gro_frame
from cgsim.io.mdanalysis import load_mdanalysis
from cgsim.io.other_topologies import is_prmtop, loader_of
from cgsim.io.pdb_columns import Pairs, read_pdb_columns
from cgsim.io.prmtop import read_prmtop_angles, read_prmtop_atoms
from cgsim.io.psf import VIRTUAL_TYPE, check_psf_residues, read_psf_atoms
from cgsim.io.text import TextFile
from cgsim.io.trial import check_by_trial

_CIF = tuple(kind + zipped for kind in (".cif", ".mmcif", ".pdbx") for zipped in ("", ".gz"))
_MAX_DENSITY = 1000.0  # atoms per nm^3; ten times that of water: the cell is a placeholder


@dataclass(frozen=True)
class StatedTopology:
    """What a topology file (or the caller) states of a molecule.

    Parameters
    ----------
    topology
        Names, residues and chains; its elements and bonds are of no account.
    symbols
        ``[n_atoms]`` element symbols; ``"VS"`` of a particle that is no element, None where nothing
        is stated.
    bonds
        Pairs of atoms.
    has_all_bonds
        Whether there are no other bonds than these.
    masses
        ``[n_atoms]`` Da, or None.
    xyz, cell
        ``[n_atoms, 3]`` and ``[3, 3]`` nm, or None.
    cell_angles
        Degrees, or None where no cell is stated.
    lammps_units
        Those of a LAMMPS data file, if it says them.
    """

    topology: mdtraj.Topology
    symbols: list[str | None]
    bonds: Pairs
    has_all_bonds: bool
    masses: np.ndarray | None = None
    xyz: np.ndarray | None = None
    cell: np.ndarray | None = None
    cell_angles: tuple[float, float, float] | None = None
    lammps_units: str | None = None


def read_stated_topology(path: Path) -> StatedTopology:
    """Read a topology file of any format, which may be compressed.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, cannot be read, or has no atoms.
    """
    if existing_file(path).is_dir():
        raise ValueError(f"{path}: this is a folder, where a topology file is needed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with plain(path) as unpacked:
                stated = _read(unpacked)
    except ImportError as error:
        raise ValueError(missing_package(path, error)) from error
    except Exception as error:  # the readers raise a dozen kinds, IndexError to XML errors
        if str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: cannot be read as a topology: {in_words(error)}") from error
    if stated is None or stated.topology.n_atoms == 0:
        raise ValueError(f"{path}: there are no atoms in this file")
    return stated


def stated_by(topology: mdtraj.Topology) -> StatedTopology:
    """Take the elements and bonds of an MDTraj topology for what they say."""
    return StatedTopology(
        topology,
        [None if atom.element is None else str(atom.element.symbol) for atom in topology.atoms],
        _pairs((bond[0].index, bond[1].index) for bond in topology.bonds),
        has_all_bonds=topology.n_bonds > 0,
    )


def _read(path: Path) -> StatedTopology | None:
    extension = file_extension(path)
    check_by_trial(path)
    if extension in (".pdb", ".pdb.gz"):
        return _read_pdb(path)
    if extension in _CIF:
        return _read_cif(path)
    if extension in (".gro", ".arc"):
        return _read_names(path)
    if (load := loader_of(path)) is not None:
        loaded = load(path)
        stated = stated_by(loaded.topology)
        if loaded.frame is not None:
            placed = with_coordinates(loaded.frame, stated.symbols, stated.bonds)
            stated = replace(placed, has_all_bonds=stated.has_all_bonds)
        return replace(
            stated,
            symbols=loaded.symbols,
            masses=loaded.masses,
            lammps_units=loaded.lammps_units,
        )
    topology = mdtraj.load_prmtop(str(path)) if is_prmtop(path) else _load_topology(path)
    if topology is None:
        return None
    stated = stated_by(topology)
    if extension == ".psf":
        masses, types = read_psf_atoms(path)
        symbols: list[str | None] = ["VS" if kind == VIRTUAL_TYPE else None for kind in types]
    elif is_prmtop(path):
        masses, has_numbers = read_prmtop_atoms(path)
        symbols = stated.symbols if has_numbers else [None] * topology.n_atoms
        stated = replace(stated, cell_angles=read_prmtop_angles(path))
    else:
        return stated
    return replace(stated, symbols=symbols, has_all_bonds=True, masses=masses)


def _load_topology(path: Path) -> mdtraj.Topology | None:
    """Read with MDTraj or, where its PSF reader gives up (insertion codes), with MDAnalysis."""
    try:
        return mdtraj.load_topology(str(path))
    except Exception:  # the readers raise a dozen kinds
        if file_extension(path) != ".psf" or find_spec("MDAnalysis") is None:
            raise
        topology = load_mdanalysis(path).topology
        check_psf_residues(path, [atom.residue.name for atom in topology.atoms])
        return topology


def _read_pdb(path: Path) -> StatedTopology:
    frame = mdtraj.load_frame(str(path), 0)
    symbols, bonds = read_pdb_columns(path, frame.topology)
    return with_coordinates(frame, symbols, bonds)


def _read_cif(path: Path) -> StatedTopology:
    atoms = read_cif_atoms(path)
    frame = atoms.first_frame()
    topology = frame.topology
    for residue in topology.residues:
        residue.segment_id = ""  # MDTraj puts insertion codes there
    symbols = [None if a.element is None else str(a.element.symbol) for a in topology.atoms]
    return with_coordinates(frame, symbols, _cif_bonds(atoms.block, topology))


def _cif_bonds(block: object, topology: mdtraj.Topology) -> Pairs:
    """Bonds of struct_conn (by the author's numbers) and chem_comp_bond (by residue name)."""
    place = {}
    for atom in topology.atoms:
        residue = atom.residue
        place[(residue.chain.chain_id, str(residue.resSeq), atom.name)] = atom.index
    pairs = []
    for row in _rows(block, "struct_conn"):
        same_copy = row.get("ptnr1_symmetry") == row.get("ptnr2_symmetry")
        if row.get("conn_type_id", "")[:6] in ("covale", "disulf", "modres") and same_copy:
            ends = [_cif_partner(row, partner, place) for partner in (1, 2)]
            if ends[0] is not None and ends[1] is not None:
                pairs.append((ends[0], ends[1]))
    bonded: dict[str, list[tuple[str, str]]] = {}
    for row in _rows(block, "chem_comp_bond"):
        ends_of = bonded.setdefault(row["comp_id"], [])
        ends_of.append((row["atom_id_1"], row["atom_id_2"]))
    for residue in topology.residues:
        if residue.name in bonded:
            index = {atom.name: atom.index for atom in residue.atoms}
            pairs += [
                (index[a], index[b]) for a, b in bonded[residue.name] if a in index and b in index
            ]
    return _pairs(iter(pairs))


def _cif_partner(
    row: dict[str, str], partner: int, place: dict[tuple[str, str, str], int]
) -> int | None:
    """Index of an atom of struct_conn: chains have the one or the other name, as MDTraj chooses."""
    number = row.get(f"ptnr{partner}_auth_seq_id", row.get(f"ptnr{partner}_label_seq_id", ""))
    name = row.get(f"ptnr{partner}_label_atom_id", "")
    for chain in ("label", "auth"):
        found = place.get((row.get(f"ptnr{partner}_{chain}_asym_id", ""), number, name))
        if found is not None:
            return found
    return None


def _rows(block: object, category: str) -> Iterator[dict[str, str]]:
    table = block.getObj(category)  # type: ignore[attr-defined]
    if table is not None:
        names = table.getAttributeList()
        for row in table.getRowList():
            yield dict(zip(names, row, strict=True))


def _read_names(path: Path) -> StatedTopology | None:
    """GRO files have names only; MDTraj guesses elements of ARC files, whose bonds are stated."""
    if file_extension(path) == ".gro":
        with GroTrajectoryFile(str(path)) as file:
            topology = file.topology
        with TextFile(path) as text:  # MDTraj stumbles over large boxes and over words in titles
            first = read_gro_frame(text, topology.n_atoms)
        if first is None or first.vectors is None:
            return None
        frame = mdtraj.Trajectory(first.xyz, topology)
        frame.unitcell_vectors = first.vectors[None] if first.vectors.any() else None
        return with_coordinates(frame, [None] * frame.n_atoms, set())
    frame = mdtraj.load(str(path))
    stated = stated_by(frame.topology)
    return replace(stated, symbols=[None] * frame.n_atoms, xyz=frame.xyz[0])


def with_coordinates(
    frame: mdtraj.Trajectory, symbols: list[str | None], bonds: Pairs
) -> StatedTopology:
    """What is stated, with the positions and the cell of one frame."""
    cell = _sound_cell(frame)
    alpha, beta, gamma = (90.0,) * 3 if cell is None else frame.unitcell_angles[0].tolist()
    return StatedTopology(
        frame.topology,
        symbols,
        bonds,
        has_all_bonds=False,
        xyz=np.asarray(frame.xyz[0], dtype=np.float64),
        cell=cell,
        cell_angles=None if cell is None else (alpha, beta, gamma),
    )


def _sound_cell(frame: mdtraj.Trajectory) -> np.ndarray | None:
    """The cell, None if there is none, or one that is a placeholder."""
    lengths, angles = frame.unitcell_lengths, frame.unitcell_angles
    if lengths is None or not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return None
    if not ((angles > 0) & (angles < 180)).all():
        return None
    cell = np.asarray(frame.unitcell_vectors[0], dtype=np.float64)
    volume = np.linalg.det(cell) if np.isfinite(cell).all() else 0.0
    return cell if volume > 0 and frame.n_atoms < _MAX_DENSITY * volume else None


def _pairs(pairs: Iterator[tuple[int, int]]) -> Pairs:
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
