"""OpenMM systems of polymers: one or many chains, merged far apart into a single System.

A step of a small chain costs mostly overhead, so chains are simulated together: all in one
``System``, on lattice sites so far apart that they never interact, without a periodic box.

Potential energy, in Lennard-Jones units (sigma = 1 nm, m = 1 Da, eps = kT = 1 kJ/mol)::

    U = sum_bonds k/2 (r - r0)^2 + sum_pairs 4 eps_ij [(s_ij/r)^12 - (s_ij/r)^6] S(r)
    eps_ij = sqrt(eps_i eps_j),  s_ij = 1

over all pairs but those bonded to each other (1-2): the bond alone sets their distance, and at
r0 = 1 the repulsion would push against it. 1-3 pairs stay in: their repulsion is what keeps
neighbouring bonds from folding onto each other, as there is no angle potential. S(r) is OpenMM's
switching function between ``switch_distance`` and ``cutoff``.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import openmm

from cgsim.md.polymer import Chain
from cgsim.units import BOLTZMANN

PLATFORMS = ("auto", "CPU", "CUDA", "Reference")


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
    timestep: float = 0.01

    @property
    def temperature(self) -> float:
        """Temperature at which kT = 1 kJ/mol, in K."""
        return 1.0 / BOLTZMANN


@dataclass(frozen=True)
class Phase:
    """Phase-space point of one chain: positions (nm, unwrapped) and velocities (nm/ps)."""

    xyz: np.ndarray
    velocity: np.ndarray


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


def choose_platform(name: str) -> tuple[openmm.Platform, dict[str, str]]:
    """Return an OpenMM platform and its properties; ``"auto"`` is CUDA if it works, else CPU.

    The CPU platform gets one thread: two merged Systems side by side, one thread each, are faster
    than one with two threads (``benchmarks/md_speed.py``).

    Raises
    ------
    ValueError
        A platform that is unknown or not installed.
    """
    if name not in PLATFORMS:
        raise ValueError(f"platform must be one of {PLATFORMS}, got {name!r}")
    if name == "auto":
        name = "CUDA" if _cuda_works() else "CPU"
    try:
        platform = openmm.Platform.getPlatformByName(name)
    except openmm.OpenMMException as error:
        raise ValueError(f"OpenMM has no platform {name!r} here: {error}") from error
    return platform, {"Threads": "1"} if name == "CPU" else {}


def n_workers(platform: openmm.Platform) -> int:
    """Return how many merged Systems to run side by side: one per CPU core, one on a GPU."""
    if platform.getName() == "CUDA":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cuda_works() -> bool:
    system = openmm.System()
    system.addParticle(1.0)
    try:
        platform = openmm.Platform.getPlatformByName("CUDA")
        openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    except openmm.OpenMMException:
        return False
    return True


class MergedChains:
    """Langevin dynamics of several chains that do not see each other, in one OpenMM Context.

    Parameters
    ----------
    chains : sequence of Chain
        One entry per copy; the same chain may appear more than once.
    force_field : ForceField
        Parameters of the potential and the dynamics.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"`` or ``"Reference"``.
    """

    def __init__(
        self, chains: Sequence[Chain], force_field: ForceField, *, platform: str = "auto"
    ) -> None:
        self.force_field = force_field
        self._first = np.cumsum([0] + [chain.n_atoms for chain in chains])
        self._integrator = openmm.LangevinMiddleIntegrator(
            force_field.temperature, force_field.friction, force_field.timestep
        )
        system = build_system(chains, force_field)
        self._context = openmm.Context(system, self._integrator, *choose_platform(platform))

    def relax(self, xyz: Sequence[np.ndarray], *, seed: int | Sequence[int]) -> list[Phase]:
        """Minimise the energy of initial coordinates and draw thermal velocities."""
        origin = self._lattice(xyz, duration=0.0)
        self._context.setPositions(
            np.concatenate([x + o for x, o in zip(xyz, origin, strict=True)])
        )
        openmm.LocalEnergyMinimizer.minimize(self._context, 10.0, 1000)
        self._context.setVelocitiesToTemperature(self.force_field.temperature, _openmm_seed(seed))
        return self._phases(origin)

    def advance(
        self,
        start: Sequence[Phase],
        *,
        n_frames: int,
        steps_per_frame: int,
        seed: int | Sequence[int],
    ) -> tuple[list[np.ndarray], list[Phase]]:
        """Simulate ``n_frames`` frames of every chain.

        The result depends only on the arguments (and the platform's arithmetic), not on what was
        simulated before, so a run cut into calls can be resumed at any of them.

        Returns
        -------
        frames : list of ndarray, shape [n_frames, n_atoms, 3], nm
            Of each chain, continuous with its start.
        end : list of Phase
            To start the next call from.

        Raises
        ------
        ArithmeticError
            A chain blew up, or two copies came within the cutoff of each other.
        """
        duration = n_frames * steps_per_frame * self.force_field.timestep
        origin = self._lattice([phase.xyz for phase in start], duration=duration)
        self._integrator.setRandomNumberSeed(_openmm_seed(seed))
        self._context.reinitialize()
        merged = [phase.xyz + o for phase, o in zip(start, origin, strict=True)]
        self._context.setPositions(np.concatenate(merged))
        self._context.setVelocities(np.concatenate([phase.velocity for phase in start]))
        frames = np.empty((n_frames, self._first[-1], 3))
        for frame in frames:
            self._integrator.step(steps_per_frame)
            state = self._context.getState(positions=True)
            frame[:] = state.getPositions(asNumpy=True)._value
        self._check(frames)
        return [f - o for f, o in zip(self._split(frames), origin, strict=True)], self._phases(
            origin
        )

    def forces(self, xyz: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """Potential energy of all chains (kJ/mol) and forces on each (kJ/mol/nm)."""
        origin = self._lattice(xyz, duration=0.0)
        self._context.setPositions(
            np.concatenate([x + o for x, o in zip(xyz, origin, strict=True)])
        )
        state = self._context.getState(energy=True, forces=True)
        energy = float(state.getPotentialEnergy()._value)
        return energy, self._split(np.asarray(state.getForces(asNumpy=True)._value))

    def n_frames_per_chunk(self, steps_per_frame: int) -> int:
        """Frames that take a few seconds, so that starting a chunk costs next to nothing."""
        on_gpu = self._context.getPlatform().getName() == "CUDA"
        n_bead_steps = 2_000_000_000 if on_gpu else 10_000_000
        return max(1, n_bead_steps // (int(self._first[-1]) * steps_per_frame))

    def _split(self, merged: np.ndarray) -> list[np.ndarray]:
        return np.split(merged, self._first[1:-1], axis=-2)

    def _phases(self, origin: np.ndarray) -> list[Phase]:
        state = self._context.getState(positions=True, velocities=True)
        xyz = self._split(np.array(state.getPositions(asNumpy=True)._value))
        velocity = self._split(np.array(state.getVelocities(asNumpy=True)._value))
        return [Phase(x - o, v) for x, o, v in zip(xyz, origin, velocity, strict=True)]

    def _lattice(self, xyz: Sequence[np.ndarray], *, duration: float) -> np.ndarray:
        """Shift that moves each chain onto its own site of a cubic lattice, shape [n_chains, 3].

        Sites lie two diameters of the longest chain apart, plus the cutoff and ten standard
        deviations of the diffusion of a chain's centre during ``duration``.
        """
        centre = np.array([x.mean(axis=0) for x in xyz])
        radius = max(
            float(np.linalg.norm(x - c, axis=1).max()) for x, c in zip(xyz, centre, strict=True)
        )
        n_beads = min(len(x) for x in xyz)
        drift = duration / (n_beads * self.force_field.mass * self.force_field.friction)
        spacing = 4.0 * radius + self.force_field.cutoff + 10.0 * np.sqrt(2.0 * drift) + 10.0
        side = int(np.ceil(len(xyz) ** (1.0 / 3.0)))
        site = np.array(list(np.ndindex(side, side, side)))[: len(xyz)] - (side - 1) / 2.0
        return np.round(site * spacing - centre)

    def _check(self, frames: np.ndarray) -> None:
        if not np.isfinite(frames).all():
            raise ArithmeticError(
                "the simulation blew up (positions are not finite); use a smaller timestep"
            )
        low = np.array([x.min(axis=(0, 1)) for x in self._split(frames)])
        high = np.array([x.max(axis=(0, 1)) for x in self._split(frames)])
        gap = np.maximum(low[:, None] - high[None], low[None] - high[:, None]).max(axis=2)
        np.fill_diagonal(gap, np.inf)
        if gap.min() <= self.force_field.cutoff:
            raise ArithmeticError(
                "two merged chains came within the cutoff of each other; simulate shorter pieces"
            )


def _openmm_seed(seed: int | Sequence[int]) -> int:
    """Fold any seed into the positive 32-bit integers that OpenMM takes (0 means random there)."""
    return int(np.random.default_rng(seed).integers(1, 2**31 - 1))
