"""A number with its standard error, or the bound that is all that is known of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error; NaN where it could not be determined.

    Parameters
    ----------
    value
        NaN if it is not known, or if only a bound is.
    error
        One standard error: value ± 2 errors holds the truth in 19 of 20 cases.
    lower_bound, upper_bound
        Of a value that was not resolved: in 19 of 20 cases the truth is not below, or above. None
        where there is none, and always if there is a value.
    """

    value: float
    error: float
    lower_bound: float | None = None
    upper_bound: float | None = None

    @property
    def is_bound(self) -> bool:
        """Whether a bound is all that is known."""
        return self.lower_bound is not None or self.upper_bound is not None


#: Nothing is known, not even a bound.
UNKNOWN = Estimate(float("nan"), float("nan"))
