"""Many molecules and replicas on many machines: jobs for MD, roll-outs and scores, done by Dask.

Names are imported on first use: `Cluster` is an option of commands that may never share anything.
"""

from typing import TYPE_CHECKING

from cgsim import on_first_use

if TYPE_CHECKING:
    from cgsim.cluster.jobs import FailedJobsError, Job
    from cgsim.cluster.portions import Cluster, RolloutCluster
    from cgsim.cluster.workers import run_jobs

_HOME = {
    "Cluster": "portions",
    "FailedJobsError": "jobs",
    "Job": "jobs",
    "RolloutCluster": "portions",
    "run_jobs": "workers",
}

__all__ = ["Cluster", "FailedJobsError", "Job", "RolloutCluster", "run_jobs"]

__getattr__, __dir__ = on_first_use(__name__, _HOME)
