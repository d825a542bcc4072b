#!/usr/bin/env bash
# Train on two nodes of four GPUs each, one process per GPU (Lightning DDP):
#
#     sbatch examples/slurm_train.sh mapped model
#
# The batch size is of one process: eight of them see eight times as many windows per step. After the
# time limit or a failure, submit it again: it goes on from the last epoch. What follows the two
# folders are options of `cgsim train`, such as --training.n_steps 40000.
#SBATCH --job-name=cgsim-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

data=${1:?folder of mapped trajectories}
output=${2:?training directory}
shift 2

srun cgsim train "$data" --output "$output" \
    --hardware.accelerator cuda \
    --hardware.n_devices "$SLURM_NTASKS_PER_NODE" \
    --hardware.n_nodes "$SLURM_NNODES" \
    "$@"
