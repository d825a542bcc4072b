"""mmCIF files: alternate locations, insertion codes and models."""

from pathlib import Path

import numpy as np
import pytest

from cgsim.io import iter_frames, load_molecule
from tests.io.laid_out import NamedAtom, laid_out

COLUMNS = (
    *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id"),
    *("label_asym_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z"),
    *("auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"),
)
HEAVY = ("N", "CA", "C", "O")
BONDS = {(4 * k + i, 4 * k + j) for k in range(3) for i, j in ((0, 1), (1, 2), (2, 3))}
BONDS |= {(2, 4), (6, 8)}
ATOMS = [NamedAtom(name, "GLY", number) for number in (1, 2, 3) for name in HEAVY]
PLACE = {1: ("3", "?"), 2: ("3", "A"), 3: ("4", "?")}  # 3, 3A, 4
HALF = 0.02  # nm between locations

Row = tuple[NamedAtom, np.ndarray, str, int]


def _write(path: Path, rows: list[Row]) -> Path:
    lines = ["data_x", "loop_", *(f"_atom_site.{column}" for column in COLUMNS)]
    for serial, (atom, position, location, model) in enumerate(rows, 1):
        number, insertion = PLACE[atom.number]
        place = " ".join(f"{10 * value:.3f}" for value in position)
        lines.append(
            f"ATOM {serial} {atom.name[0]} {atom.name} {location} {atom.residue} A {atom.number} "
            f"{insertion} {place} {number} A {model}"
        )
    path.write_text("\n".join([*lines, "#", ""]))
    return path


@pytest.fixture(scope="module")
def xyz() -> np.ndarray:
    return laid_out(ATOMS, BONDS)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("n_models", [1, 2])
def test_one_location_of_each_atom_of_every_residue(
    tmp_path: Path, xyz: np.ndarray, number: int, n_models: int
) -> None:
    rows = []
    for model in range(1, n_models + 1):
        for atom, position in zip(ATOMS, xyz + 0.1 * (model - 1), strict=True):
            has_two = atom.number == number
            rows.append((atom, position, "A" if has_two else ".", model))
            if has_two:
                rows.append((atom, position + HALF, "B", model))
    path = _write(tmp_path / "a.cif", rows)
    molecule = load_molecule(path)
    assert {tuple(pair) for pair in molecule.bond_index.T.tolist()} == BONDS
    (frames,) = iter_frames(path, molecule)
    right = np.stack([xyz + 0.1 * model for model in range(n_models)])
    np.testing.assert_allclose(frames.xyz, right, atol=1e-4)
    assert frames.unitcell_vectors is None


def test_of_two_residues_at_one_place_the_first_is_read(tmp_path: Path, xyz: np.ndarray) -> None:
    rows: list[Row] = []
    for atom, position in zip(ATOMS, xyz, strict=True):
        rows.append((atom, position, "A" if atom.number == 2 else ".", 1))
    other = [NamedAtom(name, "SER", 2) for name in (*HEAVY, "CB", "OG")]
    rows[8:8] = [(atom, xyz[5] + HALF, "B", 1) for atom in other]
    molecule = load_molecule(_write(tmp_path / "a.cif", rows))
    assert [residue.name for residue in molecule.topology.residues] == ["GLY"] * 3
    assert {tuple(pair) for pair in molecule.bond_index.T.tolist()} == BONDS


def test_models_of_other_atoms_are_refused(tmp_path: Path, xyz: np.ndarray) -> None:
    rows: list[Row] = [
        (atom, position, ".", model)
        for model in (1, 2)
        for atom, position in zip(ATOMS, xyz, strict=True)
    ]
    rows[-1], rows[-2] = rows[-2], rows[-1]
    path = _write(tmp_path / "a.cif", rows)
    with pytest.raises(ValueError, match=r"a.cif: .*model 2 has other atoms.*order"):
        load_molecule(path)
