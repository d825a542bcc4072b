"""Beads as the user says: the bead of each atom, or the atoms of each bead."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cgsim.mapping.bead_mapping import Mapping, mapping_from_index

if TYPE_CHECKING:
    from cgsim.io import Molecule

BeadIndex = np.ndarray | Sequence[int] | Sequence[Sequence[int]]
"""The bead of each atom ``[n_atoms]``, or the list of the atoms of each bead."""

Assignment = BeadIndex | str | Path | Callable[[Any], Any]
"""Such a list, a JSON file of one, or a function of the MDTraj topology that returns one."""


def map_user(molecule: "Molecule", assignment: Assignment) -> Mapping:
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
        from cgsim.io import read_json  # here: see MAPPERS on imports

        content = read_json(assignment)
        try:
            return map_index(molecule, bead_index=content)
        except ValueError as error:
            raise ValueError(f"{assignment}: {error}") from error
    beads: Any = assignment(molecule.topology) if callable(assignment) else assignment
    return map_index(molecule, bead_index=beads)


def map_index(molecule: "Molecule", *, bead_index: BeadIndex) -> Mapping:
    """Map atoms to beads as a list says, which fits only molecules with as many atoms.

    Parameters
    ----------
    molecule
        What to map.
    bead_index
        The bead of each atom ``[n_atoms]``, or the list of the atoms of each bead, both from 0.

    Raises
    ------
    ValueError
        If an atom is missed or repeated, a bead is empty, or numbers are no valid indices.
    """
    index = _bead_index(bead_index, molecule.n_atoms)
    recipe = {"method": "user", "bead_index": index}
    return mapping_from_index(molecule, np.array(index, dtype=np.int64), recipe=recipe)


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
