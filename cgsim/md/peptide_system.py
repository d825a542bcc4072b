r"""Amber force field of peptides in implicit solvent, for one or many copies in one System.

ff14SBonlysc (Maier et al., J. Chem. Theory Comput. 2015, 11, 3696) keeps the side chains of ff14SB
and the backbone of ff99SB (Hornak et al., Proteins 2006, 65, 712), the pair that GBn2 (see
`cgsim.md.solvent`) was tested with. OpenMM ships ff14SB; the two differ in one torsion, C-N-CA-CB,
which is put back here.

**Copies merged into one System are exactly independent.** Generalized Born and Coulomb energies
run over all pairs, so without a cutoff copies would see each other, at a cost quadratic in their
number. They get a cutoff longer than any of them can stretch (the path along its bonds) and lie
further apart than that. Every pair within a copy is then inside the cutoff and none between copies
is. At cutoff r, OpenMM shifts Coulomb (reaction field of dielectric constant 1, as its solvents
set) and Generalized Born energies by constants, q_i q_j / r times a number: the forces are those of
a single copy without a cutoff (measured: to 5e-7 of the largest), the energies too but for
`energy_shift`.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import openmm
from openmm import app, unit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from cgsim.md.merged import Langevin, MergedCopies
from cgsim.md.runs import PeptideRun, Solvent, check_choice
from cgsim.md.solvent import SOLVENTS, WATER

if TYPE_CHECKING:
    from cgsim.md.peptide_chain import Peptide

_FF99SB_BACKBONE = "".join(
    '<Proper type1="protein-C" type2="protein-N" type3="protein-CX" '
    f'type4="protein-{beta}" periodicity1="1" phase1="0.0" k1="8.368" '
    'periodicity2="2" phase2="0.0" k2="8.368" periodicity3="3" phase3="0.0" k3="1.6736"/>'
    for beta in ("CT", "2C", "3C", "C8")
)
"""Torsion C-N-CA-CB of ff99SB, 2.0, 2.0 and 0.4 kcal/mol, for every type of beta carbon."""

_COULOMB = 138.935485  # kJ/mol nm / e^2, as OpenMM's Generalized Born has it


@dataclass(frozen=True)
class PeptideForceField:
    """Force field of peptides, and their Langevin dynamics.

    Bonds to hydrogen are constrained and hydrogens made as heavy as 3 Da at the expense of their
    neighbours, which allows 4 fs (Hopkins et al., J. Chem. Theory Comput. 2015, 11, 1864). The mass
    changes no equilibrium average. The friction is far below that of water, so the dynamics
    is faster than in experiment.

    Attributes
    ----------
    temperature : float
        K.
    hydrogen_mass : float
        Da.
    friction : float
        1/ps.
    timestep : float
        ps.
    solvent : str
        ``"GBn2"`` or ``"OBC2"`` (see `cgsim.md.solvent`); anything else is a ValueError.
    """

    temperature: float = PeptideRun.temperature
    hydrogen_mass: float = 3.0
    friction: float = 1.0
    timestep: float = PeptideRun.timestep
    solvent: Solvent = PeptideRun.solvent

    def __post_init__(self) -> None:
        check_choice("solvent", self.solvent, SOLVENTS)

    @property
    def dielectric(self) -> float:
        """Dielectric constant of the solvent: that of water."""
        return WATER

    def load(self) -> app.ForceField:
        """Return the OpenMM force field, ff14SBonlysc with the solvent."""
        # The first match of a torsion counts, so what replaces another stands before it.
        torsions = f'<PeriodicTorsionForce ordering="amber">{_FF99SB_BACKBONE}'
        replaced = f"<ForceField>{torsions}</PeriodicTorsionForce></ForceField>"
        force_field = app.ForceField(io.StringIO(replaced), "amber14/protein.ff14SB.xml")
        SOLVENTS[self.solvent](force_field)
        return force_field

    def build_system(self, peptides: Sequence["Peptide"], *, cutoff: float) -> openmm.System:
        """Merge peptides, in order, into one OpenMM System."""
        modeller = app.Modeller(app.Topology(), [] * unit.nanometer)
        for peptide in peptides:
            modeller.add(peptide.topology, peptide.xyz * unit.nanometer)
        return self.load().createSystem(
            modeller.topology,
            nonbondedMethod=app.CutoffNonPeriodic,
            nonbondedCutoff=cutoff * unit.nanometer,
            constraints=app.HBonds,
            hydrogenMass=self.hydrogen_mass,
            solventDielectric=self.dielectric,
            removeCMMotion=False,
        )


def longest_extension(peptide: "Peptide") -> float:
    """Return a distance that no two atoms can exceed: the longest path along bonds, nm."""
    i, j = np.array([(a.index, b.index) for a, b in peptide.topology.bonds()]).T
    length = np.linalg.norm(peptide.xyz[i] - peptide.xyz[j], axis=1)
    graph = coo_array((length, (i, j)), shape=(peptide.n_atoms, peptide.n_atoms))
    return float(shortest_path(graph.tocsr(), directed=False).max())


def energy_shift(system: openmm.System, *, cutoff: float) -> float:
    """Return what the cutoff adds to the energy of one peptide whose pairs are all within it.

    Coulomb pairs (1-2, 1-3 and 1-4 are exceptions without a shift) and, with the opposite sign and
    scaled by 1 - 1/78.5, the pairs of Generalized Born (no exceptions).

    Parameters
    ----------
    system : openmm.System
        Of a single peptide.
    cutoff : float
        nm.

    Returns
    -------
    float
        kJ/mol.
    """
    (pairs,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    charge = np.array(
        [pairs.getParticleParameters(i)[0]._value for i in range(pairs.getNumParticles())]
    )
    excepted = [pairs.getExceptionParameters(i)[:2] for i in range(pairs.getNumExceptions())]
    i, j = np.array(excepted).T
    born = (charge.sum() ** 2 - (charge**2).sum()) / 2.0
    coulomb = born - (charge[i] * charge[j]).sum()
    return float(_COULOMB / cutoff * ((1.0 - 1.0 / WATER) * born - coulomb))


class MergedPeptides(MergedCopies):
    """Langevin dynamics of several peptides that do not see each other, in one OpenMM Context.

    The cutoff is longer than any peptide can stretch, so that the forces are those of single
    copies without a cutoff; energies have `energy_shift` added.

    Parameters
    ----------
    peptides : sequence of Peptide
        One entry per copy; the same peptide may appear more than once.
    force_field : PeptideForceField
        Parameters of the potential and the dynamics.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or ``"Reference"``.
    """

    n_atom_steps = MappingProxyType({"CPU": 1_000_000, "CUDA": 200_000_000, "OpenCL": 10_000_000})
    longest_chunk = 400.0

    def __init__(
        self,
        peptides: Sequence["Peptide"],
        force_field: PeptideForceField,
        *,
        platform: str = "auto",
    ) -> None:
        cutoff = max(longest_extension(peptide) for peptide in peptides)
        super().__init__(
            force_field.build_system(peptides, cutoff=cutoff),
            [peptide.n_atoms for peptide in peptides],
            Langevin(force_field.temperature, force_field.friction, force_field.timestep),
            cutoff=cutoff,
            platform=platform,
        )
