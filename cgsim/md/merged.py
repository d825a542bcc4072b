"""Many copies in one OpenMM Context: simulated together, far apart, without seeing each other.

A step of a small molecule costs mostly overhead, so copies share one ``System``, on lattice sites
so far apart that they never interact, without a periodic box.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np
import openmm

from cgsim.md.runs import Platform, check_choice
from cgsim.units import BOLTZMANN

DEVICES = ("CUDA", "OpenCL")  # platforms that take all of a device, and one System at a time
_PROPERTIES = {"CPU": {"Threads": "1"}} | {name: {"Precision": "mixed"} for name in DEVICES}


@dataclass(frozen=True)
class Langevin:
    """Langevin dynamics: temperature in K, friction in 1/ps, timestep in ps."""

    temperature: float
    friction: float
    timestep: float


@dataclass(frozen=True)
class Phase:
    """Phase-space point of one copy: positions (nm, unwrapped) and velocities (nm/ps)."""

    xyz: np.ndarray
    velocity: np.ndarray


def choose_platform(name: str) -> tuple[openmm.Platform, dict[str, str]]:
    """Return an OpenMM platform and its properties; ``"auto"`` is CUDA if it works, else CPU.

    The CPU platform gets one thread: two merged Systems side by side, one thread each, are faster
    than one with two threads (``benchmarks/speed/md_polymers.py``). CUDA and OpenCL integrate in
    double precision (``mixed``), as the copies lie far from the origin. OpenCL is for other GPUs,
    and for CPUs with an OpenCL driver (PoCL).

    Raises
    ------
    ValueError
        A platform that is unknown or not installed.
    """
    check_choice("platform", name, get_args(Platform))
    if name == "auto":
        name = "CUDA" if has_device("CUDA") else "CPU"
    try:
        platform = openmm.Platform.getPlatformByName(name)
    except openmm.OpenMMException as error:
        raise ValueError(f"OpenMM has no platform {name!r} here: {error}") from error
    return platform, dict(_PROPERTIES.get(name, {}))


def n_workers(platform: openmm.Platform) -> int:
    """Return how many merged Systems to run side by side: one per CPU core, one on a device."""
    if platform.getName() in DEVICES:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_device(platform: str) -> bool:
    """Whether OpenMM can simulate on a platform here."""
    system = openmm.System()
    system.addParticle(1.0)
    try:
        found = openmm.Platform.getPlatformByName(platform)
        openmm.Context(system, openmm.VerletIntegrator(0.001), found)
    except openmm.OpenMMException:
        return False
    return True


class MergedCopies:
    """Langevin dynamics of several molecules that do not see each other, in one OpenMM Context.

    Parameters
    ----------
    system : openmm.System
        The atoms of the copies, one copy after the other.
    n_atoms : sequence of int
        Of each copy.
    dynamics : Langevin
        Temperature, friction and timestep.
    cutoff : float
        Distance beyond which atoms do not interact, nm.
    platform : str
        ``"auto"``, ``"CPU"``, ``"CUDA"``, ``"OpenCL"`` or ``"Reference"``.
    """

    n_atom_steps: ClassVar[Mapping[str, int]] = {
        "CPU": 10_000_000,
        "CUDA": 2_000_000_000,
        "OpenCL": 100_000_000,
    }
    """Atoms times steps that take a few seconds, by platform; others count as CPU."""
    longest_chunk: ClassVar[float] = math.inf
    """ps; small Systems on a GPU would otherwise go long without being saved."""

    def __init__(
        self,
        system: openmm.System,
        n_atoms: Sequence[int],
        dynamics: Langevin,
        *,
        cutoff: float,
        platform: str = "auto",
    ) -> None:
        self._dynamics = dynamics
        self._cutoff = cutoff
        self._first = np.cumsum([0, *n_atoms])
        mass = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
        self._lightest = min(float(part.sum()) for part in self._split(np.array(mass), axis=0))
        self._integrator = openmm.LangevinMiddleIntegrator(
            dynamics.temperature, dynamics.friction, dynamics.timestep
        )
        self._context = openmm.Context(system, self._integrator, *choose_platform(platform))

    def relax(self, xyz: Sequence[np.ndarray], *, seed: int | Sequence[int]) -> list[Phase]:
        """Minimise the energy of initial coordinates and draw thermal velocities."""
        origin = self._lattice(xyz, duration=0.0)
        self._context.setPositions(
            np.concatenate([x + o for x, o in zip(xyz, origin, strict=True)])
        )
        openmm.LocalEnergyMinimizer.minimize(self._context, 10.0, 1000)
        self._context.setVelocitiesToTemperature(self._dynamics.temperature, _openmm_seed(seed))
        return self._phases(origin)

    def advance(
        self,
        start: Sequence[Phase],
        *,
        n_frames: int,
        steps_per_frame: int,
        seed: int | Sequence[int],
        time: float = 0.0,
    ) -> tuple[list[np.ndarray], list[Phase]]:
        """Simulate ``n_frames`` frames of every copy.

        The result depends only on the arguments (and the platform's arithmetic), not on what was
        simulated before, so a run cut into calls can be resumed at any of them. The time of the
        start (ps, negative in equilibration) is for forces that change with it.

        Returns
        -------
        frames : list of ndarray, shape [n_frames, n_atoms, 3], nm
            Of each copy, continuous with its start.
        end : list of Phase
            To start the next call from.

        Raises
        ------
        ArithmeticError
            A copy blew up, or two copies came within the cutoff of each other.
        """
        duration = n_frames * steps_per_frame * self._dynamics.timestep
        origin = self._lattice([phase.xyz for phase in start], duration=duration)
        self._integrator.setRandomNumberSeed(_openmm_seed(seed))
        self._context.reinitialize()
        merged = [phase.xyz + o for phase, o in zip(start, origin, strict=True)]
        self._context.setPositions(np.concatenate(merged))
        self._context.setVelocities(np.concatenate([phase.velocity for phase in start]))
        frames = np.empty((n_frames, self._first[-1], 3))
        for index, frame in enumerate(frames):
            done = index * steps_per_frame
            self._step(range(done, done + steps_per_frame), start=time)
            state = self._context.getState(positions=True)
            frame[:] = state.getPositions(asNumpy=True)._value
        self._check(frames)
        return [f - o for f, o in zip(self._split(frames), origin, strict=True)], self._phases(
            origin
        )

    def forces(self, xyz: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """Potential energy of all copies (kJ/mol) and forces on each (kJ/mol/nm)."""
        origin = self._lattice(xyz, duration=0.0)
        self._context.setPositions(
            np.concatenate([x + o for x, o in zip(xyz, origin, strict=True)])
        )
        state = self._context.getState(energy=True, forces=True)
        energy = float(state.getPotentialEnergy()._value)
        return energy, self._split(np.asarray(state.getForces(asNumpy=True)._value))

    def n_frames_per_chunk(self, steps_per_frame: int) -> int:
        """Frames that take a few seconds, so that starting a chunk costs next to nothing."""
        platform = self._context.getPlatform().getName()
        n_atom_steps = self.n_atom_steps.get(platform, self.n_atom_steps["CPU"])
        n_frames = n_atom_steps // (int(self._first[-1]) * steps_per_frame)
        longest = self.longest_chunk / (steps_per_frame * self._dynamics.timestep)
        return max(1, int(min(n_frames, longest)))

    def _step(self, steps: range, *, start: float) -> None:
        """Take some steps, numbered from 0 at the time ``start``, ps."""
        try:
            self._integrator.step(len(steps))
        except openmm.OpenMMException as error:  # the CPU platform finds NaN by itself
            raise ArithmeticError(
                f"the simulation blew up ({error}); use a smaller timestep"
            ) from error

    def _split(self, merged: np.ndarray, axis: int = -2) -> list[np.ndarray]:
        return np.split(merged, self._first[1:-1], axis=axis)

    def _phases(self, origin: np.ndarray) -> list[Phase]:
        state = self._context.getState(positions=True, velocities=True)
        xyz = self._split(np.array(state.getPositions(asNumpy=True)._value))
        velocity = self._split(np.array(state.getVelocities(asNumpy=True)._value))
        return [Phase(x - o, v) for x, o, v in zip(xyz, origin, velocity, strict=True)]

    def _lattice(self, xyz: Sequence[np.ndarray], *, duration: float) -> np.ndarray:
        """Shift that moves each copy onto its own site of a cubic lattice, shape [n_copies, 3].

        Sites lie two diameters of the longest copy apart, plus the cutoff and ten standard
        deviations of the diffusion of the lightest copy's centre during ``duration``.
        """
        centre = np.array([x.mean(axis=0) for x in xyz])
        radius = max(
            float(np.linalg.norm(x - c, axis=1).max()) for x, c in zip(xyz, centre, strict=True)
        )
        thermal_energy = BOLTZMANN * self._dynamics.temperature
        drift = thermal_energy * duration / (self._lightest * self._dynamics.friction)
        spacing = 4.0 * radius + self._cutoff + 10.0 * np.sqrt(2.0 * drift) + 10.0
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
        if gap.min() <= self._cutoff:
            raise ArithmeticError(
                "two merged copies came within the cutoff of each other; simulate shorter pieces"
            )


def _openmm_seed(seed: int | Sequence[int]) -> int:
    """Fold any seed into the positive 32-bit integers that OpenMM takes (0 means random there)."""
    return int(np.random.default_rng(seed).integers(1, 2**31 - 1))
