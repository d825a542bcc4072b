"""OpenMM systems of polymers: one or many chains, merged far apart into a single System.

Potential energy, in Lennard-Jones units (sigma = 1 nm, m = 1 Da, eps = kT = 1 kJ/mol)::

    U = sum_bonds k/2 (r - r0)^2 + sum_pairs 4 eps_ij [(s_ij/r)^12 - (s_ij/r)^6] S(r)
    eps_ij = sqrt(eps_i eps_j),  s_ij = 1

over all pairs but those bonded to each other (1-2): the bond alone sets their distance, and at
r0 = 1 the repulsion would push against it. 1-3 pairs stay in: their repulsion is what keeps
neighbouring bonds from folding onto each other, as there is no angle potential. S(r) is OpenMM's
switching function between ``switch_distance`` and ``cutoff``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import openmm

from cgsim.md.merged import Langevin, MergedCopies
from cgsim.md.polymer import Chain
from cgsim.md.runs import PolymerRun
from cgsim.units import BOLTZMANN


@dataclass(frozen=True)
class ForceField:
    """Parameters of the polymer model and of its Langevin dynamics.

    The well depths span good solvent (B1: little but repulsion) to poor (S2; a chain of LJ beads
    collapses near 0.3 kT), so that sequences differ in size and speed. Of 16 chains of each class,
    3,000 tau (``tiny``) and 6,000 tau (``mini``) long, radius of gyration and relaxation time of
    Rg^2 (1/e) came out as

    ========  ============  ======================================
    size      Rg / sigma    relaxation / tau: all, median of I, II
    ========  ============  ======================================
    ``tiny``  2.4 to 4.4    8 to 95, 27, 31
    ``mini``  2.8 to 7.2    5 to 233, 107, 93
    ========  ============  ======================================

    The most compact chains are liquid, not glassy, globules: distances between far backbone beads
    decorrelate in 15 to 70 tau and independent replicas agree on Rg to 1 %. The friction is low
    enough for fast relaxation per step, and high enough that velocities decorrelate (2 tau) within
    a step of the learned simulator (5 tau and more).

    Attributes
    ----------
    epsilon : dict of str to float
        Lennard-Jones well depth by bead type, kJ/mol (= kT).
    mass : float
        Of every bead, Da.
    sigma, bond_length : float
        nm.
    bond_constant : float
        kJ/mol/nm^2.
    cutoff, switch_distance : float
        nm.
    friction : float
        1/ps (= 1/tau).
    timestep : float
        ps (= tau).
    """

    epsilon: dict[str, float] = field(
        default_factory=lambda: {"B1": 0.05, "B2": 0.6, "S1": 0.2, "S2": 1.2}
    )
    mass: float = 1.0
    sigma: float = 1.0
    bond_length: float = 1.0
    bond_constant: float = 300.0
    cutoff: float = 2.5
    switch_distance: float = 2.0
    friction: float = 0.5
    timestep: float = PolymerRun.timestep

    @property
    def temperature(self) -> float:
        """Temperature at which kT = 1 kJ/mol, in K."""
        return 1.0 / BOLTZMANN


def build_system(chains: Sequence[Chain], force_field: ForceField) -> openmm.System:
    """Merge chains, in order, into one OpenMM System."""
    system = openmm.System()
    pairs = openmm.NonbondedForce()
    pairs.setNonbondedMethod(openmm.NonbondedForce.CutoffNonPeriodic)
    pairs.setCutoffDistance(force_field.cutoff)
    pairs.setUseSwitchingFunction(True)
    pairs.setSwitchingDistance(force_field.switch_distance)
    bonds = openmm.HarmonicBondForce()
    for chain in chains:
        first = system.getNumParticles()
        for bead_type in chain.atom_type:
            system.addParticle(force_field.mass)
            pairs.addParticle(0.0, force_field.sigma, force_field.epsilon[bead_type])
        for i, j in (chain.bond_index.T + first).tolist():
            bonds.addBond(i, j, force_field.bond_length, force_field.bond_constant)
            pairs.addException(i, j, 0.0, force_field.sigma, 0.0)
    system.addForce(bonds)
    system.addForce(pairs)
    return system


class MergedChains(MergedCopies):
    """Langevin dynamics of several chains that do not see each other, in one OpenMM Context.

    Parameters
    ----------
    chains : sequence of Chain
        One entry per copy; the same chain may appear more than once.
    force_field : ForceField
        Parameters of the potential and the dynamics.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or ``"Reference"``.
    """

    def __init__(
        self, chains: Sequence[Chain], force_field: ForceField, *, platform: str = "auto"
    ) -> None:
        super().__init__(
            build_system(chains, force_field),
            [chain.n_atoms for chain in chains],
            Langevin(force_field.temperature, force_field.friction, force_field.timestep),
            cutoff=force_field.cutoff,
            platform=platform,
        )
