"""Fine-tuning on a little MD of a new peptide, against training on it alone and against that MD.

    python -m benchmarks.peptides.finetune --train-duration 12 --unseen-duration 33

The MD of a new peptide is the first 11 ns of the first MD run of each unseen one: the simulator of
`benchmarks.peptides` is fine-tuned on 1 %, 5 % and 25 % of it, with old data replayed. What so
little MD says is chance, so 1 % and 5 % are taken in five places of the first 25 %, and their mean
or median counts. Scored on what nothing has seen: all that follows these 25 %, and all of the
second run, on which TICA is fitted. Every piece is kept in the folder, so a second call goes on.
Writes `benchmarks/results/finetune.json`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.ablations import plain
from benchmarks.peptides.__main__ import (
    LENGTH,
    MODEL,
    N_REPLICAS,
    TRAINING,
    PanelSimulator,
    read_options,
    roll_out_unseen,
    train_panel,
)
from benchmarks.peptides.runs import UNSEEN, Panel, joined, prepare, roll_out
from benchmarks.peptides.scores import (
    LAG_TIME,
    SUMMARY,
    Ruler,
    better,
    over_pieces,
    ruler_of,
    score_row,
    summary_of,
    unknown_row,
)
from benchmarks.polymers.runs import Data
from benchmarks.record import write_result
from benchmarks.tables.cells import estimate
from benchmarks.tables.peptides import FINETUNED
from cgsim.config import FinetuningConfig, TrainingConfig
from cgsim.evaluate import Ensemble
from cgsim.evaluate.sources import ensembles_of
from cgsim.io import read_json, write_atomic_json
from cgsim.io.records import to_dict
from cgsim.mapping.trajectory import MappedTrajectory
from cgsim.model.simulator import Simulator
from cgsim.training.finetune import finetune, load_report
from cgsim.training.fit import fit
from cgsim.units import PS_PER_NS

KNOWN = 11.0  # ns: the MD of a new peptide; short, so that the reference is far longer
FRACTIONS = (0.01, 0.05, 0.25)  # of this MD
N_PLACES = 5  # of the largest fraction, in which smaller ones are taken
HEADLINE = 0.05  # the fraction that the targets speak of
ENOUGH = 4  # peptides of the five
FINETUNING = FinetuningConfig(  # little by little, to the end, as the panel was trained
    n_steps=300,
    learning_rate=1e-4,
    patience=6,
    keep="last",
    replay_share=0.9,
    time_reversal=TRAINING.time_reversal,
)
SCRATCH = replace(TRAINING, n_steps=1000, n_cycles=1, batch_size=FINETUNING.batch_size, keep="best")
FEWEST_HELD_OUT, MOST_HELD_OUT = 0.2, 0.5  # of the new MD, to choose the epoch by
JUDGED = ("js_tic0", "timescale_error")
UNITS = {
    "timescale": "ps",
    "duration": "ps",
    "seconds": "s",
    "new": "nats per degree of freedom",
    "old": "nats per degree of freedom",
}


Maker = Callable[[], tuple[Simulator, dict[str, Any]]]


@dataclass(frozen=True)
class Piece:
    """One unseen peptide and the part of its MD that may be learnt from.

    Parameters
    ----------
    md
        That part of the first run.
    duration
        Of the roll-outs, ps.
    folder
        Where everything of it is kept.
    """

    md: MappedTrajectory
    duration: float
    folder: Path


def known_part(run: MappedTrajectory) -> MappedTrajectory:
    """The MD of a new peptide, the first quarter of which may be learnt from."""
    n_frames = round(KNOWN * PS_PER_NS / run.frame_interval)
    return run.frames(0, min(n_frames, run.n_frames))


def learnable_frames(known: MappedTrajectory) -> int:
    """Frames of the MD of a new peptide that may be learnt from; no row is scored on them."""
    return round(max(FRACTIONS) * known.n_frames)


def parts_of(known: MappedTrajectory, fraction: float) -> list[MappedTrajectory]:
    """A fraction of the MD of a new peptide, from as many places as do not overlap."""
    n_frames, n_learnable = round(fraction * known.n_frames), learnable_frames(known)
    n_places = min(N_PLACES, n_learnable // n_frames)
    starts = (n_learnable // n_places * place for place in range(n_places))
    return [known.frames(start, start + n_frames) for start in starts]


def held_out_reference(data: Data, index: int) -> Ensemble:
    """What no row has seen of one peptide: the end of the first run and the second run."""
    first, second = data.reference[index], data.floor[index]
    seen = learnable_frames(known_part(first))
    return joined(first.frames(seen, first.n_frames), second)


def validation_fraction(n_frames: int, n_needed: int) -> float:
    """A fifth of the frames, or as much more as a few windows need, but never more than half."""
    return min(MOST_HELD_OUT, max(FEWEST_HELD_OUT, 2 * n_needed / n_frames))


def n_window(simulator: Simulator) -> int:
    """Frames that one window spans."""
    return simulator.config.history * simulator.scales.stride + 1


def check_long_enough(runs: Sequence[MappedTrajectory], simulator: Simulator) -> None:
    """Raise SystemExit unless half of the smallest piece of every run holds a window."""
    n_frames = min(round(min(FRACTIONS) * own.n_frames) for own in runs)
    if n_frames < (needed := 2 * n_window(simulator)):
        raise SystemExit(
            f"the first {100 * min(FRACTIONS):g} % of the MD are {n_frames} frames, fewer than the "
            f"{needed} of two windows: give a longer --unseen-duration"
        )


def tuned(
    piece: Piece, trained: PanelSimulator, replay: Sequence[MappedTrajectory]
) -> tuple[Simulator, dict[str, Any]]:
    """The simulator of the panel fine-tuned, and what it learnt and forgot."""
    folder = piece.folder / "finetuned"
    share = validation_fraction(piece.md.n_frames, n_window(trained.simulator))
    simulator = finetune(
        trained.file,
        [piece.md],
        folder,
        finetuning=replace(FINETUNING, validation_fraction=share),
        replay=replay,
    )
    return simulator, to_dict(load_report(folder))


def from_scratch(piece: Piece, trained: PanelSimulator) -> tuple[Simulator, dict[str, Any]]:
    """A simulator that has seen nothing but the piece."""
    share = validation_fraction(piece.md.n_frames, n_window(trained.simulator))
    training: TrainingConfig = replace(SCRATCH, validation_fraction=share)
    return fit([piece.md], piece.folder / "scratch", model=MODEL, training=training), {}


def score_piece(
    piece: Piece, ruler: Ruler, trained: PanelSimulator, replay: Sequence[MappedTrajectory]
) -> dict[str, dict[str, Any]]:
    """All rows of one piece."""
    makers: dict[str, Maker] = {
        "finetuned": lambda: tuned(piece, trained, replay),
        "scratch": lambda: from_scratch(piece, trained),
    }
    (md,) = ensembles_of([piece.md])
    made = {row: _kept(piece, ruler, row, make) for row, make in makers.items()}
    return made | {"md": score_row(ruler, md)}


def _kept(piece: Piece, ruler: Ruler, row: str, make: Maker) -> dict[str, Any]:
    """The scores of a simulator, made unless they are there."""
    note = piece.folder / row / "scores.json"
    settings = {"duration": piece.duration, "lag_time": LAG_TIME, "n_replicas": N_REPLICAS}
    known = read_json(note) if note.exists() else {}
    if known.get("settings") != settings:
        known = plain(_score_simulator(piece, ruler, row, make) | {"settings": settings})
        write_atomic_json(note, known)
    return known


def _score_simulator(piece: Piece, ruler: Ruler, row: str, make: Maker) -> dict[str, Any]:
    """Train, roll out from the frames that were learnt from, score."""
    begun = time.perf_counter()
    simulator, learnt = make()
    seconds = time.perf_counter() - begun
    rolled = roll_out(
        simulator,
        [piece.md],
        piece.duration,
        n_replicas=N_REPLICAS,
        folder=piece.folder / row / "rollout",
    )
    return score_rolled(ruler, rolled.ensembles) | {
        "learnt": learnt,
        "training_seconds": seconds,
        "rollout_seconds": rolled.seconds,
        "failures": rolled.n_failures,
    }


def score_rolled(ruler: Ruler, ensembles: Sequence[Ensemble]) -> dict[str, Any]:
    """The scores of one peptide among those that were rolled out; unknown if it is not there."""
    name = ruler.reference.name
    for own in ensembles:
        if own.name == name:
            return score_row(ruler, own)
    return unknown_row(name)


def verdict(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the issue asks of one fraction: of how many peptides is the fine-tuned row better.

    Parameters
    ----------
    rows
        Of `FINETUNED`, each as of `summary_of`.
    """
    tuned_row = rows["finetuned"]["peptides"]
    beaten = {
        name: {row: better(tuned_row, rows[row]["peptides"], name) for row in ("scratch", "md")}
        for name in JUDGED
    }
    in_all = set.intersection(*(won for by_row in beaten.values() for won in by_row.values()))
    return {
        "better": {
            name: {row: len(won) for row, won in by_row.items()} for name, by_row in beaten.items()
        },
        "better_in_all": len(in_all),
        "within": rows["finetuned"]["n_within"],
        "n_peptides": len(tuned_row),
        "holds": min(len(won) for by_row in beaten.values() for won in by_row.values()) >= ENOUGH,
    }


def change_of_nll(peptides: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What fine-tuning learnt of new and forgot of old peptides: change of the NLL, mean of all."""
    learnt = [piece["learnt"] for own in peptides for piece in own["pieces"]]
    changes = {
        which: [own[which]["after"] - own[which]["before"] for own in learnt]
        for which in ("new", "old")
    }
    return {which: float(np.mean(values)) for which, values in changes.items()}


def summary_of_fraction(scored: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """All rows of one fraction, and what they say.

    Parameters
    ----------
    scored
        Of every peptide its pieces, each with its rows, as of `score_piece`. The verdict on the
        first pieces alone is given too.
    """
    over = {
        row: [over_pieces([own[row] for own in pieces]) for pieces in scored] for row in FINETUNED
    }
    rows = {row: summary_of(own) for row, own in over.items()}
    first = {row: summary_of([pieces[0][row] for pieces in scored]) for row in FINETUNED}
    return {
        "rows": rows,
        "verdict": verdict(rows),
        "verdict_on_first_pieces": verdict(first),
        "change_of_nll": change_of_nll(over["finetuned"]),
        "n_pieces": len(scored[0]),
    }


def show(fractions: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the summary of every row, and the verdicts."""
    console = Console(width=140)
    table = Table("MD seen", "row", *(name.replace("_", " ") for name in SUMMARY), "within 1.5x")
    for label, own in fractions.items():
        for row, title in FINETUNED.items():
            scores = own["rows"][row]
            cells = (estimate(scores[name], scores["errors"][name]) for name in SUMMARY)
            table.add_row(label, title, *cells, str(scores["n_within"]))
    console.print(table)
    for label, own in fractions.items():
        console.print(label, own["verdict"])


def run(panel: Panel, folder: Path) -> dict[str, Any]:
    """All pieces: what the simulator of the panel makes of more and more MD of new peptides."""
    data = prepare(panel, folder, UNSEEN)
    trained = train_panel(panel, data, folder)
    known = [known_part(own) for own in data.reference]
    check_long_enough(known, trained.simulator)
    rulers = [ruler_of(held_out_reference(data, index)) for index in range(len(data.reference))]
    zero_shot = roll_out_unseen(trained, data, panel).ensembles
    duration = LENGTH * panel.md(panel.unseen_duration, n_replicas=1).duration
    home = trained.folder.parent / f"finetune-{panel.unseen_duration:g}ns"
    fractions = {}
    for fraction in FRACTIONS:
        scored = []
        for ruler, first in zip(rulers, known, strict=True):
            Console().rule(f"{first.name}, {100 * fraction:g} % of its MD")
            own = home / f"{first.name}-{100 * fraction:g}"
            pieces = [
                Piece(part, duration, own / f"{place}")
                for place, part in enumerate(parts_of(first, fraction))
            ]
            scored.append([score_piece(piece, ruler, trained, data.train) for piece in pieces])
        fractions[f"{100 * fraction:g} %"] = summary_of_fraction(scored) | {
            "duration": fraction * known[0].n_frames * known[0].frame_interval,
        }
    unseen = summary_of([score_rolled(ruler, zero_shot) for ruler in rulers])
    return {"fractions": fractions, "zero_shot": unseen}


def main() -> None:
    """Make what is missing, print, write."""
    panel, folder = read_options(__doc__)
    start = time.perf_counter()
    metrics = run(panel, folder)
    headline = metrics["fractions"][f"{100 * HEADLINE:g} %"]["verdict"]
    path = write_result(
        "finetune",
        f"python -m benchmarks.peptides.finetune {panel.options}",
        {
            "units": UNITS,
            **metrics,
            "headline": headline,
            "lag_time": LAG_TIME,
            "finetuning": asdict(FINETUNING),
            "scratch": asdict(SCRATCH),
            "panel": asdict(panel),
        },
        wall_clock=time.perf_counter() - start,
        seed=0,
    )
    show(metrics["fractions"])
    print(f"written to {path}")


if __name__ == "__main__":
    main()
