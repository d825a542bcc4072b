"""Whatever is in a file: a ValueError that names it, or a result; never a crash or a hang.

The readers are C code and run in this process, so that a crash would end the test run.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgsim.io import (
    Unwrapper,
    iter_frames,
    load_molecule,
    read_frame_interval,
    read_sidecar,
    write_psf,
)
from cgsim.mapping import MAPPERS, build_mapping, map_user
from tests.io.systems import chain_bonds, comb_bonds, molecule_of, random_walk, save

N_ATOMS = 14
MOLECULE = molecule_of(chain_bonds(N_ATOMS), N_ATOMS)
TRAJECTORIES = ("xtc", "trr", "dcd", "pdb", "xyz", "gro", "mdcrd", "lammpstrj", "nc")
CONTENT = {
    "pdb": ("CONECT", "ATOM  ", "MODEL ", "99999", "\x00", "-", "\n"),
    "psf": ("!NATOM", "!NBOND", "-1", "999999999", "\n", "nan"),
    "json": ("[", "{", '"masses"', "NaN", "-1", "1e999", "null", "\n"),
}

many = settings(max_examples=80, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@cache
def _valid(extension: str) -> bytes:
    """A small file of four frames, with small runs and large jumps in its positions."""
    xyz = random_walk(4, N_ATOMS)
    xyz[:, ::3] = xyz[:, 1::3] + 0.05 if extension == "xtc" else xyz[:, ::3]
    xyz = xyz[:1] if extension == "gro" else xyz
    shape = (len(xyz), 3)
    cell = {"unitcell_lengths": np.full(shape, 5.0), "unitcell_angles": np.full(shape, 90.0)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"walk.{extension}"
        if extension == "psf":
            bonds = np.array(comb_bonds(5)).T
            names = [("S1", "BEA", "CG")] * 10
            write_psf(path, names=names, masses=np.full(10, 50.0), bond_index=bonds)
        else:
            save(path, MOLECULE.topology, xyz, **cell)
        return path.read_bytes()


@st.composite
def _mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Bytes flipped, integers overwritten, stretches cut out, repeated, or appended."""
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["byte", "integer", "cut", "repeat", "end", "insert"])):
            case "byte" if at < len(content):
                content[at] = draw(st.integers(0, 255))
            case "integer":
                value = draw(st.sampled_from([0, 1, -1, 9, 10, 73, 84, 2**31 - 1, -(2**31), 1995]))
                integer = np.array(value, dtype=draw(st.sampled_from([">i4", "<i4"])))
                at = at // 4 * 4
                content[at : at + 4] = integer.tobytes()
            case "cut":
                del content[at : at + draw(st.integers(1, 200))]
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 200))]
            case "end":
                del content[at:]
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=20))
    return bytes(content)


def _survives(path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    path.write_bytes(content)
    try:
        read(path)
    except ValueError as error:
        if path.stem not in str(error):
            raise AssertionError(f"the file is not named: {error}") from error


def _read_all(path: Path) -> None:
    unwrapper = Unwrapper(MOLECULE)
    n_frames = 0
    for frames in iter_frames(path, MOLECULE, chunk=3, frame_interval=1.0):
        assert frames.xyz.shape[1:] == (N_ATOMS, 3)
        assert np.isfinite(frames.xyz).all()
        if path.suffix != ".xtc":
            unwrapper(frames)
        n_frames += frames.n_frames
    assert n_frames > 0


@pytest.mark.parametrize("extension", TRAJECTORIES)
def test_mutated_trajectories(folder: Path, extension: str) -> None:
    path = folder / f"mutated.{extension}"

    @many
    @given(content=_mutated(_valid(extension)))
    def run(content: bytes) -> None:
        _survives(path, content, _read_all)
        _survives(path, content, read_frame_interval)

    run()


@pytest.mark.parametrize("extension", [*TRAJECTORIES, "psf", "pdb.gz", "cif"])
def test_random_bytes(folder: Path, extension: str) -> None:
    path = folder / f"random.{extension}"

    @settings(many, max_examples=25)
    @given(content=st.binary(max_size=300), with_start=st.booleans())
    def run(content: bytes, with_start: bool) -> None:
        start = _valid(extension)[:100] if with_start and extension != "pdb.gz" else b""
        if extension != "psf":
            _survives(path, start + content, _read_all)
        _survives(path, start + content, load_molecule)

    run()


@pytest.mark.parametrize("extension", ["pdb", "psf", "gro", "cif"])
def test_mutated_topologies(folder: Path, extension: str) -> None:
    path = folder / f"mutated.{extension}"
    tokens = st.sampled_from(CONTENT.get(extension, ("0", "\n"))).map(str.encode)

    @many
    @given(content=_mutated(_valid(extension)), token=tokens, at=st.integers(0, 2000))
    def run(content: bytes, token: bytes, at: int) -> None:
        content = content[:at] + token + content[at + len(token) :]
        _survives(path, content, lambda file: load_molecule(file, masses={"B1": 1.0}))

    run()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
sidecars = st.fixed_dictionaries(
    {},
    optional={
        "masses": json_values | st.dictionaries(st.sampled_from(["B1", "C"]), st.floats()),
        "frame_interval": json_values,
        "units": json_values,
        "name": json_values,
    },
)


def test_sidecars_of_any_content(folder: Path) -> None:
    trajectory = save(folder / "any.dcd", MOLECULE.topology, random_walk(2, N_ATOMS))
    structure = save(folder / "any.pdb", MOLECULE.topology, random_walk(1, N_ATOMS))

    @settings(many, max_examples=60)
    @given(data=sidecars | json_values)
    def run(data: object) -> None:
        content = json.dumps(data).encode()
        _survives(folder / "any.json", content, lambda _: read_frame_interval(trajectory))
        _survives(folder / "any.json", content, lambda _: load_molecule(structure))

    run()


@many
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_sidecars_of_any_bytes(folder: Path, content: bytes) -> None:
    _survives(folder / "bytes.json", content, lambda path: read_sidecar(path.with_suffix(".xtc")))


@many
@given(data=json_values | st.lists(st.lists(st.integers(-1, 14), max_size=9), max_size=9))
def test_user_mappings_of_any_content(folder: Path, data: object) -> None:
    content = json.dumps(data).encode()
    _survives(folder / "map.json", content, lambda path: map_user(MOLECULE, path))


@many
@given(
    recipe=st.fixed_dictionaries(
        {"method": st.sampled_from(sorted(MAPPERS)) | json_values},
        optional={"atoms_per_bead": json_values, "bead_index": json_values},
    )
)
def test_recipes_of_any_content(recipe: dict) -> None:
    try:
        mapping = build_mapping(MOLECULE, recipe)
    except ValueError:
        return
    assert len(mapping.bead_index) == N_ATOMS
