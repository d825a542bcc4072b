"""What is refused before a trajectory is mapped, and what is not: planted faults in made-up MD."""

from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from cgsim.evaluate import Ensemble
from cgsim.io import Molecule, molecule_from_topology
from cgsim.mapping import map_metis, map_residues, map_user
from cgsim.mapping.store import map_to_folder, map_trajectory
from tests.io.systems import chain_bonds, molecule_of

N_ATOMS = 8
FORMATS = (".xtc", ".trr", ".dcd", ".nc", ".xyz", ".h5")


def carbons(n_molecules: int = 1) -> Molecule:
    """Chains of eight carbon atoms, each a residue of its own."""
    topology = mdtraj.Topology()
    for _ in range(n_molecules):
        residue = topology.add_residue("OCT", topology.add_chain())
        atoms = [topology.add_atom(f"C{i}", mdtraj.element.carbon, residue) for i in range(N_ATOMS)]
        for first, second in pairwise(atoms):
            topology.add_bond(first, second)
    return molecule_from_topology(topology, name="octane")


def motion(
    n_frames: int, n_molecules: int = 1, *, diffusion: float = 0.05, seed: int = 0
) -> np.ndarray:
    """Zigzag chains of right bonds that turn freely and diffuse [n_frames, n_atoms, 3], nm."""
    random = np.random.default_rng(seed)
    zigzag = np.stack([0.126 * np.arange(N_ATOMS), 0.085 * (np.arange(N_ATOMS) % 2)], axis=1)
    zigzag = np.pad(zigzag - zigzag.mean(axis=0), ((0, 0), (0, 1)))
    places = random.uniform(0, 3, (n_molecules, 1, 3))
    molecules = []
    for place in places:
        turn = np.linalg.qr(random.normal(size=(n_frames, 3, 3)))[0]
        centre = place + random.normal(scale=diffusion, size=(n_frames, 1, 3)).cumsum(axis=0)
        shape = zigzag + random.normal(scale=0.005, size=(n_frames, N_ATOMS, 3))
        molecules.append(shape @ turn + centre)
    return np.concatenate(molecules, axis=1)


def save(
    path: Path, molecule: Molecule, xyz: np.ndarray, *, interval: float = 10.0, box: float = 0.0
) -> Path:
    cell = {}
    if box:
        cell = {
            "unitcell_lengths": np.full((len(xyz), 3), box),
            "unitcell_angles": np.full((len(xyz), 3), 90.0),
        }
    time = interval * np.arange(len(xyz))
    mdtraj.Trajectory(xyz, molecule.topology, time=time, **cell).save(str(path))
    return path


def mapped(
    path: Path, molecule: Molecule, *, interval: float | None = 10.0, allow: str = ""
) -> np.ndarray:
    mapping = map_residues(molecule)
    return map_trajectory(path, molecule, mapping, frame_interval=interval, allow=allow).pos


@pytest.mark.parametrize("n_frames", [2, 5, 40, 300])
@pytest.mark.parametrize("diffusion", [0.0, 0.05, 1.0, 5.0])
def test_free_molecules_pass_at_every_interval(
    tmp_path: Path, n_frames: int, diffusion: float
) -> None:
    """Bonds that turn freely from frame to frame, centres that move by up to several nm."""
    molecule = carbons(3)
    xyz = motion(n_frames, 3, diffusion=diffusion, seed=n_frames)
    file = save(tmp_path / "run.xtc", molecule, xyz, interval=1000.0)
    assert len(mapped(file, molecule, interval=None)) == n_frames


@pytest.mark.parametrize("suffix", FORMATS)
def test_molecules_wrapped_without_a_cell(tmp_path: Path, suffix: str) -> None:
    molecule, xyz = carbons(2), motion(120, 2)
    xyz[:, :N_ATOMS, 0] += np.linspace(0, 7, 120)[:, None]  # through the boundary
    centre = xyz.reshape(120, 2, N_ATOMS, 3).mean(axis=2).repeat(N_ATOMS, axis=1)
    wrapped = xyz - 5.0 * np.floor(centre / 5.0)
    file = save(tmp_path / f"run{suffix}", molecule, wrapped)
    said = r"frame \d+: the molecule of OCT0-C0 \(atoms 0 to 7\) moves by (4|5)\.\d+ nm.*image"
    with pytest.raises(ValueError, match=said):
        mapped(file, molecule)
    assert len(mapped(file, molecule, allow="jumps")) == 120
    with_cell = save(tmp_path / "cell.xtc", molecule, wrapped, box=5.0)
    found = np.diff(mapped(with_cell, molecule), axis=0)
    centres = xyz.reshape(120, 2, N_ATOMS, 3).mean(axis=2)
    np.testing.assert_allclose(found, np.diff(centres, axis=0), atol=3e-3)


@pytest.mark.parametrize("suffix", FORMATS)
def test_atoms_wrapped_without_a_cell(tmp_path: Path, suffix: str) -> None:
    molecule, xyz = carbons(), motion(30)
    xyz += np.linspace(0, 4, 30)[:, None, None]
    file = save(tmp_path / f"run{suffix}", molecule, xyz % 3.0)
    with pytest.raises(ValueError, match=r"OCT0-C\d to OCT0-C\d 2\.\d+ nm.*boundary.*bonds"):
        mapped(file, molecule)


@pytest.mark.parametrize("suffix", FORMATS)
def test_runs_that_were_joined(tmp_path: Path, suffix: str) -> None:
    molecule = carbons()
    still = motion(1, diffusion=0.0) + np.zeros((80, 1, 1))
    noise = np.random.default_rng(1).normal(scale=0.01, size=still.shape)
    xyz = still + noise
    xyz[40:] = xyz[40:, :, [1, 2, 0]]  # the second run looks another way
    file = save(tmp_path / f"run{suffix}", molecule, xyz)
    with pytest.raises(ValueError, match=r"frame 40: all atoms move by .*independent runs"):
        mapped(file, molecule)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_wrong_unit(tmp_path: Path, suffix: str) -> None:
    molecule, xyz = carbons(), motion(20)
    long = save(tmp_path / f"long{suffix}", molecule, 10 * xyz)
    with pytest.raises(ValueError, match="in ångström where nm are meant"):
        mapped(long, molecule)
    short = save(tmp_path / f"short{suffix}", molecule, xyz / 10)
    with pytest.raises(ValueError, match="in nm where ångström are meant"):
        mapped(short, molecule)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interval_in_other_units(tmp_path: Path, suffix: str) -> None:
    """Atoms of 12 Da that move by 0.3 nm would be at a million kelvin after 10 fs."""
    molecule = carbons()
    file = save(tmp_path / f"run{suffix}", molecule, motion(20), interval=0.01)
    with pytest.raises(ValueError, match=r"which in 0.01 ps .*interval is too short.*interval"):
        mapped(file, molecule, interval=0.01)


def test_atoms_that_hardly_move(tmp_path: Path) -> None:
    molecule, random = carbons(), np.random.default_rng(0)
    xyz = motion(1) + random.normal(scale=2e-4, size=(20, N_ATOMS, 3))
    file = save(tmp_path / "run.dcd", molecule, xyz)
    with pytest.raises(ValueError, match=r"move by 0\.0\d+ nm only .*minimisation"):
        mapped(file, molecule, interval=10.0)
    assert len(mapped(file, molecule, interval=0.01)) == 20


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 0, 0, 1, 2], "frame 1: all positions are those of frame 0.*written twice"),
        ([0, 1, 2, 2, 3], "frame 3: all positions are those of frame 2.*written twice"),
        ([0, 1, 2, 3, 2, 3, 4], "frame 4: all positions are those of frame 2.*overlap"),
        ([0, 1, 2, 0, 1, 2], "frame 3: all positions are those of frame 0.*there twice"),
    ],
)
def test_frames_that_are_there_twice(
    tmp_path: Path, suffix: str, order: list[int], said: str
) -> None:
    molecule, xyz = carbons(), motion(5)
    file = save(tmp_path / f"run{suffix}", molecule, xyz[order])
    with pytest.raises(ValueError, match=said):
        mapped(file, molecule)
    assert len(mapped(file, molecule, allow="repeats,interval")) == len(order)


@pytest.mark.parametrize("suffix", FORMATS)
def test_frames_that_are_all_the_same(tmp_path: Path, suffix: str) -> None:
    """They are what they are; there is only nothing to be learnt."""
    molecule, xyz = carbons(), motion(5)
    file = save(tmp_path / f"run{suffix}", molecule, xyz[[0] * 4])
    with pytest.warns(UserWarning, match="all 4 frames are the same.*nothing moves"):
        assert len(mapped(file, molecule)) == 4


@pytest.mark.parametrize("suffix", [".dcd", ".xyz"])
def test_a_restart_of_a_format_without_times(tmp_path: Path, suffix: str) -> None:
    """The last frame again at the beginning of the next file is left out; more is refused."""
    molecule, xyz = carbons(), motion(40)
    parts = [xyz[:20], xyz[19:30], xyz[28:]]
    files = [save(tmp_path / f"{i}{suffix}", molecule, own) for i, own in enumerate(parts)]
    mapping = map_residues(molecule)
    found = map_trajectory(files[:2], molecule, mapping, frame_interval=10.0)
    assert found.n_frames == 30
    with pytest.raises(ValueError, match="frame 30: all positions are those of frame 28"):
        map_trajectory(files, molecule, mapping, frame_interval=10.0)


@pytest.mark.parametrize("suffix", FORMATS)
def test_positions_that_were_not_written(tmp_path: Path, suffix: str) -> None:
    molecule, xyz = carbons(), motion(9)
    xyz[6] = 0
    file = save(tmp_path / f"run{suffix}", molecule, xyz)
    with pytest.raises(ValueError, match=r"frame 6: all 8 atoms are at one place, \(0, 0, 0\)"):
        mapped(file, molecule)


@pytest.mark.parametrize("suffix", FORMATS)
def test_positions_of_some_atoms_that_were_not_written(tmp_path: Path, suffix: str) -> None:
    molecule, xyz = carbons(), motion(9)
    xyz[4:, 5:] = 0
    file = save(tmp_path / f"run{suffix}", molecule, xyz)
    said = r"frame 4: the bonded atoms OCT\d-C5 \(atom 5\) and OCT\d-C6 .*, \(0, 0, 0\)"
    with pytest.raises(ValueError, match=said):
        mapped(file, molecule)


def test_beads_of_another_molecule(tmp_path: Path) -> None:
    """Carbons 0 and 7 are 0.9 nm apart, six bonds away from each other."""
    molecule = carbons()
    file = save(tmp_path / "run.xtc", molecule, motion(9))
    ends = map_user(molecule, [0, 1, 1, 1, 1, 1, 1, 0])
    with pytest.raises(ValueError, match=r"bead 0 is in pieces.*C0 \(atom 0\).*C7 \(atom 7\)"):
        map_trajectory(file, molecule, ends)
    assert map_trajectory(file, molecule, ends, allow=["spread"]).n_beads == 2
    neighbours = map_user(molecule, [0, 1, 0, 1, 2, 3, 2, 3])
    assert map_trajectory(file, molecule, neighbours).n_beads == 4


def test_wrong_order_of_atoms(tmp_path: Path) -> None:
    molecule, xyz = carbons(), motion(9)
    file = save(tmp_path / "run.xtc", molecule, xyz[:, [0, 4, 1, 5, 2, 6, 3, 7]])
    with pytest.raises(ValueError, match="another order than in the topology"):
        mapped(file, molecule)
    two = save(tmp_path / "two.xtc", molecule, xyz[:, [0, 1, 2, 3, 4, 6, 5, 7]])
    with pytest.raises(ValueError, match=r"C4 to OCT0-C5 0\.2\d+ nm.*another order"):
        mapped(two, molecule)


def test_sites_that_are_cut_at_a_boundary(tmp_path: Path) -> None:
    """Beads may be any distance apart, but not twenty times farther than the others."""
    chain, random = molecule_of(chain_bonds(20), 20), np.random.default_rng(2)
    bond = random.normal(size=(50, 20, 3))  # of springs
    xyz = bond.cumsum(axis=1)
    mapping = map_metis(chain, atoms_per_bead=4)
    good = save(tmp_path / "good.xtc", chain, xyz)
    assert map_trajectory(good, chain, mapping).n_frames == 50
    cut = save(tmp_path / "cut.xtc", chain, xyz % 30)
    with pytest.raises(ValueError, match=r"times as long as the median.*POL.*boundary"):
        map_trajectory(cut, chain, mapping)


def test_a_fluid_that_is_followed_through_its_cell(tmp_path: Path) -> None:
    """Steps of a tenth of the cell can be followed, those of half of it cannot."""
    molecule = carbons(4)
    for diffusion in (0.3, 1.5):
        xyz = motion(60, 4, diffusion=diffusion)
        centre = xyz.reshape(60, 4, N_ATOMS, 3).mean(axis=2).repeat(N_ATOMS, axis=1)
        file = tmp_path / f"{diffusion}.xtc"
        save(file, molecule, xyz - 3.0 * np.floor(centre / 3.0), interval=100, box=3.0)
    assert len(mapped(tmp_path / "0.3.xtc", molecule, interval=None)) == 60
    with pytest.raises(ValueError, match="half the periodic cell between frames"):
        mapped(tmp_path / "1.5.xtc", molecule, interval=None)


def test_nothing_is_left_where_the_end_tells(tmp_path: Path) -> None:
    molecule, xyz = carbons(), motion(60)
    xyz[30:] += np.array([6.0, 0, 0])
    file = save(tmp_path / "run.xtc", molecule, xyz)
    folder, mapping = tmp_path / "run.cg", map_residues(molecule)
    with pytest.raises(ValueError, match=r"run\.xtc: frame 30: .*moves by 6\.\d+ nm"):
        map_to_folder(file, molecule, mapping, folder=folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run.xtc"]
    assert map_to_folder(file, molecule, mapping, folder=folder, allow=["jumps"]).n_frames == 60


def test_an_ensemble_of_atoms_is_checked(tmp_path: Path) -> None:
    molecule, xyz = carbons(), motion(60)
    mdtraj.Trajectory(xyz[:1], molecule.topology).save(str(tmp_path / "octane.pdb"))
    files = [save(tmp_path / "0.xtc", molecule, xyz)]
    mapping, structure = map_residues(molecule), tmp_path / "octane.pdb"
    assert Ensemble.from_files(files, structure, mapping=mapping).n_frames == 60
    xyz[30:] += np.array([6.0, 0, 0])
    files.append(save(tmp_path / "1.xtc", molecule, xyz))
    with pytest.raises(ValueError, match=r"1\.xtc: frame 30: .*moves by 6\.\d+ nm"):
        Ensemble.from_files(files, structure, mapping=mapping)
    assert Ensemble.from_files(files, structure, mapping=mapping, allow=["jumps"]).n_frames == 120


def test_a_check_that_is_unknown(tmp_path: Path) -> None:
    molecule = carbons()
    file = save(tmp_path / "run.xtc", molecule, motion(5))
    with pytest.raises(ValueError, match="no check 'jump'; did you mean 'jumps'"):
        mapped(file, molecule, allow="bonds, jump")


@pytest.mark.filterwarnings("error")
def test_given_intervals_and_stored_times(tmp_path: Path) -> None:
    molecule = carbons()
    file = save(tmp_path / "run.xtc", molecule, motion(5), interval=2.0)
    assert len(mapped(file, molecule, interval=2.0)) == 5
    with pytest.warns(UserWarning, match=r"run\.xtc: the times in the file go from 0 to 2 ps"):
        mapped(file, molecule, interval=20.0)


@pytest.mark.parametrize(
    ("factor", "said"), [(10, "ångström where nm"), (0.1, "nm where ångström")]
)
def test_calphas_in_another_unit(tmp_path: Path, factor: float, said: str) -> None:
    """Sites have no radii, but neighbouring C-alphas are 0.38 nm apart."""
    random, n_residues = np.random.default_rng(3), 12
    topology = mdtraj.Topology()
    chain = topology.add_chain("A")
    for number in range(n_residues):
        residue = topology.add_residue("ALA", chain, resSeq=number + 1)
        topology.add_atom("CA", mdtraj.element.carbon, residue)
    molecule = molecule_from_topology(topology, bonds="chain")
    bond = random.normal(size=(n_residues, 3))
    shape = (0.38 * bond / np.linalg.norm(bond, axis=1, keepdims=True)).cumsum(axis=0)
    xyz = shape + random.normal(scale=0.02, size=(30, n_residues, 3))
    mapping = map_residues(molecule)
    good = save(tmp_path / "good.xtc", molecule, xyz)
    assert map_trajectory(good, molecule, mapping).n_frames == 30
    with pytest.raises(ValueError, match=f"C-alphas are .* most likely the file is in {said}"):
        map_trajectory(save(tmp_path / "x.xtc", molecule, factor * xyz), molecule, mapping)


@pytest.mark.parametrize("skew", [0.0, 0.5])
@pytest.mark.parametrize("shift", [0.0, 0.05, 1.3])
def test_a_cell_that_is_too_small(tmp_path: Path, skew: float, shift: float) -> None:
    """Molecules that fill a cell of 3 nm lie on images of each other in one of 0.6 nm."""
    molecule = carbons(8)
    rng = np.random.default_rng(1)
    turned = [motion(1, seed=number)[0] for number in range(8)]
    corners = 1.5 * np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    placed = [own - own.mean(axis=0) + at for own, at in zip(turned, corners, strict=True)]
    xyz = np.concatenate(placed)[None] + shift
    xyz = xyz + rng.normal(scale=0.004, size=(20, *xyz.shape[1:]))
    for factor in (1.0, 0.2):
        cell = factor * np.array([[3.0, 0, 0], [skew * 3.0, 3.0, 0], [0, skew * 3.0, 3.0]])
        trajectory = mdtraj.Trajectory(xyz, molecule.topology, time=np.arange(20.0))
        trajectory.unitcell_vectors = np.tile(cell, (20, 1, 1)).astype(np.float32)
        file = tmp_path / "run.trr"
        trajectory.save(str(file))
        if factor == 1:
            assert len(mapped(file, molecule, interval=1.0)) == 20
        else:
            said = r"run.trr: frame 0: \d+ pairs .* periodic images .*0.600.* unit .*spread"
            with pytest.raises(ValueError, match=said):
                mapped(file, molecule, interval=1.0, allow="jumps,interval")
