"""The command `cgsim map`."""

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from docstring_parser import parse

from cgsim.cli.reading import Reading
from cgsim.config import POLYMERS
from cgsim.mapping.recipe import MAPPERS, add_mapper, parameters_of

if TYPE_CHECKING:
    from cgsim.io import Molecule

DEFAULT = POLYMERS.mapping
USER = "user"  # its bead numbers come from a file, --assignment


def command(  # noqa: PLR0913 (an argument for each option of the command)
    topology: Path,
    trajectories: list[Path],
    *,
    output: Path,
    method: str = DEFAULT["method"],
    mapper: str | None = None,
    parameters: dict[str, Any] | None = None,
    without_rigid_motion: bool = False,
    reference: list[str] | None = None,
    own_types: bool = False,
    name: str | None = None,
    overwrite: bool = False,
    reading: Reading = Reading(),  # noqa: B008
    **options: Any,
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
        mapper: A mapper of your own in place of a method, as package.module:function.
        parameters: Of your own mapper, for example --parameters.size 4.
        without_rigid_motion: Superpose every frame on the one before, so that diffusion and
            tumbling of one small free molecule are not learnt.
        reference: Structures that hold a folded molecule together, whose pairs of near beads a
            simulator never lets out of sight: mean (of all frames), files (crystal.pdb; several
            for several states), or none. By itself the mean for one folded protein.
        own_types: Make each bead a type of its own, for a simulator of this molecule alone.
        name: What the system is called in tables and roll-outs; by default as the topology file.
            Runs of one molecule share it, other molecules need another.
        overwrite: Replace folders that are there already.
        reading: What the files leave open.
    """
    from cgsim.io.files import check_new
    from cgsim.mapping import bead_names
    from cgsim.mapping.reference_files import read_references
    from cgsim.mapping.store import map_to_folder

    labels = apart(trajectories)
    folders = [output / f"{label}.cg" for label in labels]
    for folder in folders:
        check_new(folder, overwrite=overwrite)
    molecule = reading.molecule(topology)
    note_water(molecule)
    given = {name: value for name, value in options.items() if value is not None}
    if mapper is not None:
        method, given = add_mapper(mapper), given | (parameters or {})
    elif parameters:
        raise ValueError("--parameters are those of --mapper MODULE:FUNCTION, which is not given")
    mapping = _mapping(molecule, method, given)
    if without_rigid_motion:
        mapping = mapping.without_rigid_motion()
    if own_types:
        mapping = mapping.with_own_types()
    given_references = read_references(
        reference, bead_names(molecule, mapping), mapping, load=reading.molecule
    )
    for file, folder in zip(trajectories, folders, strict=True):
        mapped = map_to_folder(
            file,
            molecule,
            mapping,
            folder=folder,
            frame_interval=reading.frame_interval,
            allow=reading.allow,
            name=name,
            overwrite=overwrite,
        )
        print(
            f"{folder}: {mapped.n_frames} frames of {mapped.n_beads} beads, "
            f"{mapped.frame_interval:g} ps apart"
        )
    _refer(folders, reference, given_references)


def _refer(folders: list[Path], wanted: list[str] | None, given: dict[str, Any]) -> None:
    """Store the reference structures, if there are any, and say so."""
    from cgsim.mapping.reference_files import choose_reference, write_reference

    chosen = choose_reference(folders, wanted, given)
    if chosen is None:
        return
    write_reference(folders, chosen)
    by_itself = "; the protein is folded (--reference none for none)" if wanted is None else ""
    print(f"reference: {' '.join(wanted or ['mean'])}, {len(chosen)} in all{by_itself}")


def note_water(molecule: "Molecule") -> None:
    """Say on the standard error if most of what is mapped is water, as few mean it to be."""
    from cgsim.io.residues import template_of

    templates = [template_of(residue.name) for residue in molecule.topology.residues]
    n_waters = sum(template is not None and template.kind == "water" for template in templates)
    if len(templates) / 2 < n_waters < len(templates):
        print(
            f"cgsim: note: {n_waters:,} of {len(templates):,} residues are water, and become beads "
            "as all others; --select 'not water' (or protein) passes them over",
            file=sys.stderr,
        )


def apart(files: Sequence[Path]) -> list[str]:
    """Names of files, with as many of their folders as tell them apart: run1-prod, run2-prod.

    Raises
    ------
    ValueError
        If a file is given twice, or two names come out the same.
    """
    resolved = [file.resolve() for file in files]
    labels = [file.stem for file in files]
    for index, file in enumerate(files):
        if resolved.count(resolved[index]) > 1:
            raise ValueError(f"{file} is given twice")
        others = [other for other in resolved if other.stem == file.stem]
        deepest = max(len(other.parts) for other in others)
        depth = next(
            (
                n
                for n in range(1, deepest)
                if len({_ending(own, n) for own in others}) == len(others)
            ),
            1,
        )
        labels[index] = _ending(resolved[index], depth)
    for label, file in zip(labels, files, strict=True):
        if labels.count(label) > 1:
            raise ValueError(
                f"{file}: another file would be written to {label}.cg, too; map them one by one "
                "into folders of their own (--output)"
            )
    return labels


def _ending(file: Path, depth: int) -> str:
    return "-".join([*file.parts[-depth:-1], file.stem]) if depth > 1 else file.stem


def _mapping(molecule: Any, method: str, given: dict[str, Any]) -> Any:
    """The mapping by a method and what the command line says of it."""
    from cgsim.mapping import build_mapping, map_user

    if method == USER:
        if set(given) != {"assignment"}:
            raise ValueError("--method user needs --assignment FILE.json, and nothing else")
        return map_user(molecule, given["assignment"])
    default = DEFAULT if method == DEFAULT["method"] else {}
    return build_mapping(molecule, default | given | {"method": method})


def _options() -> dict[str, tuple[Any, str]]:
    """Type and help of the options that are parameters of mappers, by their names."""
    about = f"For {USER}: a JSON file of the bead of each atom, or of the atoms of each bead."
    options: dict[str, tuple[Any, str]] = {"assignment": (Path, about)}
    for method, mapper in MAPPERS.items():
        if method == USER:
            continue
        told = {item.arg_name: item.description for item in parse(mapper.__doc__ or "").params}
        for name, own in parameters_of(mapper).items():
            default = DEFAULT.get(name, own.default)
            unless = "" if default is own.empty else f" By default {default}."
            # Annotations that are strings or missing are left to the mapper itself.
            kind = own.annotation if own.annotation in (bool, int, float, str) else Any
            options[name] = (kind, f"For {method}: {told.get(name, '')}{unless}")
    return options


def _methods() -> str:
    """What the methods are, from the first sentences of the mappers."""
    about = {name: (inspect.getdoc(own) or "").partition(".")[0] for name, own in MAPPERS.items()}
    return "; ".join(f"{name}: {text}" for name, text in about.items())


def _with_options(command: Callable[..., None]) -> None:
    """Show the parser the methods as choices, and the options of mappers instead of ``options``."""
    signature, options = inspect.signature(command), _options()
    shown = []
    for own in signature.parameters.values():
        if own.name == "method":
            own = own.replace(annotation=Literal[tuple(MAPPERS)])
        if own.kind is not own.VAR_KEYWORD:
            shown.append(own)
    for name, (kind, _) in options.items():
        own = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        shown.append(own.replace(annotation=kind | None))
    command.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    about = {"method": _methods()} | {name: text for name, (_, text) in options.items()}
    lines = [f"{name}: {text}" for name, text in about.items()]
    command.__doc__ = "\n    ".join([inspect.getdoc(command) or "", *lines])


_with_options(command)
