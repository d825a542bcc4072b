"""The command `cgsim backmap`: atoms for the trajectories of a simulator."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cgsim.cli.named import takes
from cgsim.cli.reading import Reading

if TYPE_CHECKING:
    from cgsim.io import Molecule
    from cgsim.mapping import Mapping


@takes("mapper")
def command(  # noqa: PLR0913 (an argument for each option of the command)
    beads: Path,
    *,
    topology: Path,
    mapping: Path,
    output: Path,
    reference: list[Path] | None = None,
    minimise: Literal["none", "geometry", "peptide"] = "geometry",
    n_reference: int = 200,
    overwrite: bool = False,
    reading: Reading = Reading(),  # noqa: B008
) -> None:
    """Put atoms on the beads of a trajectory, from pieces of all-atom reference frames.

    Writes the frames of all atoms of the topology, in its order, to one file. One reference frame
    will do; some hundreds of varied ones are better.

    Example: cgsim backmap rollout/AAA-r0.xtc --topology AAA.pdb --reference AAA-md.xtc
    --mapping model/simulator.safetensors --output AAA-atoms.xtc --minimise peptide

    Args:
        beads: Trajectory of beads, for example of `cgsim rollout`.
        topology: All atoms with their bonds, in any known format.
        mapping: How atoms became beads: a stored simulator, a folder NAME.cg, or a JSON file with
            a recipe or with the bead of each atom.
        output: File to write, .xtc or .dcd.
        reference: Consecutive trajectory files with all atoms of the same molecule; by default the
            one structure in the topology file.
        minimise: none leaves beads exactly where they are; geometry mends bonds, angles and
            overlaps of any molecule; peptide minimises the energy of ff14SBonlysc with GBn2, too.
        n_reference: Reference frames to use, evenly spaced.
        overwrite: Replace what is there already.
        reading: What the topology leaves open.
    """
    from cgsim.backmapping import backmap_file
    from cgsim.io.files import check_new

    check_new(output, overwrite=overwrite)
    molecule = reading.molecule(topology)
    n_frames = backmap_file(
        beads,
        molecule,
        read_mapping(mapping, molecule),
        reference=reference or [topology],
        output=output,
        minimise=minimise,
        n_reference=n_reference,
    )
    print(f"{output}: {n_frames} frames of {molecule.n_atoms} atoms")


def read_mapping(path: Path, molecule: "Molecule") -> "Mapping":
    """Map `molecule` as a stored simulator, a mapped trajectory or a JSON file says.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it holds no mapping, or its mapping does not fit the molecule.
    """
    from cgsim.io import read_json
    from cgsim.mapping import build_mapping, map_user
    from cgsim.mapping.store import load_mapped

    if path.suffix == ".json":
        content = read_json(path)
        return (
            build_mapping(molecule, content)
            if isinstance(content, dict)
            else map_user(molecule, path)
        )
    if path.is_dir():
        recipe = load_mapped(path).recipe
    else:
        from cgsim.model.checkpoint import load_provenance  # PyTorch takes seconds to import

        recipe = load_provenance(path).recipe
    if not recipe:
        raise ValueError(f"{path}: does not know how its atoms became beads")
    return build_mapping(molecule, recipe)
