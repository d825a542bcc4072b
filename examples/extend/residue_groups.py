r"""A mapper of one's own: beads of several consecutive residues, for large proteins.

cgsim map protein.pdb run.xtc --output mapped \
        --mapper examples.extend.residue_groups:map_residue_groups --parameters.n_residues 3
cgsim rollout model/simulator.safetensors protein.pdb --n_steps 1000 --output rollout \
        --mapper examples.extend.residue_groups:map_residue_groups
"""

from cgsim.io import Molecule
from cgsim.mapping import Mapping, map_user


def map_residue_groups(molecule: Molecule, *, n_residues: int = 2) -> Mapping:
    """Make every `n_residues` residues of a chain a bead, at its centre of mass.

    Parameters
    ----------
    molecule
        What to map.
    n_residues
        Of a bead; the last one of a chain may have fewer.

    Raises
    ------
    ValueError
        If `n_residues` is not positive.
    """
    if n_residues < 1:
        raise ValueError(f"n_residues must be at least 1, not {n_residues}")
    beads: list[list[int]] = []
    for chain in molecule.topology.chains:
        for number, residue in enumerate(chain.residues):
            if number % n_residues == 0:
                beads.append([])
            beads[-1] += [atom.index for atom in residue.atoms]
    return map_user(molecule, beads)
