"""Packaged weights and a polymer that exists only as a sequence: no MD, no training.

    python examples/pretrained_polymer.py

Writes the chain as a PDB file, rolls it out from there, and shows how its size settles.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import cgsim
from cgsim.evaluate.observables.structure import radius_of_gyration
from cgsim.md import build_chain, write_chain

SEQUENCE = [0, 3, 3, 6, 1, 8, 2, 9, 4, 0, 0, 5] * 4  # constitutional units, see cgsim.md.polymer


def main(arguments: Sequence[str] | None = None) -> None:
    """Write, map, roll out, look."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/pretrained_polymer"))
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes")
    options = parser.parse_args(arguments)
    n_steps = 20 if options.smoke else 1000

    chain = build_chain("my_chain", "II", size="mini", unit_sequence=SEQUENCE)
    structure = write_chain(chain, options.output)

    simulator = cgsim.load_pretrained("polymer-mini")
    start = cgsim.map_structure(structure, simulator)
    cgsim.simulate(simulator, start, n_steps, n_replicas=4, output=options.output / "rollout")

    (ensemble,) = cgsim.read_ensembles([options.output / "rollout"])
    rg = np.mean([radius_of_gyration(xyz, ensemble.bead_mass) for xyz in ensemble.xyz], axis=0)
    print(f"one step is {simulator.timestep:g} ps; mean radius of gyration of 4 replicas:")
    for part in np.array_split(np.arange(n_steps), 10):
        time = ensemble.frame_interval * (part[0] + 1)
        print(f"from {time:6.0f} ps: {rg[part].mean():.2f} nm")


if __name__ == "__main__":
    main()
