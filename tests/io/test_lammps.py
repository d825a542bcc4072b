"""LAMMPS: dump files of all kinds of columns and boxes, and data files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cgsim.io import (
    Molecule,
    iter_frames,
    load_molecule,
    read_frame_interval,
    unwrap,
    write_atomic_json,
)
from tests.io.systems import chain_bonds, molecule_of, random_walk, shape_of

pytestmark = pytest.mark.filterwarnings("ignore:.*lengths are taken for Å")

N_ATOMS, N_FRAMES = 12, 5
ORIGIN = np.array([-0.3, 0.7, 1.1])  # nm
BOXES = {  # low corner at ORIGIN
    "orthogonal": np.diag([2.0, 2.3, 2.6]),
    "triclinic": np.array([[2.0, 0, 0], [0.6, 2.2, 0], [-0.5, 0.7, 2.4]]),
    "negative tilts": np.array([[2.0, 0, 0], [-0.6, 2.2, 0], [-0.3, -0.7, 2.4]]),
}


@pytest.fixture
def molecule() -> Molecule:
    return molecule_of(chain_bonds(N_ATOMS), N_ATOMS)


def _bounds(vectors: np.ndarray, scale: float) -> list[str]:
    """LAMMPS writes the bounds of an orthogonal box around a triclinic one."""
    low, high = ORIGIN.copy(), ORIGIN + np.diag(vectors)
    xy, xz, yz = vectors[1, 0], vectors[2, 0], vectors[2, 1]
    low += [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high += [max(0, xy, xz, xy + xz), max(0, yz), 0]
    tilts = ["", "", ""] if not (xy or xz or yz) else [f" {t * scale}" for t in (xy, xz, yz)]
    return [f"{a * scale} {b * scale}{t}" for a, b, t in zip(low, high, tilts, strict=True)]


def _dump(  # noqa: PLR0913 (each is one thing that dumps differ in)
    path: Path,
    walk: np.ndarray,
    columns: str = "x y z",
    *,
    vectors: np.ndarray = BOXES["orthogonal"],
    steps: list[int] | None = None,
    ids: np.ndarray | None = None,
    extra: Callable[[int], list[str]] = lambda frame: [],
    scale: float = 10.0,
    edges: str = "pp pp pp",
) -> Path:
    """Write frames with shuffled atoms; positions wrapped where the columns say so."""
    rng = np.random.default_rng(0)
    ids = np.arange(1, N_ATOMS + 1) if ids is None else ids
    names = columns.split()
    fraction = (walk - ORIGIN) @ np.linalg.inv(vectors)
    if "u" not in names[0] and "pp" in edges:
        fraction = fraction - np.floor(fraction)
    written = fraction if "s" in names[0] else scale * (fraction @ vectors + ORIGIN)
    tilt = "xy xz yz " if np.any(vectors - np.diag(np.diag(vectors))) else ""
    lines = []
    for frame, xyz in enumerate(written):
        lines += extra(frame)
        lines += ["ITEM: TIMESTEP", str(1000 * frame if steps is None else steps[frame])]
        lines += ["ITEM: NUMBER OF ATOMS", str(N_ATOMS), f"ITEM: BOX BOUNDS {tilt}{edges}"]
        lines += _bounds(vectors, scale)
        lines.append(f"ITEM: ATOMS id type {columns} q")
        for k in rng.permutation(N_ATOMS):
            x, y, z = xyz[k]
            lines.append(f"{ids[k]} {1 + k % 2} {x:.9g} {y:.9g} {z:.9g} 0.5")
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("columns", ["x y z", "xs ys zs", "xu yu zu", "xsu ysu zsu"])
def test_all_kinds_of_positions(tmp_path: Path, molecule: Molecule, columns: str, box: str) -> None:
    walk, ids = random_walk(N_FRAMES, N_ATOMS), 7 + 5 * np.arange(N_ATOMS)
    path = _dump(tmp_path / "run.lammpstrj", walk, columns, vectors=BOXES[box], ids=ids)
    chunks = list(iter_frames(path, molecule, chunk=2))
    found = np.concatenate([unwrap(chunk, molecule) for chunk in chunks])
    np.testing.assert_allclose(shape_of(found), shape_of(walk), atol=1e-5)
    if "u" in columns:
        np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), walk, atol=1e-5)
    vectors = np.concatenate([chunk.unitcell_vectors for chunk in chunks])
    np.testing.assert_allclose(vectors, np.tile(BOXES[box], (N_FRAMES, 1, 1)), atol=1e-5)


def test_a_box_in_any_orientation(tmp_path: Path, molecule: Molecule) -> None:
    """``BOX BOUNDS abc origin``: general triclinic boxes."""
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    vectors = 10 * BOXES["triclinic"] @ (rotation * np.sign(np.linalg.det(rotation)))
    walk = random_walk(1, N_ATOMS)[0]
    fraction = (10 * walk) @ np.linalg.inv(vectors)
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(N_ATOMS)]
    lines.append("ITEM: BOX BOUNDS abc origin pp pp pp")
    lines += [f"{a} {b} {c} 0.0" for a, b, c in vectors]
    lines.append("ITEM: ATOMS id xs ys zs")
    lines += [f"{k + 1} {x} {y} {z}" for k, (x, y, z) in enumerate(fraction - np.floor(fraction))]
    path = tmp_path / "run.dump"
    path.write_text("\n".join([*lines, ""]))
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(walk[None]), atol=1e-5)


@pytest.mark.parametrize("name", ["run.lammpsdump", "dump.melt", "run.anything"])
def test_dumps_of_any_name(tmp_path: Path, molecule: Molecule, name: str) -> None:
    path = _dump(tmp_path / name, random_walk(N_FRAMES, N_ATOMS), "xu yu zu")
    (frames,) = iter_frames(path, molecule)
    assert frames.n_frames == N_FRAMES


@pytest.mark.parametrize("interval", [None, 2.0])
def test_uneven_steps_are_never_taken_for_even(
    tmp_path: Path, molecule: Molecule, interval: float | None
) -> None:
    walk = random_walk(N_FRAMES, N_ATOMS)
    for steps in ([0, 1, 10, 100, 1000], [0, 1000, 2000, 3001, 4001], [0, 5, 10, 10, 15]):
        path = _dump(tmp_path / "run.lammpstrj", walk, steps=steps)
        for chunk in (1, 2, 500):
            with pytest.raises(ValueError, match=r"run.lammpstrj: from frame \d to \d the time"):
                list(iter_frames(path, molecule, frame_interval=interval, chunk=chunk))


def test_a_run_that_goes_on_in_another_file(tmp_path: Path, molecule: Molecule) -> None:
    """LAMMPS writes the last frame of a run again as the first of the next."""
    walk = random_walk(9, N_ATOMS)
    first = _dump(tmp_path / "a.lammpstrj", walk[:5], "xu yu zu")
    second = _dump(
        tmp_path / "b.lammpstrj", walk[4:], "xu yu zu", steps=[4000, 5000, 6000, 7000, 8000]
    )
    chunks = list(iter_frames([first, second], molecule, frame_interval=2.0, chunk=2))
    np.testing.assert_allclose(np.concatenate([c.xyz for c in chunks]), walk, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([c.time for c in chunks]), 2.0 * np.arange(9))


UNITS = {"real": (0.1, 1e-3), "metal": (0.1, 1.0), "nano": (1.0, 1e3), "lj": (1.0, 1.0)}


@pytest.mark.parametrize("style", UNITS)
@pytest.mark.parametrize("said", ["in the file", "beside it"])
def test_units(tmp_path: Path, molecule: Molecule, style: str, said: str) -> None:
    nm, ps = UNITS[style]
    walk, path = random_walk(N_FRAMES, N_ATOMS), tmp_path / "run.lammpstrj"

    def head(frame: int) -> list[str]:
        return [] if said == "beside it" else ["ITEM: UNITS", style, "ITEM: TIME", str(2.5 * frame)]

    _dump(path, walk, "xu yu zu", scale=1 / nm, extra=head)
    if said == "beside it":
        write_atomic_json(tmp_path / "run.json", {"lammps_units": style, "timestep": 0.0025})
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(frames.xyz, walk, atol=1e-5)
    assert read_frame_interval(path) == pytest.approx(2.5 * ps)
    np.testing.assert_allclose(frames.time, 2.5 * ps * np.arange(N_FRAMES))


def test_units_that_nobody_says(tmp_path: Path, molecule: Molecule) -> None:
    path = _dump(tmp_path / "run.lammpstrj", random_walk(2, N_ATOMS), "xu yu zu")
    with pytest.warns(UserWarning, match=r"run.lammpstrj: lengths are taken for Å.*lammps_units"):
        list(iter_frames(path, molecule))
    assert read_frame_interval(path) is None
    write_atomic_json(tmp_path / "run.json", {"lammps_units": "imperial"})
    with pytest.raises(ValueError, match=r"run.lammpstrj.*'imperial'.*real, metal"):
        list(iter_frames(path, molecule))


def test_boundaries_that_are_not_periodic(tmp_path: Path, molecule: Molecule) -> None:
    walk = random_walk(3, N_ATOMS)
    path = _dump(tmp_path / "run.lammpstrj", walk, edges="ff ss fm")
    (frames,) = iter_frames(path, molecule)
    assert frames.unitcell_lengths is None
    flat = walk * [1, 1, 0.01]  # in z the box is thinner than a bond is long
    thin = np.diag([2.0, 2.0, 0.1])
    path = _dump(tmp_path / "slab.lammpstrj", flat, "xu yu zu", vectors=thin, edges="pp pp ff")
    (frames,) = iter_frames(path, molecule)
    np.testing.assert_allclose(shape_of(unwrap(frames, molecule)), shape_of(flat), atol=1e-5)


def test_dumps_that_cannot_be_read(tmp_path: Path, molecule: Molecule) -> None:
    walk, path = random_walk(2, N_ATOMS), tmp_path / "run.lammpstrj"
    whole = _dump(path, walk).read_text()
    other_atoms = whole[: len(whole) // 2] + whole[len(whole) // 2 :].replace("\n12 ", "\n13 ")
    for content, said in {
        whole.replace("id type", "number type"): "frame 0.* no column id",
        whole.replace("x y z", "vx vy vz"): "frame 0.* no columns of positions .* among id type vx",
        whole.replace("\n12 ", "\n11 "): "frame 0.* the id 11 is there twice",
        other_atoms: "frame 1.* other atoms",
        whole.replace("NUMBER OF ATOMS\n12", "NUMBER OF ATOMS\n13"): "frame 0.*13 atoms.* 12",
        whole.replace("ITEM: TIMESTEP", "ITEM: TIMESTAMP", 1): ".*TIMESTAMP",
    }.items():
        path.write_text(content)
        with pytest.raises(ValueError, match=f"run.lammpstrj: {said}"):
            list(iter_frames(path, molecule))


DATA = """LAMMPS data file via write_data, version 2 Aug 2023, timestep = 0{units}

5 atoms
2 atom types
3 bonds
1 bond types

0.0 20.0 xlo xhi
0.0 20.0 ylo yhi
0.0 20.0 zlo zhi

Masses

1 {masses[0]}
2 {masses[1]}

Atoms{hint}

{atoms}
Velocities

11 0.0 0.0 0.0

Bonds

1 1 40 30
2 1 30 20
3 1 11 12
"""
ROWS = {  # of atom k of molecule m and type t
    "full": "{k} {m} {t} -0.25 {k}.5 1.0 2.0",
    "molecular": "{k} {m} {t} {k}.5 1.0 2.0",
    "bond": "{k} {m} {t} {k}.5 1.0 2.0",
    "charge": "{k} {t} -0.25 {k}.5 1.0 2.0",
    "atomic": "{k} {t} {k}.5 1.0 2.0",
}
ATOMS = [(40, 2, 1), (11, 1, 1), (30, 2, 2), (12, 1, 2), (20, 2, 1)]  # id, molecule, type


def _data(
    path: Path,
    style: str = "full",
    *,
    hint: str = "",
    units: str = "",
    masses: tuple[str, str] = ("12.011", "1.008"),
    flags: str = "",
) -> Path:
    atoms = "".join(ROWS[style].format(k=k, m=m, t=t) + flags + "\n" for k, m, t in ATOMS)
    path.write_text(DATA.format(units=units, masses=masses, hint=hint, atoms=atoms))
    return path


@pytest.mark.parametrize("flags", ["", " 0 -1 0"])
@pytest.mark.parametrize("style", ["full", "molecular", "bond"])
@pytest.mark.parametrize("has_hint", [True, False])
def test_data_files(tmp_path: Path, style: str, has_hint: bool, flags: str) -> None:
    """Atoms by their ids, bonds between them, masses and elements by their types."""
    hint = f" # {style}" if has_hint else ""
    molecule = load_molecule(_data(tmp_path / "a.data", style, hint=hint, flags=flags))
    assert molecule.atom_type == ("C", "H", "C", "H", "C")
    np.testing.assert_allclose(molecule.atom_mass, [12.011, 1.008, 12.011, 1.008, 12.011])
    assert molecule.bond_index.T.tolist() == [[0, 1], [2, 3], [3, 4]]
    assert [residue.n_atoms for residue in molecule.topology.residues] == [2, 3]
    assert molecule.topology.n_chains == 2


def test_data_files_without_molecules(tmp_path: Path) -> None:
    """Then each bonded component is one."""
    molecule = load_molecule(_data(tmp_path / "data.carbon", "atomic", hint=" # atomic"))
    assert [residue.n_atoms for residue in molecule.topology.residues] == [2, 3]
    molecule = load_molecule(_data(tmp_path / "a.data", "charge", hint=" # charge"))
    assert molecule.bond_index.T.tolist() == [[0, 1], [2, 3], [3, 4]]


@pytest.mark.parametrize(
    ("masses", "units", "types"),
    [
        (("14.027 # CH2", "15.035 # CH3"), "", ("CH2", "CH3")),  # united atoms
        (("72.0", "45.0"), "", ("T1", "T2")),  # Martini
        (("12.011 # B1", "12.011 # S1"), "", ("B1", "S1")),  # beads named so
        (("1.0", "1.0"), "", ("T1", "T2")),  # reduced units, which nobody has said
        (("12.011", "1.008"), ", units = lj", ("T1", "T2")),
        (("12.01 # ca", "1.0 # ha"), ", units = real", ("C", "H")),
    ],
)
def test_masses_of_beads_are_no_elements(
    tmp_path: Path, masses: tuple[str, str], units: str, types: tuple[str, str]
) -> None:
    molecule = load_molecule(_data(tmp_path / "a.data", masses=masses, units=units))
    assert molecule.atom_type[:2] == types
    np.testing.assert_allclose(molecule.atom_mass[:2], [float(m.split()[0]) for m in masses])


def test_masses_in_other_units(tmp_path: Path) -> None:
    """Nano: attograms; a mass of a thousandth of a dalton is in no unit that is known."""
    ag = [f"{mass / 602214.076:.9g}" for mass in (12.011, 1.008)]
    path = _data(tmp_path / "a.data", masses=(ag[0], ag[1]), units=", units = nano")
    assert load_molecule(path).atom_type[:2] == ("C", "H")
    path = _data(tmp_path / "a.data", masses=("0.012011", "0.001008"))
    with pytest.raises(ValueError, match=r"a.data.*type 1 have a mass of 0.012011.*lammps_units"):
        load_molecule(path)


def test_a_dump_has_the_units_of_its_data_file(tmp_path: Path) -> None:
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "5", "ITEM: BOX BOUNDS pp pp pp"]
    lines += ["0 20"] * 3 + ["ITEM: ATOMS id x y z"] + [f"{k} {k / 4} 1 1" for k, _, _ in ATOMS]
    (tmp_path / "a.dump").write_text("\n".join([*lines, ""]))
    for style, nm in {"lj": 1.0, "real": 0.1, "nano": 1.0}.items():
        masses = ("1e-4", "1e-5") if style == "nano" else ("12.0", "1.0")
        path = _data(tmp_path / "a.data", masses=masses, units=f", units = {style}")
        (frames,) = iter_frames(tmp_path / "a.dump", load_molecule(path))
        np.testing.assert_allclose(frames.xyz[0, 0, 0], 11 / 4 * nm, rtol=1e-6)


def test_data_files_that_cannot_be_read(tmp_path: Path) -> None:
    whole = _data(tmp_path / "a.data").read_text()
    for content, said in {
        whole.replace("Masses", "masses"): "no section Masses",
        whole.replace("3 1 11 12", "3 1 11 13"): "bond of atoms 11 and 13",
        whole.replace("\n40 2", "\n11 2"): "the same id",
        whole.replace(" -0.25", " -0.25 7 7 7 7"): "atom style.* 'Atoms # full'",
        whole.replace("\n2 1.008", ""): "type 2 have no mass",
    }.items():
        path = tmp_path / "b.data"
        path.write_text(content)
        with pytest.raises(ValueError, match=f"b.data.*{said}"):
            load_molecule(path)


def test_masses_of_an_input_script_are_told_by_the_json(tmp_path: Path) -> None:
    whole = _data(tmp_path / "a.data").read_text()
    path = tmp_path / "b.data"
    path.write_text(whole.replace("Masses\n\n1 12.011\n2 1.008\n\n", ""))
    with pytest.raises(ValueError, match=r'b.data.*no section Masses.*"masses": {"T1"'):
        load_molecule(path)
    for style in ("lj", "real", "nano"):  # Da in all of them
        about = {"masses": {"T1": 12.5, "T2": 7.5}, "lammps_units": style}
        write_atomic_json(tmp_path / "b.json", about)
        molecule = load_molecule(path)
        types = {1: ("T1", 12.5), 2: ("T2", 7.5)}
        expected = [types[kind] for _, _, kind in sorted(ATOMS)]
        assert list(zip(molecule.atom_type, molecule.atom_mass, strict=True)) == expected
    write_atomic_json(tmp_path / "b.json", {"masses": {"T1": 12.5}})
    with pytest.raises(ValueError, match="type 2 have no mass"):
        load_molecule(path)


def test_a_dump_of_the_atoms_of_a_data_file(tmp_path: Path) -> None:
    """Ids are sparse and in any order in both."""
    molecule = load_molecule(_data(tmp_path / "a.data"))
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "5", "ITEM: BOX BOUNDS pp pp pp"]
    lines += ["0 20"] * 3 + ["ITEM: ATOMS id x y z"] + [f"{k} {k / 4} 1 1" for k, _, _ in ATOMS]
    (tmp_path / "a.dump").write_text("\n".join([*lines, ""]))
    (frames,) = iter_frames(tmp_path / "a.dump", molecule)
    np.testing.assert_allclose(frames.xyz[0, :, 0], np.array([11, 12, 20, 30, 40]) / 40)
