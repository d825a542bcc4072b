"""Pulling curves of trajectories made by hand."""

import json
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.evaluate.observables.pulling import COLUMNS, PullingCurve, measure_pulling
from cgsim.evaluate.report.plots import plot_pulling
from cgsim.evaluate.report.pulling import write_pulling_report
from cgsim.io import append_frames

START, VELOCITY, CONSTANT, INTERVAL = 0.5, 0.1, 1000.0, 0.5
PARAMETERS = {
    "fixed_atom": 0,
    "pulled_atom": 1,
    "start": START,
    "velocity": VELOCITY,
    "spring_constant": CONSTANT,
}
EXTENSION = np.array([0.5, 0.6, 0.6, 0.7])


def write(folder: Path, parameters: dict[str, float]) -> Path:
    """Two bonded beads, the second away from the first along x and by 0.1 nm along y."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("MOL", topology.add_chain())
    atoms = [topology.add_atom(name, mdtraj.element.carbon, residue) for name in ("C1", "C2")]
    topology.add_bond(*atoms)
    xyz = np.zeros((len(EXTENSION), 2, 3))
    xyz[:, 0] = [1.0, 2.0, 3.0]
    xyz[:, 1] = xyz[:, 0] + np.column_stack([EXTENSION, 0.1 + 0 * EXTENSION, 0 * EXTENSION])
    mdtraj.Trajectory(xyz[:1], topology).save_pdb(str(folder / "a.pdb"))
    sidecar = {
        "name": "a",
        "frame_interval": INTERVAL,
        "parameters": parameters,
        "masses": {"C1": 12.0, "C2": 12.0},
    }
    (folder / "a.json").write_text(json.dumps(sidecar))
    append_frames(folder / "a-r0.xtc", xyz, time=INTERVAL * np.arange(1, 5))
    return folder / "a-r0.xtc"


@pytest.fixture
def curve(tmp_path: Path) -> PullingCurve:
    return measure_pulling(write(tmp_path, PARAMETERS))


def test_force_and_extension_are_those_of_the_spring(curve: PullingCurve) -> None:
    time = np.array([0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(curve.time, time)
    np.testing.assert_allclose(curve.extension, EXTENSION, atol=2e-3)  # the precision of XTC
    np.testing.assert_allclose(curve.distance, np.hypot(EXTENSION, 0.1), atol=2e-3)
    np.testing.assert_allclose(curve.spring, START + VELOCITY * time)
    expected = CONSTANT * (START + VELOCITY * time - EXTENSION)
    np.testing.assert_allclose(curve.force, expected, atol=2e-3 * CONSTANT)
    assert np.isnan(curve.helix).all()  # no residue with both angles


def test_smooth_curves_are_means_over_windows(curve: PullingCurve) -> None:
    time, extension, force = curve.smooth(1.0)
    np.testing.assert_allclose(time, [0.75, 1.75])
    np.testing.assert_allclose(force, curve.force.reshape(2, 2).mean(axis=1))
    np.testing.assert_allclose(extension, curve.extension.reshape(2, 2).mean(axis=1))
    np.testing.assert_allclose(curve.smooth(0.1)[2], curve.force)


def test_csv_holds_all_columns(tmp_path: Path, curve: PullingCurve) -> None:
    curve.write_csv(tmp_path / "a.csv")
    read = np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)
    assert read.dtype.names == COLUMNS
    np.testing.assert_allclose(read["force_kj_per_mol_nm"], curve.force, rtol=1e-5)


def test_report_and_figure_show_every_replica(tmp_path: Path, curve: PullingCurve) -> None:
    write_pulling_report(tmp_path / "a.html", [curve, curve], title="a < b", provenance={"seed": 1})
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "a &lt; b" in page
    assert page.count("<th>a-r0</th>") == 2
    axes = plot_pulling([curve, curve]).axes
    assert len(axes[0].lines) == 3  # two replicas and the spring
    np.testing.assert_allclose(np.asarray(axes[0].lines[0].get_ydata()), curve.distance)
    with pytest.raises(ValueError, match="at least one"):
        write_pulling_report(tmp_path / "b.html", [], title="none")


def test_other_md_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, {"fixed_atom": 0})
    with pytest.raises(ValueError, match="not of steered MD"):
        measure_pulling(file)
    with pytest.raises(FileNotFoundError, match=r"b\.xtc"):
        measure_pulling(tmp_path / "b.xtc")
