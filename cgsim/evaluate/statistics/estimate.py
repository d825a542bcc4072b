"""A number with its standard error."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error; NaN where it could not be determined."""

    value: float
    error: float
