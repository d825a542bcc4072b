"""Energy minimisation of atoms whose beads are held where they are."""

import copy

import numpy as np
import openmm

from cgsim.mapping import Mapping

_TOLERANCE = 10.0  # kJ/mol/nm, root mean square force


class Minimisation:
    """Minimises an energy with every bead tied to its place by a spring.

    Parameters
    ----------
    energy
        Of the atoms: `peptide_energy`, `geometry_energy` or any other OpenMM System.
    mapping
        Atoms to beads.
    stiffness
        Of the springs, kJ/mol/nm². At 50,000 a force of 100 kJ/mol/nm pulls a bead 0.002 nm away.
    max_iterations
        Of the L-BFGS minimiser, per frame; 0 for no limit.

    Raises
    ------
    ValueError
        If `energy` is of another number of atoms, or numbers are out of range.
    """

    def __init__(
        self,
        energy: openmm.System,
        mapping: Mapping,
        *,
        stiffness: float = 50_000.0,
        max_iterations: int = 0,
    ) -> None:
        if energy.getNumParticles() != mapping.n_atoms:
            raise ValueError(
                f"the energy is of {energy.getNumParticles()} atoms, the mapping of "
                f"{mapping.n_atoms}"
            )
        if not stiffness > 0.0 or max_iterations < 0:
            raise ValueError(
                f"stiffness must be positive and max_iterations not negative: {stiffness}, "
                f"{max_iterations}"
            )
        self.max_iterations = max_iterations
        self._restraint = _restraint(mapping, stiffness)
        system = copy.deepcopy(energy)
        system.addForce(self._restraint)
        platform = openmm.Platform.getPlatformByName("CPU")
        self._context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), platform, {"DeterministicForces": "true"}
        )

    def __call__(self, xyz: np.ndarray, beads: np.ndarray) -> np.ndarray:
        """Minimise one frame.

        Parameters
        ----------
        xyz
            ``[n_atoms, 3]`` nm, where to start.
        beads
            ``[n_beads, 3]`` nm, where the beads are held.

        Returns
        -------
        np.ndarray
            ``[n_atoms, 3]`` nm.
        """
        origin = beads.mean(axis=0)  # float32 forces lose digits far from it
        for bead, place in enumerate(beads - origin):
            groups, _ = self._restraint.getBondParameters(bead)
            self._restraint.setBondParameters(bead, groups, place.tolist())
        self._restraint.updateParametersInContext(self._context)
        self._context.setPositions(xyz - origin)
        openmm.LocalEnergyMinimizer.minimize(self._context, _TOLERANCE, self.max_iterations)
        state = self._context.getState(getPositions=True)
        return np.asarray(state.getPositions(asNumpy=True)._value) + origin


def _restraint(mapping: Mapping, stiffness: float) -> openmm.CustomCentroidBondForce:
    force = openmm.CustomCentroidBondForce(
        1, f"0.5*{stiffness}*((x1-bead_x)^2 + (y1-bead_y)^2 + (z1-bead_z)^2)"
    )
    for axis in "xyz":
        force.addPerBondParameter(f"bead_{axis}")
    for bead in range(mapping.n_beads):
        atoms = np.flatnonzero((mapping.bead_index == bead) & (mapping.atom_weight > 0.0))
        group = force.addGroup(atoms.tolist(), mapping.atom_weight[atoms].tolist())
        force.addBond([group], [0.0, 0.0, 0.0])
    return force
