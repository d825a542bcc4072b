"""Implicit water: OBC2 in OpenMM's own kernels is the OBC2 of its XML file."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import openmm
import pytest
from openmm import app

from cgsim.io import read_sidecar
from cgsim.md import (
    MergedPeptides,
    PeptideForceField,
    PeptideRun,
    SteeredRun,
    build_helix,
    build_peptide,
    generate_peptides,
    generate_steered,
)
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_system import energy_shift, longest_extension
from cgsim.md.runs import Solvent
from cgsim.md.solvent import SOLVENTS
from cgsim.md.steered import SteeredForceField

OBC2 = PeptideForceField(solvent="OBC2")
SETTINGS: dict[str, Any] = {
    "duration": 0.04,
    "frame_interval": 0.02,
    "equilibration": 0.02,
    "platform": "CPU",
}


@pytest.fixture(scope="module")
def peptide() -> Peptide:
    """Charges of both signs, sulphur, and hydrogens on nitrogen and oxygen."""
    return build_peptide("CRDD")


def energy_and_forces(
    system: openmm.System, xyz: np.ndarray, platform: str = "Reference"
) -> tuple[float, np.ndarray]:
    found = openmm.Platform.getPlatformByName(platform)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), found)
    context.setPositions(xyz)
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)


def solvation(force_field: app.ForceField, peptide: Peptide, **settings: Any) -> openmm.System:
    """The System without a cutoff, of which only the solvent and Coulomb forces are left."""
    system = force_field.createSystem(
        peptide.topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds, **settings
    )
    kept = (openmm.NonbondedForce, openmm.GBSAOBCForce, openmm.CustomGBForce)
    for index in reversed(range(system.getNumForces())):
        if not isinstance(system.getForce(index), kept):
            system.removeForce(index)
    return system


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
@pytest.mark.parametrize("settings", [{}, {"solventDielectric": 20.0}])
def test_native_obc2_is_that_of_the_xml_file(
    peptide: Peptide, platform: str, settings: dict[str, float]
) -> None:
    xml = app.ForceField("amber14/protein.ff14SB.xml", "implicit/obc2.xml")
    expected, wanted = energy_and_forces(solvation(xml, peptide, **settings), peptide.xyz)
    system = solvation(OBC2.load(), peptide, **settings)
    energy, forces = energy_and_forces(system, peptide.xyz, platform)
    assert energy == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(forces, wanted, atol=1e-5 * np.abs(wanted).max())


def test_every_solvent_that_runs_offer_is_there() -> None:
    assert set(SOLVENTS) == set(get_args(Solvent))


def test_only_gbn2_is_pair_by_pair(peptide: Peptide) -> None:
    kinds: dict[Solvent, type] = {"GBn2": openmm.CustomGBForce, "OBC2": openmm.GBSAOBCForce}
    assert list(SOLVENTS) == list(kinds)
    forces = []
    for solvent, kind in kinds.items():
        system = solvation(PeptideForceField(solvent=solvent).load(), peptide)
        assert {type(force) for force in system.getForces()} == {openmm.NonbondedForce, kind}
        forces.append(energy_and_forces(system, peptide.xyz)[1])
    assert np.abs(forces[0] - forces[1]).max() > 10.0  # kJ/mol/nm: they are not the same model


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
@pytest.mark.parametrize("solvent", SOLVENTS)
def test_merged_copies_are_independent(peptide: Peptide, solvent: Solvent, platform: str) -> None:
    force_field = PeptideForceField(solvent=solvent)
    rng = np.random.default_rng(0)
    other = build_peptide("D")
    peptides = [peptide, other, peptide]
    xyz = [p.xyz + rng.normal(scale=0.01, size=p.xyz.shape) for p in peptides]
    cutoff = max(map(longest_extension, peptides))
    energy, forces = MergedPeptides(peptides, force_field, platform=platform).forces(xyz)
    total = 0.0
    for own, x, force in zip(peptides, xyz, forces, strict=True):
        free = force_field.load().createSystem(
            own.topology, nonbondedMethod=app.NoCutoff, constraints=app.HBonds
        )
        alone, wanted = energy_and_forces(free, x)
        cut = force_field.build_system([own], cutoff=cutoff)
        total += alone + energy_shift(cut, cutoff=cutoff)
        np.testing.assert_allclose(force, wanted, atol=1e-5 * np.abs(wanted).max())
    assert energy == pytest.approx(total, rel=1e-5)


def test_the_dielectric_constant_of_the_steered_run_reaches_the_force(peptide: Peptide) -> None:
    system = SteeredForceField(solvent="OBC2").build_system([peptide], cutoff=5.0)
    (solvent,) = (f for f in system.getForces() if isinstance(f, openmm.GBSAOBCForce))
    assert solvent.getSolventDielectric() == 20.0
    assert solvent.getCutoffDistance()._value == 5.0


@pytest.mark.parametrize(("solvent", "other"), [("OBC2", "GBn2"), ("GBn2", "OBC2")])
def test_data_of_the_other_solvent_are_not_touched(
    tmp_path: Path, solvent: Solvent, other: Solvent
) -> None:
    alanine = build_peptide("A")
    (file,) = generate_peptides([alanine], tmp_path, PeptideRun(solvent=solvent, **SETTINGS))
    assert read_sidecar(file)["parameters"]["solvent"] == solvent
    before = file.read_bytes()
    with pytest.raises(ValueError, match=f"solvent '{solvent}' there, '{other}' now"):
        generate_peptides([alanine], tmp_path, PeptideRun(solvent=other, **SETTINGS))
    assert file.read_bytes() == before


def test_pulling_in_obc2_is_told_in_the_json(tmp_path: Path) -> None:
    helix = build_helix("AA")
    (file,) = generate_steered([helix], tmp_path, SteeredRun(solvent="OBC2", **SETTINGS))
    assert read_sidecar(file)["parameters"]["solvent"] == "OBC2"
    with pytest.raises(ValueError, match="solvent 'OBC2' there, 'GBn2' now"):
        generate_steered([helix], tmp_path, SteeredRun(**SETTINGS))


@pytest.mark.parametrize("settings", [PeptideForceField, SteeredForceField])
def test_unknown_solvents_of_force_fields(settings: type[PeptideForceField]) -> None:
    with pytest.raises(ValueError, match=r"solvent must be one of \('GBn2', 'OBC2'\), got 'TIP3P'"):
        settings(solvent="TIP3P")  # type: ignore[arg-type]


@pytest.mark.parametrize("run", [PeptideRun, SteeredRun])
def test_unknown_solvents_of_runs(run: type[PeptideRun] | type[SteeredRun]) -> None:
    with pytest.raises(ValueError, match="solvent must be one of"):
        run(duration=1.0, solvent="obc2")  # type: ignore[arg-type]
