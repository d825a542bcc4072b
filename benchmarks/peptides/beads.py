"""How much of the slow motions of a peptide its beads show, for several mappings.

    python -m benchmarks.peptides.beads

The slowest motions of the atoms are told by a TICA of sines and cosines of all torsions phi, psi
and chi1. Gradient-boosted trees learn them from distances and triple products of beads on the first
MD run of every unseen peptide of `benchmarks.peptides`; the correlation on the second run is what
the beads show. Writes `benchmarks/results/peptide_beads.json`.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from deeptime.decomposition import TICA
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.peptides.__main__ import FOLDER
from benchmarks.peptides.runs import UNSEEN
from benchmarks.record import write_result
from cgsim.evaluate.observables.structure import all_pairs, pair_distances
from cgsim.io import load_molecule
from cgsim.mapping import build_mapping
from cgsim.mapping.store import map_trajectory

MAPPINGS: dict[str, dict[str, Any]] = {
    "residues": {"method": "residues"},
    "C-alphas": {"method": "calpha"},
    "backbone, side chain": {"method": "backbone-sidechain"},
    "METIS, 4 atoms": {"method": "metis", "atoms_per_bead": 4},
}
HISTORIES = (1, 8)  # frames that the trees see
STRIDE = 5  # frames between them, of 1 ps
FIRST = STRIDE * (max(HISTORIES) - 1)  # frame with the longest history before it
LAG = 20  # frames, of TICA
N_MOTIONS = 2
MOST_VOLUMES = 40  # triple products of all four beads up to so many, else of four in a row


def torsions(trajectory: mdtraj.Trajectory) -> np.ndarray:
    """Sine and cosine of every phi, psi and chi1 [n_frames, n]."""
    made = (mdtraj.compute_phi, mdtraj.compute_psi, mdtraj.compute_chi1)
    angles = np.concatenate([compute(trajectory)[1] for compute in made], axis=1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def shapes(xyz: np.ndarray) -> np.ndarray:
    """Distances of all beads and triple products of four of them [n_frames, n]."""
    n_beads = xyz.shape[1]
    distances = pair_distances(xyz, all_pairs(n_beads))
    fours = list(itertools.combinations(range(n_beads), 4))
    if len(fours) > MOST_VOLUMES:
        fours = [(k, k + 1, k + 2, k + 3) for k in range(n_beads - 3)]
    a, b, c, d = np.array(fours).T
    edges = [xyz[:, other] - xyz[:, a] for other in (b, c, d)]
    volumes = np.einsum("tnx,tnx->tn", np.cross(edges[0], edges[1]), edges[2])
    return np.concatenate([distances, volumes], axis=1)


def with_history(features: np.ndarray, n_history: int) -> np.ndarray:
    """Rows of so many frames, from the frame on at which the longest history is there."""
    past = [features[FIRST - STRIDE * k : len(features) - STRIDE * k] for k in range(n_history)]
    return np.concatenate(past, axis=1)


def shown(beads: Sequence[np.ndarray], motions: Sequence[np.ndarray]) -> list[list[float]]:
    """Correlation of what is told with what is, for every history and motion."""
    features, found = [shapes(own) for own in beads], []
    for n_history in HISTORIES:
        learn, test = (with_history(own, n_history) for own in features)
        row = []
        for motion in range(N_MOTIONS):
            trees = HistGradientBoostingRegressor(max_iter=150, random_state=0)
            trees.fit(learn, motions[0][FIRST:, motion])
            told = trees.predict(test)
            row.append(float(np.corrcoef(told, motions[1][FIRST:, motion])[0, 1]))
        found.append(row)
    return found


def look_at(name: str, folder: Path) -> dict[str, Any]:
    """What the beads of one peptide show, by mapping."""
    pdb = folder / f"{name}.pdb"
    files = [folder / f"{name}-r{run}.xtc" for run in range(2)]
    angles = [torsions(mdtraj.load(file, top=pdb)) for file in files]
    model = TICA(lagtime=LAG, dim=N_MOTIONS).fit(angles).fetch_model()
    motions = [model.transform(own) for own in angles]
    molecule, result = load_molecule(pdb), {}
    for label, recipe in MAPPINGS.items():
        mapping = build_mapping(molecule, recipe)
        beads = [np.asarray(map_trajectory(file, molecule, mapping).pos, float) for file in files]
        result[label] = {"n_beads": beads[0].shape[1], "correlation": shown(beads, motions)}
        print(name, label, np.round(result[label]["correlation"], 2).tolist(), flush=True)
    timescales = model.timescales(lagtime=LAG)[:N_MOTIONS].tolist()
    return {"timescales": timescales, "mappings": result}


def main() -> None:
    """Look at all peptides, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--md", type=Path, default=FOLDER / "md", help="of benchmarks.peptides")
    options = parser.parse_args()
    begun = time.perf_counter()
    metrics = {
        "peptides": {name: look_at(name, options.md) for name in UNSEEN},
        "histories": HISTORIES,
        "stride": STRIDE,
        "lag": LAG,
        "units": {"timescales": "ps", "stride": "ps", "lag": "ps"},
    }
    seconds = time.perf_counter() - begun
    write_result(
        "peptide_beads", "python -m benchmarks.peptides.beads", metrics, wall_clock=seconds, seed=0
    )


if __name__ == "__main__":
    main()
