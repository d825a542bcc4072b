"""Trained simulators that come with the package: ``cgsim/weights/NAME.safetensors``.

They are ordinary checkpoints (see `cgsim.checkpoint`): `load_provenance` of `pretrained_file` says
which trajectories a simulator was trained on, how, and by which command.
"""

from pathlib import Path

from cgsim.checkpoint import load_simulator
from cgsim.simulator import Simulator

WEIGHTS = Path(__file__).with_name("weights")


def pretrained_names() -> tuple[str, ...]:
    """Names of the packaged simulators."""
    return tuple(sorted(file.stem for file in WEIGHTS.glob("*.safetensors")))


def pretrained_file(name: str) -> Path:
    """The file of a packaged simulator.

    Raises
    ------
    ValueError
        If there is none of this name; lists those that are there.
    """
    if name not in pretrained_names():
        known = ", ".join(map(repr, pretrained_names()))
        raise ValueError(f"no pretrained simulator {name!r}; there are {known}")
    return WEIGHTS / f"{name}.safetensors"


def find_checkpoint(path: str | Path) -> Path:
    """A file as it is, or, where there is none, that of the packaged simulator of this name."""
    if not Path(path).exists() and str(path) in pretrained_names():
        return pretrained_file(str(path))
    return Path(path)


def load_pretrained(name: str) -> Simulator:
    """Load a packaged simulator, in evaluation mode on the CPU.

    Parameters
    ----------
    name
        ``"polymer-mini"``: class-I chains of the benchmark polymers (`cgsim.md.sample_chains`) of
        120 atoms, in beads of ten; it simulates every chain of this family. ``"peptides"``: capped
        tripeptides of A, F, G, L, S and V at 350 K, a bead per residue and cap, without rigid
        motion (`python -m benchmarks.peptides`); to be fine-tuned on others (`cgsim.finetune`).

    Raises
    ------
    ValueError
        If there is none of this name; lists those that are there.
    """
    return load_simulator(pretrained_file(name))
