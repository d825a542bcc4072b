"""What the workers of the tests do; some of it kills them.

Workers import this module, so it imports only what a job needs.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgsim.cluster.rollout import Batch
    from cgsim.md import Chain, PolymerRun
    from cgsim.md.replica import Replica
    from cgsim.rollout.reporters import FileReporter, Restart
    from cgsim.rollout.simulate import Rollout


def die() -> None:
    """As the kernel would have it: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def append_line(file: Path, line: str, seconds: float = 0.0) -> str:
    """A job that leaves a trace."""
    time.sleep(seconds)
    with open(file, "a") as stream:
        stream.write(f"{line}\n")
    return line.upper()


def fail(message: str) -> None:
    """A job that cannot be done."""
    raise ValueError(message)


def stumble() -> None:
    """A mistake in the program."""
    raise KeyError("nothing of this name")


def generate_in_short_chunks(
    chains: Sequence["Chain"], directory: Path, run: "PolymerRun"
) -> list[Path]:
    """MD that is saved every few frames."""
    from cgsim.md import MergedChains, generate_polymers

    MergedChains.n_atom_steps = {"CPU": 2 * run.steps_per_frame * chains[0].n_atoms}
    return generate_polymers(chains, directory, run)


def generate_and_die_once(
    chains: Sequence["Chain"], directory: Path, run: "PolymerRun"
) -> list[Path]:
    """The same, but the first worker that has written half of chain 0 dies in the next chunk."""
    from cgsim.md.replica import Replica

    append = Replica.append

    def deadly(self: "Replica[Any]", *args: Any, **kwargs: Any) -> None:
        if self.frame >= run.n_frames // 2 and self.subject.name.endswith("000"):
            _die_once(directory / "died")
        append(self, *args, **kwargs)

    Replica.append = deadly  # type: ignore[method-assign]
    try:
        return generate_in_short_chunks(chains, directory, run)
    finally:
        Replica.append = append  # type: ignore[method-assign]


def roll_out_and_die_once(batch: "Batch", marker: Path) -> "Rollout":
    """A roll-out that is written every two frames; the first worker dies after its third write."""
    import cgsim.rollout.simulate
    from cgsim.rollout.reporters import FileReporter

    cgsim.rollout.simulate.FLUSH_EVERY = 2
    flush = FileReporter.flush

    def deadly(self: "FileReporter", restart: "Restart") -> None:
        flush(self, restart)
        if restart.step >= 4:
            _die_once(marker)

    FileReporter.flush = deadly  # type: ignore[method-assign]
    try:
        return batch()
    finally:
        FileReporter.flush = flush  # type: ignore[method-assign]


def _die_once(marker: Path) -> None:
    if not marker.exists():
        marker.touch()
        die()
