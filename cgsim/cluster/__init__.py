"""Many molecules and replicas on many machines: jobs for MD, roll-outs and scores, done by Dask."""

from cgsim.cluster.jobs import FailedJobsError, Job
from cgsim.cluster.workers import Cluster, run_jobs

__all__ = ["Cluster", "FailedJobsError", "Job", "run_jobs"]
