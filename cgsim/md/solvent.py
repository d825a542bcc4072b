"""Implicit water around peptides: two models of Generalized Born.

GBn2 (Nguyen, Roe, Simmerling, J. Chem. Theory Comput. 2013, 9, 2020) is the more accurate one.
OpenMM runs it as a CustomGBForce, pair by pair on a CPU. OBC2 (Onufriev, Bashford, Case, Proteins
2004, 55, 383, model II) has kernels of its own there, several times faster, which is what large
molecules need where there is no GPU. It is the solvent that the backbone of ff99SB, which
ff14SBonlysc keeps, was used with before GBn2.
"""

from collections.abc import Callable
from typing import Any

import openmm
from openmm import app
from openmm.app.internal.customgbforces import GBSAOBC2Force

from cgsim.md.runs import Solvent

WATER = 78.5  # dielectric constant

SOLVENTS: dict[Solvent, Callable[[app.ForceField], None]] = {
    "GBn2": lambda force_field: force_field.loadFile("implicit/gbn2.xml"),
    "OBC2": lambda force_field: force_field.registerGenerator(_NativeOBC2()),
}
"""By name: what adds the solvent to an OpenMM force field."""


class _NativeOBC2:
    """What OpenMM's ``implicit/obc2.xml`` does, with a GBSAOBCForce instead of a CustomGBForce.

    A generator of `openmm.app.ForceField`, which calls its methods; to be registered last. Radii
    are mbondi2, the surface term is that of the ACE approximation.
    """

    def createForce(  # noqa: N802
        self, system: openmm.System, data: Any, method: object, cutoff: object, args: Any
    ) -> None:
        """Nothing: charges are known after all forces are made."""

    def postprocessSystem(self, system: openmm.System, data: Any, args: Any) -> None:  # noqa: N802
        """Add the force to a System that has its charges, and its cutoff if there is one."""
        (pairs,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
        pairs.setReactionFieldDielectric(1.0)
        solvent = openmm.GBSAOBCForce()
        topology = data.atoms[0].residue.chain.topology
        for index, (radius, scale) in enumerate(GBSAOBC2Force.getStandardParameters(topology)):
            solvent.addParticle(pairs.getParticleParameters(index)[0], radius, scale)
        cut = pairs.getNonbondedMethod() != openmm.NonbondedForce.NoCutoff
        solvent.setNonbondedMethod(
            openmm.GBSAOBCForce.CutoffNonPeriodic if cut else openmm.GBSAOBCForce.NoCutoff
        )
        solvent.setCutoffDistance(pairs.getCutoffDistance())
        dielectric = args.get("solventDielectric", WATER)
        solvent.setSolventDielectric(dielectric)
        system.addForce(solvent)
