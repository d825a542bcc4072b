"""Atoms without bonds: what is missing, and where bonds can come from."""

from collections.abc import Sequence

import mdtraj
import numpy as np
from mdtraj.core.topology import Atom, Residue

from cgsim.io.residues import POLYMERS, ion_symbol, template_of

_WAYS = (
    "give them in CONECT records of the PDB (gmx editconf -f run.tpr -o run.pdb -conect), in an "
    "mmCIF (struct_conn, chem_comp_bond) or with the topology of your engine (PSF, PRMTOP), or "
    "remove the residue from topology and trajectory"
)
_MAX_NAMED = 6


def check_bonded(topology: mdtraj.Topology, bond_index: np.ndarray) -> None:
    """Check that atoms are bonded to the rest of their residue, and sites of a chain to the next.

    Raises
    ------
    ValueError
        Naming the residues, and the ways on.
    """
    residues = [list(residue.atoms) for residue in topology.residues]
    alone = [atoms[0] for atoms in residues if len(atoms) == 1 and _is_polymer(atoms[0])]
    bonded = np.zeros(topology.n_atoms, dtype=bool)
    bonded[bond_index] = True
    if topology.n_atoms > 1 and bond_index.size == 0:
        all_alone = all(len(atoms) <= 1 for atoms in residues)
        kinds = list(dict.fromkeys(residue.name for residue in topology.residues))
        names = ", ".join(kinds[:_MAX_NAMED]) + (" ..." if len(kinds) > _MAX_NAMED else "")
        raise ValueError(
            f"no bonds: none are in the topology and none are known for its residues ({names}); "
            "add CONECT records to the PDB or use a topology with bonds (PSF, PRMTOP, ...)"
            + (f"; {_CHAIN}" if all_alone else "")
        )
    loose = [
        atom for atoms in residues for atom in atoms if not bonded[atom.index] and len(atoms) > 1
    ]
    if loose:
        raise ValueError(_loose(loose))
    lone_sites = [atom for atom in alone if not bonded[atom.index]]
    if len(lone_sites) > 1 and len(lone_sites) == len(alone):
        raise ValueError(
            f"atom {lone_sites[0].index} ({lone_sites[0]}) has no bond, and so have "
            f"{len(lone_sites) - 1} other residues of one atom; {_CHAIN}"
        )


_CHAIN = (
    'if residues are one site each (C-alphas only, for example), bonds="chain" (--bonds chain) '
    "joins them along their chains"
)


def _is_polymer(atom: Atom) -> bool:
    template = template_of(atom.residue.name)
    is_ion = ion_symbol(atom.residue.name, atom.name) is not None
    return template is not None and template.kind in POLYMERS and not is_ion


def _loose(atoms: Sequence[Atom]) -> str:
    """What is not bonded, by residue name."""
    first = atoms[0]
    unknown: dict[str, dict[str, None]] = {}
    standard: dict[str, dict[str, None]] = {}
    for atom in atoms:
        fits = _fits(atom)
        (standard if fits else unknown).setdefault(atom.residue.name, {}).setdefault(atom.name)
    others = f" and {len(atoms) - 1} more" if len(atoms) > 1 else ""
    text = (
        f"atom {first.index} ({first}){others} have no bond to the rest of their residue"
        if others
        else f"atom {first.index} ({first}) has no bond to the rest of its residue"
    )
    if (twin := _other_part(first)) is not None:
        return text + (
            f". The atoms of {first.residue} stand in two places, from atom "
            f"{twin.atom(0).index} and from atom {first.residue.atom(0).index} on: put them "
            "together, in topology and trajectory alike"
        )
    if unknown:
        text += (
            f". Bonds of the residue {_listed(unknown)} are not known: {_WAYS}. A free particle, "
            "an ion for example, needs a residue of its own"
        )
    if standard:
        text += (
            f". In the standard residue {_listed(standard)} are no atoms that are known, or what "
            "they are bonded to is missing: complete it (PDBFixer) or correct the names; as to "
            f"bonds, {_WAYS}"
        )
    names = [atom.name for atom in first.residue.atoms]
    if names.count(first.name) > 1:
        text += f". {first.residue} holds {first.name} more than once: keep one"
    return text


def _other_part(atom: Atom) -> Residue | None:
    """A residue before that of an atom, of the same name and number but other atoms."""
    own = atom.residue
    names = {other.name for other in own.atoms}
    for residue in own.chain.residues:
        if residue is own:
            return None
        is_same = (residue.name, residue.resSeq) == (own.name, own.resSeq)
        is_same &= residue.segment_id == own.segment_id
        if is_same and names.isdisjoint(other.name for other in residue.atoms):
            return residue
    return None


def _fits(atom: Atom) -> bool:
    template = template_of(atom.residue.name)
    return template is not None and template.fits([other.name for other in atom.residue.atoms])


def _listed(names: dict[str, dict[str, None]]) -> str:
    return "; ".join(
        f"{residue} ({', '.join(list(atoms)[:_MAX_NAMED])}"
        + (" ...)" if len(atoms) > _MAX_NAMED else ")")
        for residue, atoms in names.items()
    )
