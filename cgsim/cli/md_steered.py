"""The command `cgsim md steered`: a helix pulled apart, from sequence to report."""

from itertools import groupby
from pathlib import Path

from cgsim.md.runs import SteeredRun


def command(
    output: Path,
    *,
    run: SteeredRun = SteeredRun(),  # noqa: B008
    sequence: str | None = None,
    n_residues: int = 100,
    capped: bool = True,
) -> None:
    """Pull an alpha-helix apart at constant velocity, with OpenMM: one end fixed, one on a spring.

    Writes NAME.pdb, NAME-r0.xtc and NAME.json, force and extension of every frame as NAME-r0.csv,
    and NAME.html. Interrupt it at any time; the same command goes on. The force field is that of
    `cgsim md peptide` but for the dielectric constant of the solvent.

    Example: cgsim md steered data --n_residues 20 --run.duration 250

    Args:
        output: Folder to write to.
        run: The simulations, with times in ps.
        sequence: One-letter codes of L-amino acids; alanines unless given.
        n_residues: Number of alanines, where no sequence is given.
        capped: Whether the sequence stands between ACE and NME instead of having charged ends.
    """
    from cgsim.evaluate.observables.pulling import measure_pulling
    from cgsim.evaluate.report.pulling import write_pulling_report
    from cgsim.io import read_sidecar
    from cgsim.md import build_helix, generate_steered

    if sequence is None and n_residues < 2:
        raise ValueError(f"n_residues must be at least 2, got {n_residues}")
    sequence = sequence or "A" * n_residues
    peptide = build_helix(sequence, capped=capped, name=short_name(sequence, capped=capped))
    curves = []
    for file in generate_steered([peptide], output, run):
        curves.append(measure_pulling(file))
        curves[-1].write_csv(file.with_suffix(".csv"))
    page = output / f"{peptide.name}.html"
    about = read_sidecar(output / f"{peptide.name}.json")
    write_pulling_report(
        page,
        curves,
        title=f"{peptide.name}: an alpha-helix of {len(sequence)} residues, pulled",
        provenance={key: about[key] for key in ("temperature", "parameters", "provenance")},
    )
    print(f"report: {page}")


def short_name(sequence: str, *, capped: bool) -> str:
    """The sequence with runs of a letter as numbers, AAAAG as A4G: long ones make file names."""
    runs = [(letter, len(list(group))) for letter, group in groupby(sequence)]
    name = "helix-" + "".join(letter + (str(n) if n > 1 else "") for letter, n in runs)
    return name if capped else f"{name}-uncapped"
