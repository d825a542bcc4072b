"""Mappings given by the user, and mappings made again from their recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np

from cgsim.io import Molecule, read_json
from cgsim.mapping.bead_mapping import Mapping, map_atoms, map_residues, mapping_from_index
from cgsim.mapping.metis import map_metis
from cgsim.mapping.protein import map_backbone_sidechain, map_calpha

_WITHOUT_PARAMETERS: dict[str, Callable[[Molecule], Mapping]] = {
    "residues": map_residues,
    "calpha": map_calpha,
    "backbone-sidechain": map_backbone_sidechain,
    "atoms": map_atoms,
}

Assignment = (
    np.ndarray
    | Sequence[int]
    | Sequence[Sequence[int]]
    | str
    | Path
    | Callable[[mdtraj.Topology], Any]
)


def map_user(molecule: Molecule, assignment: Assignment) -> Mapping:
    """Map atoms to beads as the user says.

    Parameters
    ----------
    molecule
        What to map.
    assignment
        The bead of each atom ``[n_atoms]``, or the list of the atoms of each bead, both from 0;
        or a JSON file with one of them; or a function of the topology that returns one of them.

    Raises
    ------
    FileNotFoundError, ValueError
        If an atom is missed or repeated, a bead is empty, or numbers are no valid indices; names
        the file.
    """
    if isinstance(assignment, str | Path):
        content = read_json(assignment)
        try:
            return _map_index(molecule, _bead_index(content, molecule.n_atoms))
        except ValueError as error:
            raise ValueError(f"{assignment}: {error}") from error
    if callable(assignment):
        assignment = assignment(molecule.topology)
    return _map_index(molecule, _bead_index(assignment, molecule.n_atoms))


def build_mapping(molecule: Molecule, recipe: dict[str, Any]) -> Mapping:
    """Make the mapping of a recipe, as stored in `Mapping.recipe` and in checkpoints.

    Parameters
    ----------
    molecule
        What to map.
    recipe
        ``{"method": "metis", "atoms_per_bead": 10}``, ``{"method": "residues"}``,
        ``{"method": "calpha"}``, ``{"method": "backbone-sidechain"}``, ``{"method": "atoms"}`` or
        ``{"method": "user", "bead_index": [...]}``; the last one fits only molecules with as many
        atoms. With ``"rigid_motion": False``: `Mapping.without_rigid_motion`.

    Raises
    ------
    ValueError
        If the method is unknown, or its parameters are wrong or do not fit to the molecule.
    """
    if recipe.get("rigid_motion") is False:
        rest = {key: value for key, value in recipe.items() if key != "rigid_motion"}
        return build_mapping(molecule, rest).without_rigid_motion()
    parameters = {key: value for key, value in recipe.items() if key != "method"}
    method = recipe.get("method")
    expected = {"metis": {"atoms_per_bead"}, "user": {"bead_index"}}
    expected |= {name: set() for name in _WITHOUT_PARAMETERS}
    if not isinstance(method, str) or method not in expected:
        raise ValueError(f"unknown mapping method {method!r}; known are {', '.join(expected)}")
    if set(parameters) != expected[method]:
        raise ValueError(
            f"mapping method {method!r} takes {sorted(expected[method])}, not {sorted(parameters)}"
        )
    if method == "metis":
        return map_metis(molecule, atoms_per_bead=parameters["atoms_per_bead"])
    if method == "user":
        return map_user(molecule, parameters["bead_index"])
    return _WITHOUT_PARAMETERS[method](molecule)


def _map_index(molecule: Molecule, bead_index: list[int]) -> Mapping:
    recipe = {"method": "user", "bead_index": bead_index}
    return mapping_from_index(molecule, np.array(bead_index, dtype=np.int64), recipe=recipe)


def _bead_index(assignment: Any, n_atoms: int) -> list[int]:
    """Return the bead of each atom, whichever of the two forms was given."""
    if isinstance(assignment, np.ndarray):
        assignment = assignment.tolist()
    if not isinstance(assignment, list | tuple):
        raise ValueError(
            "a mapping must be a list of the bead of each atom, or of the atoms of each bead, "
            f"not a {type(assignment).__name__}"
        )
    if all(isinstance(item, list | tuple | set | np.ndarray) for item in assignment):
        return _from_groups(assignment, n_atoms)
    if len(assignment) != n_atoms:
        raise ValueError(f"the mapping is for {len(assignment)} atoms, the molecule has {n_atoms}")
    for atom, bead in enumerate(assignment):
        if not _is_index(bead, n_atoms):
            raise ValueError(f"atom {atom} is in no bead: {bead!r} is no valid bead number")
    return [int(bead) for bead in assignment]


def _from_groups(groups: Sequence[Any], n_atoms: int) -> list[int]:
    bead_index = [-1] * n_atoms
    for bead, atoms in enumerate(groups):
        if len(atoms) == 0:
            raise ValueError(f"bead {bead} has no atoms")
        for atom in atoms:
            if not _is_index(atom, n_atoms):
                raise ValueError(
                    f"bead {bead}: {atom!r} is no atom of the molecule, which has atoms 0 to "
                    f"{n_atoms - 1}"
                )
            if bead_index[atom] != -1:
                raise ValueError(f"atom {atom} is in bead {bead_index[atom]} and in bead {bead}")
            bead_index[atom] = bead
    if -1 in bead_index:
        raise ValueError(f"atom {bead_index.index(-1)} is in no bead")
    return bead_index


def _is_index(value: object, n: int) -> bool:
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_int and 0 <= int(value) < n  # type: ignore[call-overload]
