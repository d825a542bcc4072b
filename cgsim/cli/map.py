"""The command `cgsim map`."""

from pathlib import Path
from typing import Any, Literal

from cgsim.cli.reading import Reading


def map_(
    topology: Path,
    trajectories: list[Path],
    *,
    output: Path,
    method: Literal["metis", "residues", "calpha", "backbone-sidechain", "atoms", "user"] = "metis",
    atoms_per_bead: float = 10.0,
    assignment: Path | None = None,
    without_rigid_motion: bool = False,
    reading: Reading = Reading(),  # noqa: B008
) -> None:
    """Map atoms to beads: one folder NAME.cg per trajectory.

    Each folder holds the bead positions (pos.npy, memory-mapped later), the static graph
    (system.json) and the beads as beads.pdb and beads.psf, which VMD and MDTraj open.

    Example: cgsim map protein.pdb run1.xtc run2.xtc --output mapped --method residues

    Args:
        topology: A topology (PDB, PSF, PRMTOP, GRO, TPR, LAMMPS data, ...), with bonds or
            standard residues.
        trajectories: Trajectory files of this molecule, each an independent run.
        output: Folder for the NAME.cg folders.
        method: METIS clusters of the bond graph, residues at their centres of mass, residues at
            their C-alpha, backbone and side chain of each residue, single atoms, or your own
            assignment.
        atoms_per_bead: For metis.
        assignment: For user: a JSON file of the bead of each atom, or of the atoms of each bead.
        without_rigid_motion: Superpose every frame on the one before, so that diffusion and
            tumbling of one small free molecule are not learnt.
        reading: What the files leave open.
    """
    from cgsim.mapping import build_mapping, map_user
    from cgsim.mapping.store import map_to_folder

    molecule = reading.molecule(topology)
    if method == "user":
        if assignment is None:
            raise ValueError("--method user needs --assignment FILE.json")
        mapping = map_user(molecule, assignment)
    else:
        recipe: dict[str, Any] = {"method": method}
        mapping = build_mapping(
            molecule, recipe | {"atoms_per_bead": atoms_per_bead} if method == "metis" else recipe
        )
    if without_rigid_motion:
        mapping = mapping.without_rigid_motion()
    for file in trajectories:
        folder = output / f"{file.stem}.cg"
        mapped = map_to_folder(
            file,
            molecule,
            mapping,
            folder=folder,
            frame_interval=reading.frame_interval,
            allow_long_bonds=reading.allow_long_bonds,
        )
        print(
            f"{folder}: {mapped.n_frames} frames of {mapped.n_beads} beads, "
            f"{mapped.frame_interval:g} ps apart"
        )
