"""The trajectories of AMBER: the units that they say."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import netcdf_file

from cgsim.io import Molecule, iter_frames
from tests.io.systems import chain_bonds, molecule_of, random_walk

N_ATOMS, N_FRAMES = 12, 4


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


def _write(path: Path, xyz: np.ndarray, *, unit: str | None, scale: float = 1.0) -> Path:
    with netcdf_file(str(path), "w", version=2) as file:
        file.Conventions, file.ConventionVersion = b"AMBER", b"1.0"
        for name, length in (("frame", None), ("spatial", 3), ("atom", xyz.shape[1])):
            file.createDimension(name, length)
        coordinates = file.createVariable("coordinates", "d", ("frame", "atom", "spatial"))
        if unit is not None:
            coordinates.units = unit.encode()
        if scale != 1:
            coordinates.scale_factor = scale
        coordinates[:] = xyz
    return path


@pytest.mark.parametrize(
    ("unit", "per_nm"),
    [(None, 10), ("angstrom", 10), ("Angstroms", 10), ("nanometer", 1), ("nm", 1)],
)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_unit_of_positions(
    tmp_path: Path, molecule: Molecule, unit: str | None, per_nm: float, scale: float
) -> None:
    walk = random_walk(N_FRAMES, N_ATOMS)
    path = _write(tmp_path / "run.nc", per_nm / scale * walk, unit=unit, scale=scale)
    (frames,) = iter_frames(path, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-5)
    assert frames.unitcell_vectors is None


def test_a_unit_that_is_not_known_is_refused(tmp_path: Path, molecule: Molecule) -> None:
    path = _write(tmp_path / "run.nc", random_walk(2, N_ATOMS), unit="bohr")
    with pytest.raises(ValueError, match=r"run.nc: .*coordinates is in 'bohr'.*angstrom"):
        list(iter_frames(path, molecule, frame_interval=1.0))


@pytest.mark.parametrize("name", ["a.ncrst", "a.rst7", "a.restrt", "a.rst", "a.inpcrd", "a.nc"])
def test_a_restart_of_any_name(tmp_path: Path, molecule: Molecule, name: str) -> None:
    """AMBER writes NetCDF by default, and people call it what they have always called it."""
    xyz = random_walk(1, N_ATOMS)[0]
    path = tmp_path / name
    with netcdf_file(str(path), "w", version=2) as file:
        file.Conventions = b"AMBERRESTART"
        for dimension, length in (("atom", N_ATOMS), ("spatial", 3), ("cell_spatial", 3)):
            file.createDimension(dimension, length)
        file.createDimension("cell_angular", 3)
        file.createVariable("time", "d", ()).data[...] = 500.0
        file.createVariable("coordinates", "d", ("atom", "spatial"))[:] = 10 * xyz
        file.createVariable("velocities", "d", ("atom", "spatial"))[:] = xyz
        file.createVariable("cell_lengths", "d", ("cell_spatial",))[:] = [60.0, 60.0, 60.0]
        file.createVariable("cell_angles", "d", ("cell_angular",))[:] = [109.4712] * 3
    (frame,) = iter_frames(path, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frame.xyz[0], xyz, atol=1e-5)
    np.testing.assert_allclose(frame.unitcell_lengths, [[6.0] * 3], rtol=1e-6)
    np.testing.assert_allclose(frame.unitcell_angles, [[109.4712] * 3], rtol=1e-6)


@pytest.mark.parametrize("name", ["prod.mdcrd", "prod.trj", "prod.crd", "prod"])
def test_a_trajectory_that_is_called_after_the_old_format(
    tmp_path: Path, molecule: Molecule, name: str
) -> None:
    walk = random_walk(N_FRAMES, N_ATOMS)
    path = _write(tmp_path / name, 10 * walk, unit="angstrom")
    (frames,) = iter_frames(path, molecule, frame_interval=1.0)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-5)
