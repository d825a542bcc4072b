"""What the commands `cgsim md ...` share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cgsim.cluster.portions import Cluster
from cgsim.md.runs import Run

if TYPE_CHECKING:
    from cgsim.md.replica import Subject

S = TypeVar("S", bound="Subject")
R = TypeVar("R", bound=Run)


def generate_all(
    generate: Callable[[Sequence[S], Path, R], list[Path]],
    molecules: Sequence[S],
    output: Path,
    run: R,
    *,
    cluster: Cluster,
) -> None:
    """Simulate molecules in this process, or on the workers of a cluster where they are wanted."""
    if not cluster.is_wanted(len(molecules)):
        generate(molecules, output, run)
        return
    from cgsim.cluster.md import generate_shared

    generate_shared(generate, molecules, output, run, cluster=cluster)
