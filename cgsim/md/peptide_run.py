"""Reference trajectories of peptides: the simulations, and the files around them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cgsim.md.files import Description, check_names
from cgsim.md.peptide_chain import Peptide
from cgsim.md.peptide_system import MergedPeptides, PeptideForceField
from cgsim.md.runs import PeptideRun, Run
from cgsim.md.schedule import Method, run_replicas

# Above, copies side by side in one System are no faster on a CPU core than one after the other:
# the step costs the pairs within each copy (benchmarks/speed/md_peptides.py).
MAX_MERGED_ATOMS_ON_CPU = 400


def generate_peptides(
    peptides: Sequence[Peptide], directory: str | Path, run: PeptideRun
) -> list[Path]:
    """Simulate every peptide and write trajectories that ``cgsim`` and MDTraj can read.

    Per peptide: ``<name>.pdb`` (the starting structure), ``<name>-r<replica>.xtc`` or ``.dcd`` (all
    atoms, unwrapped, no cell) and ``<name>.json`` (units, frame interval, temperature, force field,
    residues, seed, speed, versions; no masses: those of the elements hold, although hydrogens were
    heavier in the simulation). Frame i is at time (i + 1) x frame_interval after equilibration.

    Finished replicas are skipped, interrupted ones resumed, and a longer ``duration`` extends what
    is there. Replicas of small peptides run merged, side by side on the CPU cores; on a GPU all
    replicas of all peptides are one System. Ctrl-C stops after the chunks at work, with everything
    simulated so far on disk.

    Returns
    -------
    list of Path
        The trajectory files, peptide by peptide, replica by replica.

    Raises
    ------
    ValueError
        Two peptides of one name, or a directory that holds data made with other settings.
    ArithmeticError
        A simulation blew up; what was simulated before stays.
    """
    force_field = PeptideForceField(run.temperature, solvent=run.solvent)
    return run_peptides(
        peptides,
        Path(directory),
        run,
        label="peptide MD",
        merge=lambda merged, platform: MergedPeptides(merged, force_field, platform=platform),
        describe=lambda peptide: describe_peptide(peptide, run, asdict(force_field)),
    )


def run_peptides(
    peptides: Sequence[Peptide],
    directory: Path,
    run: Run,
    *,
    label: str,
    merge: Callable[[Sequence[Peptide], str], MergedPeptides],
    describe: Callable[[Peptide], Description],
) -> list[Path]:
    """Write what the files say of each peptide, then simulate all; errors of `generate_peptides`.

    Parameters
    ----------
    label, merge
        See `cgsim.md.schedule.Method`.
    describe : callable (peptide) -> Description
        Of its JSON.

    Returns
    -------
    list of Path
        The trajectory files, peptide by peptide, replica by replica.
    """
    check_names([peptide.name for peptide in peptides])
    for peptide in peptides:
        describe(peptide).write(directory, peptide.to_mdtraj())
    method: Method[Peptide] = Method(
        label=label,
        merge=merge,
        initial_coordinates=lambda peptide, _seed: peptide.xyz,
        max_merged_atoms=MAX_MERGED_ATOMS_ON_CPU,
    )
    return run_replicas(peptides, directory, run, method)


def describe_peptide(peptide: Peptide, run: Run, force_field: dict[str, Any]) -> Description:
    """What the JSON says of simulations of a peptide, from the parameters of its force field."""
    parameters = {name: value for name, value in force_field.items() if name != "temperature"}
    return Description(
        name=peptide.name,
        frame_interval=run.frame_interval,
        temperature=force_field["temperature"],
        parameters={
            "force_field": "ff14SBonlysc",
            "solvent": force_field["solvent"],
            "constraints": "bonds to hydrogen",
            **parameters,
            "equilibration": run.equilibration,
            "seed": run.seed,
            "format": run.format,
            "source": peptide.source,
            "residues": list(peptide.residues),
        },
        packages=("PeptideBuilder", "biopython"),
    )
