"""Put a trained simulator into the package, for `cgsim.load_pretrained(NAME)`.

    python -m benchmarks.publish RUN_FOLDER NAME --command "python -m benchmarks.polymers ..."

Writes `cgsim/weights/NAME.safetensors`: the weights of `RUN_FOLDER/simulator.safetensors` with the
command they were made by, the versions and the commit added to their provenance.
"""

import argparse
import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.record import environment
from cgsim.io import atomic_path
from cgsim.model.checkpoint import (
    SIMULATOR_FILE,
    WEIGHTS,
    load_provenance,
    load_simulator,
    read_header,
    save_simulator,
)

MAX_BYTES = 5_000_000
STATED = ("versions", "commit", "dirty", "date")
MACHINE_PATH = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?(?:[/\\]+[\w.-]+){2,}")


def publish(run: Path, name: str, *, command: str, directory: Path = WEIGHTS) -> Path:
    """Check a trained simulator and copy it.

    Parameters
    ----------
    run
        Training directory.
    name
        Of the packaged weights.
    command
        What made them.
    directory
        Where to write.

    Raises
    ------
    FileNotFoundError, ValueError
        If the training has not ended, its data or mapping are not recorded, the file is too large
        for the package, or a path of a machine is in its header. Nothing is written then.
    """
    source = run / SIMULATOR_FILE
    provenance = load_provenance(source)
    if not provenance.recipe or not provenance.data.get("trajectories"):
        raise ValueError(f"{source}: its provenance lacks the mapping recipe or the training data")
    made = environment()
    stated = {"command": command, **{key: made[key] for key in STATED}}
    provenance = replace(provenance, data=provenance.data | stated)
    with tempfile.TemporaryDirectory() as folder:
        checked = save_simulator(
            load_simulator(source), Path(folder) / source.name, provenance=provenance
        )
        _check(checked)
        directory.mkdir(parents=True, exist_ok=True)
        with atomic_path(directory / f"{name}.safetensors") as partial:
            partial.write_bytes(checked.read_bytes())
    return directory / f"{name}.safetensors"


def machine_paths(text: str) -> list[str]:
    """Absolute paths in a text."""
    return MACHINE_PATH.findall(text)


def _check(file: Path) -> None:
    """Raise ValueError for a file that does not belong into the package."""
    n_bytes = file.stat().st_size
    if n_bytes >= MAX_BYTES:
        raise ValueError(f"{n_bytes:,} bytes of weights: less than {MAX_BYTES:,} go into a package")
    if paths := machine_paths(json.dumps(read_header(file), ensure_ascii=False)):
        raise ValueError(f"a path of this machine is in the header: {paths[0]}")


def main() -> None:
    """Publish one simulator."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="training directory")
    parser.add_argument("name", help="name of the weights, such as polymer-mini")
    parser.add_argument("--command", required=True, help="the command line that made them")
    options = parser.parse_args()
    path = publish(options.run, options.name, command=options.command)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
