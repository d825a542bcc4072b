"""The result of `compare`: scores with error bars, and their JSON form."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cgsim.evaluate.observables.structure import COLLISION_CUTOFF
from cgsim.evaluate.scores.metrics import METRICS
from cgsim.evaluate.statistics.distributions import N_BINS
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.io.display import Facts, comma_list, shown
from cgsim.units import UNITS

_FORMAT = "cgsim-comparison-1"

HEADLINES = ("mape_rg", "js_rg", "median_relaxation_ratio")

#: Rows of a comparison and their human names; all but the first may be absent.
ROWS = {
    "learned": "learned",
    "floor": "second MD run",
    "md_equal_time": "MD, equal wall-clock",
    "md_10x_shorter": "MD, 10x shorter",
}


@dataclass(frozen=True)
class Scoring:
    """How ensembles are scored.

    Parameters
    ----------
    n_bins
        Equal bins of every histogram, over the union range of the two samples.
    n_bootstrap
        Bootstrap replicates behind the error bars.
    collision_cutoff
        Two beads nearer than this collide, nm.
    contact_cutoff
        Two beads within this are in contact, nm; None: 1.5 times the mean bond length of the
        reference.
    """

    n_bins: int = N_BINS
    n_bootstrap: int = 300
    collision_cutoff: float = COLLISION_CUTOFF
    contact_cutoff: float | None = None

    def __post_init__(self) -> None:
        if self.n_bins < 2 or self.n_bootstrap < 2:
            raise ValueError(
                f"n_bins and n_bootstrap must be at least 2, got {self.n_bins}, {self.n_bootstrap}"
            )


@dataclass(frozen=True)
class MoleculeScore:
    """One molecule against its reference. Lengths in nm, times in ps.

    `n_frames`, `duration` and `n_effective` (independent samples of Rg²) are of the scored
    ensemble, those with `_reference` of the reference.
    """

    name: str
    n_beads: int
    n_frames: int
    duration: float
    duration_reference: float
    n_effective: float
    n_effective_reference: float
    rg: Estimate
    rg_reference: Estimate
    mae_rg: Estimate
    mape_rg: Estimate
    emd_rg: Estimate
    js_rg: Estimate
    relaxation: Estimate
    relaxation_reference: Estimate
    relaxation_ratio: Estimate
    integrated: Estimate
    integrated_reference: Estimate
    integrated_ratio: Estimate
    js_bond: Estimate
    js_pair: Estimate
    rmse_contact: Estimate
    collisions_per_million: Estimate
    drift_rg: Estimate

    @property
    def resolved(self) -> bool:
        """Whether the relaxation times of both this ensemble and the reference are known."""
        return math.isfinite(self.relaxation_ratio.value)


@dataclass(frozen=True)
class Score:
    """All molecules of one row of a comparison: see `ROWS`.

    `summary` has one entry per `metrics.METRICS`.
    """

    molecules: tuple[MoleculeScore, ...]
    summary: Mapping[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """The learned simulator against reference MD, beside the rows that put it in proportion.

    Parameters
    ----------
    learned
        The learned simulator.
    floor
        An independent second MD run scored in the same way: how well one can do.
    md_equal_time
        MD of the same wall-clock as the roll-out: what the learned simulator must beat.
    md_10x_shorter
        MD of a tenth of the reference: a yardstick that no machine enters into.
    """

    learned: Score
    floor: Score | None
    md_equal_time: Score | None
    scoring: Scoring
    seed: int
    md_10x_shorter: Score | None = None

    @property
    def rows(self) -> dict[str, Score]:
        """The rows that are there, by human name."""
        return {
            label: score for key, label in ROWS.items() if (score := getattr(self, key)) is not None
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists for `json.dumps`; NaN becomes None."""
        return {
            "format": _FORMAT,
            "units": UNITS,
            "metrics": {metric.name: metric.unit for metric in METRICS},
            "scoring": {field.name: getattr(self.scoring, field.name) for field in fields(Scoring)},
            "seed": self.seed,
            **{key: _row_to_dict(getattr(self, key)) for key in ROWS},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Comparison":
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            If this is not the dictionary of a comparison of this version.
        """
        if data.get("format") != _FORMAT:
            raise ValueError(f"not a comparison: format is {data.get('format')!r}, not {_FORMAT!r}")
        try:
            rows = {key: _score_from_dict(data[key]) for key in ROWS if data.get(key) is not None}
            if "learned" not in rows:
                raise ValueError("the comparison has no row 'learned'")
            scoring, seed = Scoring(**data["scoring"]), int(data["seed"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the comparison is damaged: {error!r}") from error
        return cls(
            **{key: rows.get(key) for key in ROWS},  # type: ignore[arg-type]
            scoring=scoring,
            seed=seed,
        )

    def _facts(self) -> Facts:
        rows = self.rows.items()
        return {
            "molecules": comma_list(own.name for own in self.learned.molecules),
            **{label: _headline(score) for label, score in rows},
        }

    __repr__, _repr_html_ = shown(_facts)


def _headline(score: Score) -> str:
    """A row in one line: the scores that are read first, where they are there."""
    known = ((metric, score.summary.get(metric.name)) for metric in METRICS)
    return ", ".join(
        f"{metric.name} {own.value:.3g}{metric.unit and f' {metric.unit}'}"
        for metric, own in known
        if own is not None and metric.name in HEADLINES and math.isfinite(own.value)
    )


def _row_to_dict(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "summary": {name: _plain(estimate) for name, estimate in score.summary.items()},
        "molecules": [
            {field.name: _plain(getattr(row, field.name)) for field in fields(MoleculeScore)}
            for row in score.molecules
        ],
    }


def _score_from_dict(data: Mapping[str, Any]) -> Score:
    return Score(
        molecules=tuple(_molecule_from_dict(row) for row in data["molecules"]),
        summary={metric.name: _estimate(data["summary"][metric.name]) for metric in METRICS},
    )


def _molecule_from_dict(row: Mapping[str, Any]) -> MoleculeScore:
    values: dict[str, Any] = {}
    for field in fields(MoleculeScore):
        value = row[field.name]
        if field.type is Estimate:
            value = _estimate(value)
        elif field.type is float:
            value = _number(value)
        values[field.name] = value
    return MoleculeScore(**values)


def _plain(value: object) -> object:
    if isinstance(value, Estimate):
        return {"value": _plain(value.value), "error": _plain(value.error)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _estimate(data: Mapping[str, Any]) -> Estimate:
    return Estimate(_number(data["value"]), _number(data["error"]))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
