"""The result of `compare`: scores with error bars, and their JSON form."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cgsim.evaluate.observables.table import metrics
from cgsim.evaluate.problems import Problem
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scoring import Scoring
from cgsim.evaluate.statistics.estimate import Estimate
from cgsim.evaluate.yardsticks import LEARNED, YARDSTICKS, row_label
from cgsim.io.display import Facts, comma_list, shown
from cgsim.units import UNITS

_FORMAT = "cgsim-comparison-1"
_VERDICT = ("headline", "red_lines", "notes")
_NOT_ROWS = {"format", "units", "metrics", "scoring", "seed", *_VERDICT}

HEADLINES = ("mape_rg", "js_rg", "median_relaxation_ratio")


@dataclass(frozen=True)
class MoleculeScore:
    """One molecule against its reference. Lengths in nm, times in ps.

    ``score["rg"]`` is the estimate of that name; which there are, the observables say
    (`cgsim.evaluate.observables.table`). `n_frames`, `duration` and `n_effective` (independent
    samples of Rg²) are of the scored ensemble, those with `_reference` of the reference. What could
    not be computed is NaN, and `problems` says why.
    """

    name: str
    n_beads: int
    n_frames: int
    duration: float
    duration_reference: float
    n_effective: float
    n_effective_reference: float
    scores: Mapping[str, Estimate]
    problems: tuple[Problem, ...] = ()

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.scores:
            raise KeyError(f"{self.name} has no score {name!r}, only {', '.join(self.scores)}")
        return self.scores[name]

    def __getattr__(self, name: str) -> Estimate:
        """Scores by name as attributes too: ``score.rg`` is ``score["rg"]``."""
        scores = self.__dict__.get("scores", {})  # not there yet while a copy is made
        if name not in scores:
            raise AttributeError(f"no score {name!r}, only {', '.join(scores)}")
        found: Estimate = scores[name]
        return found

    @property
    def resolved(self) -> bool:
        """Whether the relaxation times of both this ensemble and the reference are known."""
        return math.isfinite(self["relaxation_ratio"].value)


@dataclass(frozen=True)
class Score:
    """All molecules of one row of a comparison.

    `summary` has an entry for every metric of the observables that were scored: see
    `cgsim.evaluate.observables.table.metrics`.
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
    scoring, seed
        How it was made.
    yardsticks
        The other rows that were given, by their key in `YARDSTICKS`, and `HALVES`.
    headline
        What came out, in one sentence (see `cgsim.evaluate.scores.headline`).
    red_lines
        What the learned simulator must not do, and did.
    notes
        What must be known to read the scores, a sentence each.
    """

    learned: Score
    scoring: Scoring
    seed: int
    yardsticks: Mapping[str, Score] = field(default_factory=dict)
    headline: str = field(default="", kw_only=True)
    red_lines: tuple[Crossing, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def scores(self) -> dict[str, Score]:
        """All rows by key, "learned" first, then in the order of `YARDSTICKS`."""
        ordered = [key for key in YARDSTICKS if key in self.yardsticks]
        ordered += [key for key in self.yardsticks if key not in YARDSTICKS]
        return {LEARNED: self.learned} | {key: self.yardsticks[key] for key in ordered}

    @property
    def rows(self) -> dict[str, Score]:
        """All rows by human name."""
        return {row_label(key): score for key, score in self.scores.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists for `json.dumps`; NaN and absent rows become None."""
        known = set().union(*(score.summary for score in self.scores.values()))
        return {
            "format": _FORMAT,
            "units": UNITS,
            "metrics": {metric.name: metric.unit for metric in metrics() if metric.name in known},
            "scoring": {field.name: getattr(self.scoring, field.name) for field in fields(Scoring)},
            "seed": self.seed,
            **self._verdict(),
            **dict.fromkeys((LEARNED, *YARDSTICKS)),
            **{key: _row_to_dict(score) for key, score in self.scores.items()},
        }

    def _verdict(self) -> dict[str, Any]:
        """What was concluded; nothing of a comparison of an older version."""
        if not self.headline:
            return {}
        return {
            "headline": self.headline,
            "red_lines": [crossing.to_dict() for crossing in self.red_lines],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Comparison":
        """Inverse of `to_dict`.

        What is there is read: rows and scores that this version does not know are kept, those that
        it knows may be absent.

        Raises
        ------
        ValueError
            If this is not the dictionary of a comparison.
        """
        if data.get("format") != _FORMAT:
            raise ValueError(f"not a comparison: format is {data.get('format')!r}, not {_FORMAT!r}")
        try:
            rows = {
                key: _score_from_dict(row)
                for key, row in data.items()
                if key not in _NOT_ROWS and row is not None
            }
            if LEARNED not in rows:
                raise ValueError(f"the comparison has no row {LEARNED!r}")
            scoring, seed = Scoring(**data["scoring"]), int(data["seed"])
            crossings = tuple(Crossing(**own) for own in data.get("red_lines", ()))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the comparison is damaged: {error!r}") from error
        return cls(
            rows.pop(LEARNED),
            scoring,
            seed,
            yardsticks=rows,
            headline=str(data.get("headline", "")),
            red_lines=crossings,
            notes=tuple(data.get("notes", ())),
        )

    def _facts(self) -> Facts:
        rows = self.rows.items()
        return {
            "result": self.headline or None,
            "molecules": comma_list(own.name for own in self.learned.molecules),
            **{label: _headline(score) for label, score in rows},
        }

    __repr__, _repr_html_ = shown(_facts)


def _headline(score: Score) -> str:
    """A row in one line: the scores that are read first, where they are there."""
    known = ((metric, score.summary.get(metric.name)) for metric in metrics())
    return ", ".join(
        f"{metric.name} {own.value:.3g}{metric.unit and f' {metric.unit}'}"
        for metric, own in known
        if own is not None and metric.name in HEADLINES and math.isfinite(own.value)
    )


def _row_to_dict(score: Score) -> dict[str, Any]:
    return {
        "summary": {name: estimate_to_dict(own) for name, own in score.summary.items()},
        "molecules": [
            {key: _plain(getattr(row, key)) for key in _ABOUT}
            | {name: estimate_to_dict(own) for name, own in row.scores.items()}
            | ({_PROBLEMS: [own.to_dict() for own in row.problems]} if row.problems else {})
            for row in score.molecules
        ],
    }


def _score_from_dict(data: Mapping[str, Any]) -> Score:
    return Score(
        molecules=tuple(_molecule_from_dict(row) for row in data["molecules"]),
        summary={name: _estimate(own) for name, own in data["summary"].items()},
    )


# What a molecule has beside its scores, with the types in which it is read.
_PROBLEMS = "problems"
_ABOUT = {
    own.name: own.type for own in fields(MoleculeScore) if own.name not in ("scores", _PROBLEMS)
}


def _molecule_from_dict(row: Mapping[str, Any]) -> MoleculeScore:
    about: dict[str, Any] = {
        key: _number(row[key]) if kind is float else row[key] for key, kind in _ABOUT.items()
    }
    scores = {name: _estimate(own) for name, own in row.items() if name not in (*_ABOUT, _PROBLEMS)}
    problems = tuple(Problem(**own) for own in row.get(_PROBLEMS, ()))
    return MoleculeScore(**about, scores=scores, problems=problems)


def estimate_to_dict(estimate: Estimate) -> dict[str, float | None]:
    """For `json.dumps`: value and error, null where unknown, and bounds where there are any."""
    bounds = {"lower_bound": estimate.lower_bound, "upper_bound": estimate.upper_bound}
    return {
        "value": _plain(estimate.value),
        "error": _plain(estimate.error),
        **{name: _plain(bound) for name, bound in bounds.items() if bound is not None},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _estimate(data: Mapping[str, Any]) -> Estimate:
    bounds = {name: data[name] for name in ("lower_bound", "upper_bound") if name in data}
    return Estimate(_number(data["value"]), _number(data["error"]), **bounds)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
