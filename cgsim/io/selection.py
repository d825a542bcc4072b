"""Some atoms of a topology file in place of all: `select` in MDTraj's language."""

import warnings
from collections import Counter
from dataclasses import replace

import numpy as np

from cgsim.io.display import comma_list
from cgsim.io.stated import StatedTopology

_MAX_NAMED = 12


def select_atoms(stated: StatedTopology, expression: str) -> tuple[StatedTopology, np.ndarray]:
    """Return what a file states of the atoms that an expression of MDTraj selects, and these.

    Warns where the selection cuts bonds.

    Raises
    ------
    ValueError
        If the expression is not valid, or selects nothing; it names the residues that there are.
    """
    topology = stated.topology
    try:
        atoms = np.unique(np.asarray(topology.select(expression), dtype=np.int64))
    except Exception as error:  # of MDTraj's parser, which raises several kinds
        reason = " ".join(str(error).split())
        raise ValueError(
            f"select={expression!r} is not in MDTraj's selection language ({reason}): for example "
            "'protein', 'resname LIG', 'chainid 0 and not water', 'index < 100'"
        ) from error
    if not len(atoms):
        residues = Counter(residue.name for residue in topology.residues)
        named = comma_list((f"{name} ({n})" for name, n in residues.most_common()), _MAX_NAMED)
        raise ValueError(
            f"select={expression!r} selects none of {topology.n_atoms:,} atoms; the file has "
            f"{topology.n_chains} chains of residues {named}"
        )
    place = {int(atom): number for number, atom in enumerate(atoms)}
    kept = {(place[i], place[j]) for i, j in stated.bonds if i in place and j in place}
    cut = [(i, j) for i, j in sorted(stated.bonds) if (i in place) != (j in place)]
    if cut:
        names = list(topology.atoms)
        first, second = (names[atom] for atom in cut[0])
        warnings.warn(
            f"select={expression!r} cuts {len(cut)} bonds, the first {first} to {second}: its "
            "atoms are read without them",
            stacklevel=2,
        )
    part = replace(
        stated,
        topology=topology.subset(atoms),
        symbols=[stated.symbols[atom] for atom in atoms],
        bonds=kept,
        masses=None if stated.masses is None else np.asarray(stated.masses)[atoms],
        xyz=None if stated.xyz is None else stated.xyz[atoms],
    )
    return part, atoms
