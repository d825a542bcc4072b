"""The scores: their names, units and definitions. Tables and reports are made from this list."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One score.

    Parameters
    ----------
    name
        Key in `Score.summary` and in the JSON.
    label
        Human name.
    unit
        Empty if the score is a pure number.
    kind
        What is ideal: "error" 0, "correlation" 1, "ratio" 1.
    definition
        One sentence for the report.
    """

    name: str
    label: str
    unit: str
    kind: Literal["error", "correlation", "ratio"]
    definition: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "r2_rg",
        "r² of mean Rg",
        "",
        "correlation",
        "Squared Pearson correlation, over molecules, of the mean radius of gyration.",
    ),
    Metric(
        "mape_rg",
        "relative error of mean Rg",
        "%",
        "error",
        "Mean over molecules of |mean Rg − reference mean Rg| / reference mean Rg.",
    ),
    Metric(
        "mae_rg",
        "absolute error of mean Rg",
        "nm",
        "error",
        "Mean over molecules of |mean Rg − reference mean Rg|. Rg is mass-weighted.",
    ),
    Metric(
        "emd_rg",
        "earth mover's distance of Rg",
        "nm",
        "error",
        "Wasserstein-1 distance of the two distributions of Rg; mean over molecules.",
    ),
    Metric(
        "js_rg",
        "JS distance of Rg",
        "",
        "error",
        "Jensen–Shannon distance (square root of the base-2 divergence; 0 equal, 1 disjoint) of "
        "the distributions of Rg in {n_bins} equal bins over their union range; mean over "
        "molecules.",
    ),
    Metric(
        "r2_relaxation",
        "r² of relaxation times",
        "",
        "correlation",
        "Squared Pearson correlation, over molecules, of the relaxation time: the time at which "
        "the normalised autocorrelation of Rg² falls to 1/e (linear interpolation, replicas "
        "pooled with a common mean). A time that is not reached within half of the trajectory is "
        "unresolved and left out.",
    ),
    Metric(
        "r2_log_relaxation",
        "r² of log relaxation times",
        "",
        "correlation",
        "The same of the logarithms of the relaxation times.",
    ),
    Metric(
        "median_relaxation_ratio",
        "relaxation time / reference",
        "",
        "ratio",
        "Median over molecules of the relaxation time divided by that of the reference.",
    ),
    Metric(
        "median_integrated_ratio",
        "integrated time / reference",
        "",
        "ratio",
        "The same of the integrated autocorrelation time of Rg² (Sokal's self-consistent window, "
        "five times the time itself).",
    ),
    Metric(
        "js_bond",
        "JS distance of bond lengths",
        "",
        "error",
        "Jensen–Shannon distance of the lengths of all bonds of a molecule, in {n_bins} bins as "
        "above; mean over molecules.",
    ),
    Metric(
        "js_pair",
        "JS distance of pair distances",
        "",
        "error",
        "Jensen–Shannon distance of the distances of all pairs of beads that share no bond, in "
        "{n_bins} bins as above; mean over molecules.",
    ),
    Metric(
        "rmse_contact",
        "error of the contact map",
        "",
        "error",
        "Root mean square difference of contact probabilities over the pairs of beads that share "
        "no bond. Contact: within {contact_cutoff}; mean over molecules.",
    ),
    Metric(
        "collisions_per_million",
        "collisions per million frames",
        "",
        "error",
        "Pairs of beads within {collision_cutoff:g} nm, counted in every frame, per million "
        "frames; mean over molecules.",
    ),
    Metric(
        "drift_rg",
        "drift of Rg",
        "nm",
        "error",
        "|Mean Rg of the last tenth − mean Rg of the first tenth| of the trajectory; mean over "
        "molecules. Not zero even without drift: compare with the second MD run.",
    ),
    Metric(
        "n_unresolved",
        "unresolved relaxation times",
        "",
        "error",
        "Molecules for which the relaxation time of this row or of the reference is unresolved.",
    ),
)
