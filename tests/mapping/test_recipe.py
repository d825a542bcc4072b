"""The table of mappers: recipes by name and parameters, mappers of the user's own, mistakes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cgsim.io import Molecule, molecule_from_topology
from cgsim.mapping import MAPPERS, Mapping, add_mapper, build_mapping, map_atoms, map_user
from cgsim.mapping.store import load_mapped, map_to_folder, map_trajectory
from cgsim.md import build_peptide
from tests.io.systems import bead_topology_of, chain_bonds, molecule_of, random_walk, save

MOLECULE = molecule_of(chain_bonds(12), 12)
# Of mappers that need any, for a molecule of so many atoms.
PARAMETERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "metis": lambda _: {"atoms_per_bead": 4},
    "user": lambda n_atoms: {"bead_index": [atom // 5 for atom in range(n_atoms)]},
}


def map_pieces(molecule: Molecule, *, n_atoms: int = 2) -> Mapping:
    """Pieces of so many atoms, in order; knows nothing of recipes."""
    return map_user(molecule, np.arange(molecule.n_atoms) // n_atoms)


def map_still(molecule: Molecule) -> Mapping:
    return map_atoms(molecule).without_rigid_motion()


def map_nothing(molecule: Molecule) -> list[int]:
    return [0] * molecule.n_atoms


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    """The table is afterwards as it was."""
    before = dict(MAPPERS)
    yield
    MAPPERS.clear()
    MAPPERS.update(before)


@pytest.mark.parametrize("name", MAPPERS)
def test_every_row_makes_the_same_mapping_again(name: str) -> None:
    molecule = molecule_from_topology(build_peptide("AA").to_mdtraj().topology)
    parameters = PARAMETERS[name](molecule.n_atoms) if name in PARAMETERS else {}
    mapping = build_mapping(molecule, {"method": name, **parameters})
    assert mapping.recipe == {"method": name, **parameters}
    again = build_mapping(molecule, json.loads(json.dumps(mapping.recipe)))
    np.testing.assert_array_equal(again.bead_index, mapping.bead_index)
    np.testing.assert_array_equal(again.atom_weight, mapping.atom_weight)


def test_a_mapper_of_the_users_own(tmp_path: Path) -> None:
    MAPPERS["mine"] = map_pieces
    mapping = build_mapping(MOLECULE, {"method": "mine", "n_atoms": 3})
    assert mapping.bead_index.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert mapping.recipe == {"method": "mine", "n_atoms": 3}
    frames = random_walk(2, 12)
    file = save(tmp_path / "a.xtc", bead_topology_of(chain_bonds(12), 12), frames)
    assert map_trajectory(file, MOLECULE, mapping).recipe == mapping.recipe
    map_to_folder(file, MOLECULE, mapping, folder=tmp_path / "a.cg")
    again = build_mapping(MOLECULE, load_mapped(tmp_path / "a.cg").recipe)
    np.testing.assert_array_equal(again(frames), mapping(frames))


def test_defaults_are_written_down() -> None:
    """So that a stored recipe means the same when the default is another."""
    MAPPERS["mine"] = map_pieces
    assert build_mapping(MOLECULE, {"method": "mine"}).recipe == {"method": "mine", "n_atoms": 2}


def test_rigid_motion_is_kept_as_the_mapper_or_the_recipe_says() -> None:
    MAPPERS["still"], MAPPERS["mine"] = map_still, map_pieces
    for recipe in ({"method": "still"}, {"method": "mine", "n_atoms": 4, "rigid_motion": False}):
        mapping = build_mapping(MOLECULE, recipe)
        assert not mapping.keeps_rigid_motion
        again = build_mapping(MOLECULE, json.loads(json.dumps(mapping.recipe)))
        assert again.recipe == mapping.recipe
        np.testing.assert_array_equal(again.bead_index, mapping.bead_index)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"method": "mine"}, r"no mapper 'mine'.*--mapper package\.module:mine"),
        ({"method": "metsi"}, "did you mean 'metis'"),
        ({"method": "metis", "atom_per_bead": 3}, "'atom_per_bead'.*did you mean 'atoms_per_bead'"),
        ({"method": "pieces", "n_atom": 3}, "'pieces' has no parameter 'n_atom'.*'n_atoms'"),
        ({"method": "residues", "n_atoms": 3}, "it takes none"),
        ({"method": "user"}, "'user' needs 'bead_index'"),
        ({"method": "nothing"}, "'nothing' must return a Mapping.*not a list"),
    ],
)
def test_mistakes_are_named_with_the_way_on(recipe: dict[str, Any], said: str) -> None:
    MAPPERS["pieces"], MAPPERS["nothing"] = map_pieces, map_nothing  # type: ignore[assignment]
    with pytest.raises(ValueError, match=said):
        build_mapping(MOLECULE, recipe)


def test_a_recipe_opens_no_file(tmp_path: Path) -> None:
    (tmp_path / "beads.json").write_text(json.dumps([0] * 12))
    with pytest.raises(ValueError, match="not a str"):
        build_mapping(MOLECULE, {"method": "user", "bead_index": str(tmp_path / "beads.json")})


def test_mappers_by_their_import_path() -> None:
    assert add_mapper("cgsim.mapping:map_atoms") == "atoms"
    assert add_mapper(f"{__name__}:map_pieces") == "map_pieces"
    assert add_mapper(f"{__name__}:map_pieces") == "map_pieces"
    assert build_mapping(MOLECULE, {"method": "map_pieces", "n_atoms": 6}).n_beads == 2
    MAPPERS["short"] = map_still
    assert add_mapper(f"{__name__}:map_still") == "short"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cgsim.mapping:map_atom", "map_atom"),
        ("cgsim.mappings:map_atoms", "mappings"),
        ("map atoms", "package.module:Thing"),
        ("cgsim.mapping.recipe:MAPPERS", "function of a molecule"),
        (f"{__name__}:map_nothing", "there is a mapper 'map_nothing' already"),
    ],
)
def test_import_paths_that_lead_nowhere(path: str, said: str) -> None:
    MAPPERS["map_nothing"] = map_pieces
    with pytest.raises(ValueError, match=said):
        add_mapper(path)


def test_the_table_is_light() -> None:
    """The help of `cgsim map` reads it."""
    code = "import sys, cgsim.mapping.recipe; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "mdtraj", "scipy"} & set(done.stdout.split())
