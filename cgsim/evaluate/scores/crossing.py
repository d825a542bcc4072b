"""A red line that was crossed."""

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Crossing:
    """One replica that crossed a red line.

    Attributes
    ----------
    red_line
        Name of the row in `RED_LINES`.
    molecule, replica
        Which one.
    frame, time, step
        First occurrence: recorded frame from 0 and its time from the start, ps; the step if the
        roll-out noted one. None if not known.
    value, limit
        The worst of its values, and what was allowed; None where there is no number.
    share
        Of the frames of the replica.
    note
        More, in words.
    """

    red_line: str
    molecule: str
    replica: int
    frame: int | None = None
    time: float | None = None
    step: int | None = None
    value: float | None = None
    limit: float | None = None
    share: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; numbers that are not finite become None."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }
