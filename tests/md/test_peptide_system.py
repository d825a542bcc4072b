import numpy as np
import openmm
import pytest
from openmm import app, unit

from cgsim.md.merged import has_device
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_structure import build_peptide
from cgsim.md.peptide_system import (
    MergedPeptides,
    PeptideForceField,
    energy_shift,
    longest_extension,
)
from cgsim.units import BOLTZMANN

FORCE_FIELD = PeptideForceField()


@pytest.fixture(scope="module")
def alanine() -> Peptide:
    return build_peptide("A")


@pytest.fixture(scope="module")
def aspartate() -> Peptide:
    return build_peptide("D")


def textbook(
    peptide: Peptide, xyz: np.ndarray, *, force_field: app.ForceField | None = None
) -> tuple[float, np.ndarray]:
    """Energy and forces of OpenMM's own System: one peptide, no cutoff, nothing constrained."""
    system = (force_field or FORCE_FIELD.load()).createSystem(
        peptide.topology, nonbondedMethod=app.NoCutoff
    )
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(xyz)
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)


def conformations(peptide: Peptide, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [peptide.xyz + rng.normal(scale=0.01, size=peptide.xyz.shape) for _ in range(n)]


def is_free(peptide: Peptide) -> np.ndarray:
    """Atoms without constrained bonds, whose forces do not depend on the constraints."""
    bonded = {x.index for a, b in peptide.topology.bonds() for x in (a, b) if _has_h(a, b)}
    return np.array([i not in bonded for i in range(peptide.n_atoms)])


def _has_h(a: app.topology.Atom, b: app.topology.Atom) -> bool:
    return "H" in (a.element.symbol, b.element.symbol)


def test_backbone_is_that_of_ff99sb(alanine: Peptide) -> None:
    """ff14SBonlysc changes side chains only, thus alanine is as in the ff99SB of OpenMM."""
    ff99sb = app.ForceField("amber99sb.xml", "implicit/gbn2.xml")
    ff14sb = app.ForceField("amber14/protein.ff14SB.xml", "implicit/gbn2.xml")
    differ = []
    for xyz in conformations(alanine, 3):
        ours, _ = textbook(alanine, xyz)
        old, _ = textbook(alanine, xyz, force_field=ff99sb)
        assert ours == pytest.approx(old, abs=2e-3)
        differ.append(abs(ours - textbook(alanine, xyz, force_field=ff14sb)[0]))
    assert max(differ) > 0.1


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_merged_copies_have_the_energy_and_forces_of_openmm(
    alanine: Peptide, aspartate: Peptide, platform: str
) -> None:
    peptides = [alanine, aspartate, alanine]
    xyz = [conformations(p, 3)[i] for i, p in enumerate(peptides)]
    cutoff = max(map(longest_extension, peptides))
    energy, forces = MergedPeptides(peptides, FORCE_FIELD, platform=platform).forces(xyz)
    shift = expected = 0.0
    for peptide, x, force in zip(peptides, xyz, forces, strict=True):
        alone, wanted = textbook(peptide, x)
        system = FORCE_FIELD.build_system([peptide], cutoff=cutoff)
        shift += energy_shift(system, cutoff=cutoff)
        expected += alone - constrained_bonds(peptide, x)
        free = is_free(peptide)
        np.testing.assert_allclose(force[free], wanted[free], atol=1e-5 * np.abs(wanted).max())
    assert abs(shift) > 1.0
    assert energy - shift == pytest.approx(expected, rel=1e-5)


def constrained_bonds(peptide: Peptide, xyz: np.ndarray) -> float:
    """Energy of the harmonic bonds that constraints replace."""
    system = FORCE_FIELD.load().createSystem(peptide.topology)
    (bonds,) = (f for f in system.getForces() if isinstance(f, openmm.HarmonicBondForce))
    mass = [system.getParticleMass(i)._value for i in range(peptide.n_atoms)]
    energy = 0.0
    for index in range(bonds.getNumBonds()):
        i, j, length, k = bonds.getBondParameters(index)
        if min(mass[i], mass[j]) < 1.5:
            r = float(np.linalg.norm(xyz[i] - xyz[j]))
            energy += 0.5 * k._value * (r - length._value) ** 2
    return energy


@pytest.mark.skipif(not has_device("OpenCL"), reason="no OpenCL device")
def test_opencl_has_the_forces_of_the_reference(alanine: Peptide) -> None:
    """Drivers differ: of each it has to be seen."""
    xyz = conformations(alanine, 3)
    forces = []
    for platform in ("Reference", "OpenCL"):
        merged = MergedPeptides([alanine] * 3, FORCE_FIELD, platform=platform)
        forces.append(np.concatenate(merged.forces(xyz)[1]))
    np.testing.assert_allclose(forces[1], forces[0], atol=2e-4 * np.abs(forces[0]).max())


def test_no_conformation_is_longer_than_the_longest_extension(alanine: Peptide) -> None:
    bound = longest_extension(alanine)
    assert np.linalg.norm(alanine.xyz[:, None] - alanine.xyz, axis=2).max() < bound
    # H-C-C-N-CA-C-N-C-H, bond lengths of Amber
    expected = 0.109 + 0.1522 + 0.1335 + 0.1449 + 0.1522 + 0.1335 + 0.1449 + 0.109
    assert bound == pytest.approx(expected, rel=0.02)


def test_masses_are_moved_to_the_hydrogens(alanine: Peptide) -> None:
    system = FORCE_FIELD.build_system([alanine, alanine], cutoff=2.0)
    mass = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
    plain = sum(a.element.mass.value_in_unit(unit.dalton) for a in alanine.topology.atoms())
    assert min(mass) == pytest.approx(3.0)
    assert sum(mass) == pytest.approx(2 * plain, abs=0.05)
    assert system.getNumConstraints() == 2 * 12
    assert not any(isinstance(f, openmm.CMMotionRemover) for f in system.getForces())


@pytest.mark.parametrize("temperature", [300.0, 350.0])
def test_dynamics_keeps_temperature_and_constraints(alanine: Peptide, temperature: float) -> None:
    force_field = PeptideForceField(temperature)
    n_copies = 12
    merged = MergedPeptides([alanine] * n_copies, force_field, platform="CPU")
    phases = merged.relax([alanine.xyz] * n_copies, seed=0)
    system = force_field.build_system([alanine], cutoff=2.0)
    mass = np.array([system.getParticleMass(i)._value for i in range(alanine.n_atoms)])
    n_degrees = n_copies * (3 * alanine.n_atoms - system.getNumConstraints())
    measured = []
    for piece in range(14):
        frames, phases = merged.advance(phases, n_frames=1, steps_per_frame=100, seed=piece)
        kinetic = sum(0.5 * (mass[:, None] * phase.velocity**2).sum() for phase in phases)
        measured.append(2.0 * kinetic / (n_degrees * BOLTZMANN))
    # one sample has a relative error of sqrt(2 / 648) = 0.056; ten of them 0.018
    assert np.mean(measured[4:]) == pytest.approx(temperature, rel=0.06)
    hydrogen = next(a.index for a in alanine.topology.atoms() if a.name == "HA")
    carbon = next(a.index for a in alanine.topology.atoms() if a.name == "CA")
    lengths = [np.linalg.norm(f[0, hydrogen] - f[0, carbon]) for f in frames]
    np.testing.assert_allclose(lengths, 0.109, atol=1e-5)


def test_chunks_are_bounded_in_steps_and_in_time(
    alanine: Peptide, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = MergedPeptides([alanine], FORCE_FIELD, platform="Reference")
    assert merged.n_frames_per_chunk(250) == 1_000_000 // (22 * 250)
    monkeypatch.setattr(MergedPeptides, "n_atom_steps", {"CPU": 10**9})
    assert merged.n_frames_per_chunk(250) == 400
    assert merged.n_frames_per_chunk(10**6) == 1
