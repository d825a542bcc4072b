"""What came out, in one sentence: a red line if one is crossed, else shapes and pace."""

import math
from dataclasses import replace

import numpy as np

from cgsim.evaluate.observables.observable import Metric
from cgsim.evaluate.scores.comparison import Comparison
from cgsim.evaluate.scores.crossing import Crossing
from cgsim.evaluate.scores.red_lines import RED_LINES
from cgsim.evaluate.scores.verdict import Grade, floor_of, judge
from cgsim.evaluate.species import BETWEEN
from cgsim.evaluate.statistics.estimate import Estimate

_PACE = "median_relaxation_ratio"
#: Metrics of where the molecule is, not of how fast it moves there.
_SHAPES = ("mape_rg", "js_rg", "js_bond", "js_pair", "rmse_contact")
_ERRORS = 2.0  # standard errors beyond which a pace differs
_SIZE_ERRORS = 2.5  # and a size, which is only one of several things that may be off
_WIDEST_SIZE = 0.1  # standard error of the log of a size that is called right
_FEWEST_FRAMES = 20  # of a molecule, to speak of its shapes
_WIDEST = 0.35  # standard error of the log of a pace that is called right


def concluded(comparison: Comparison) -> Comparison:
    """The comparison with its headline."""
    return replace(comparison, headline=headline(comparison))


def headline(comparison: Comparison) -> str:
    """One sentence: red lines win over all other words."""
    if comparison.red_lines:
        return _warning(comparison)
    text = f"{_shapes(comparison)}, {_pace(comparison)}."
    return text[:1].upper() + text[1:]


def _warning(comparison: Comparison) -> str:
    """The first red line of the table, where it was crossed first, and how often in all."""
    order = list(RED_LINES)
    crossings = sorted(comparison.red_lines, key=lambda own: order.index(own.red_line))
    first = min((own for own in crossings if own.red_line == crossings[0].red_line), key=_when)
    n_molecules = len(comparison.learned.molecules)
    what = RED_LINES[first.red_line].says if first.red_line in RED_LINES else first.red_line
    system, _, part = first.molecule.rpartition(": ")
    who = "The molecule" if n_molecules == 1 else f"The molecule {first.molecule}"
    who = f"The system {system}" if part == BETWEEN else who
    others = len({(own.molecule, own.replica) for own in crossings}) - 1
    more = f" ({others} more {'replicas' if others > 1 else 'replica'} too)" if others else ""
    return f"{who} {what} {_moment(first)}{more}: do not use this simulator."


def _when(crossing: Crossing) -> float:
    if crossing.time is not None:
        return crossing.time
    return math.inf if crossing.step is None else float(crossing.step)


def _moment(crossing: Crossing) -> str:
    if crossing.step is not None:
        return f"at step {crossing.step:,}"
    if crossing.red_line == "still" or crossing.frame is None or crossing.time is None:
        return "from the start"
    if crossing.frame == 0:
        return "in the first frame"
    noun = "frame" if crossing.frame == 1 else "frames"
    return f"after {crossing.frame:,} {noun} ({crossing.time:,.4g} ps)"


def _shapes(comparison: Comparison) -> str:
    """How far shapes are off, beside the floor where there is one."""
    if all(row.n_beads == 1 for row in comparison.learned.molecules):
        return "a single bead has no shape"
    short = _too_short(comparison)
    if short:
        return short
    names = _SHAPES[:1] if _is_shorter_than_floor(comparison) else _SHAPES
    verdicts = [own for own in judge(comparison) if own.metric.name in names]
    by_grade = {grade: [own.metric for own in verdicts if own.grade is grade] for grade in Grade}
    worse = by_grade[Grade.POOR] + by_grade[Grade.FAIR]
    size = _size(comparison)
    if worse:
        far = "far from MD" if by_grade[Grade.POOR] else "not quite those of MD"
        worst = f" (worst: {_worst(comparison, worse).label})"
        return f"shapes {far}{worst}{f', {size}' if size else ''}"
    if size:
        return f"shapes off: {size}"
    if by_grade[Grade.GOOD]:
        return "shapes within error"
    _, error = _log_size(comparison)
    if floor_of(comparison) is None and 0 < error <= _WIDEST_SIZE:
        return "sizes within error (without a second MD run nothing else is judged)"
    if any(math.isfinite(own.value) for own in _known(comparison)):
        return "shapes cannot be told from those of MD with so few data"
    return "shapes could not be compared"


def _too_short(comparison: Comparison) -> str:
    """What must be said of ensembles too short for any shape; or nothing."""
    for row in comparison.learned.molecules:
        interval = row.duration / row.n_frames
        if row.n_frames < _FEWEST_FRAMES:
            return f"the roll-out is too short to judge its shapes ({row.n_frames} frames)"
        if row.duration_reference < _FEWEST_FRAMES * interval / 2:
            return f"the reference is too short to judge by ({row.duration_reference:g} ps)"
    return ""


def _is_shorter_than_floor(comparison: Comparison) -> bool:
    """Whether the floor has over twice as many independent samples: few samples look far away."""
    floor = floor_of(comparison)
    if floor is None:
        return False
    own, other = (
        np.array([row.n_effective for row in score.molecules])
        for score in (comparison.learned, comparison.scores[floor])
    )
    known = np.isfinite(own) & np.isfinite(other)
    return bool(known.any() and np.median(own[known]) < np.median(other[known]) / 2)


def _known(comparison: Comparison) -> list[Estimate]:
    summary = comparison.learned.summary
    return [summary[name] for name in _SHAPES if name in summary]


def _worst(comparison: Comparison, metrics: list[Metric]) -> Metric:
    """That which is furthest from the floor, relative to it."""
    floor = floor_of(comparison)
    if floor is None:
        return metrics[0]
    learned, known = comparison.learned.summary, comparison.scores[floor].summary

    def ratio(metric: Metric) -> float:
        return learned[metric.name].value / max(known[metric.name].value, 1e-12)

    return max(metrics, key=ratio)


def _size(comparison: Comparison) -> str:
    """Whether molecules are too large or too small by more than their errors; or nothing."""
    mean, error = _log_size(comparison)
    if not error > 0 or abs(mean) <= _SIZE_ERRORS * error or abs(mean) < 0.01:
        return ""
    word = "large" if mean > 0 else "small"
    percent = 100 * abs(math.expm1(mean))
    return f"sizes {percent:.0f} ± {100 * error * math.exp(mean):.0f} % too {word}"


def _log_size(comparison: Comparison) -> tuple[float, float]:
    """Log of the size relative to MD, mean over molecules, and its standard error; else NaN."""
    logs, errors = [], []
    for row in comparison.learned.molecules:
        own, expected = (row.scores.get(name) for name in ("rg", "rg_reference"))
        if own is None or expected is None or not (own.value > 0 and expected.value > 0):
            continue
        logs.append(math.log(own.value / expected.value))
        both = (own.error / own.value, expected.error / expected.value)
        errors.append(math.hypot(*(error if math.isfinite(error) else 0.0 for error in both)))
    if not logs:
        return math.nan, math.nan
    mean, error = float(np.mean(logs)), math.hypot(*errors) / len(logs)
    if len(logs) > 2:  # molecules differ from each other by more than each is known
        error = max(error, float(np.std(logs, ddof=1)) / math.sqrt(len(logs)))
    return mean, error


def _pace(comparison: Comparison) -> str:
    """How fast it moves, from relaxation times relative to MD."""
    ratio = comparison.learned.summary.get(_PACE)
    if ratio is None or not (math.isfinite(ratio.value) and ratio.value > 0):
        return "its pace is not known (relaxation times are not resolved)"
    interval = _coarse_interval(comparison)
    if interval is not None:
        return f"its pace cannot be told from frames {interval:g} ps apart"
    error = ratio.error / ratio.value
    factor = max(ratio.value, 1 / ratio.value)
    word = "slowly" if ratio.value > 1 else "fast"
    if not math.isfinite(error):
        if factor < 1.05:
            return "moves about as fast as MD (no error bar)"
        return f"moves about {factor:.2g} times too {word} (no error bar)"
    if abs(math.log(ratio.value)) > _ERRORS * error:
        return f"moves {_rounded(factor, factor * error)} times too {word}"
    if error > _WIDEST:
        return f"its pace is known only within a factor of {math.exp(_ERRORS * error):.1f}"
    speed = 1 / ratio.value
    return f"moves at the pace of MD within error ({_rounded(speed, speed * error)} times as fast)"


def _coarse_interval(comparison: Comparison) -> float | None:
    """Time between frames, if most molecules of the reference relax faster than that, ps."""
    known = [
        (row["relaxation_reference"].value, row.duration / row.n_frames)
        for row in comparison.learned.molecules
        if "relaxation_reference" in row.scores
    ]
    coarse = [interval for time, interval in known if time < interval]
    return coarse[0] if 2 * len(coarse) > len(known) else None


def _rounded(value: float, error: float) -> str:
    n_decimals = max(0, min(3, 1 - math.floor(math.log10(max(error, 1e-3)))))
    return f"{value:.{n_decimals}f} ± {error:.{n_decimals}f}"
