#!/usr/bin/env bash
# A grid on the nodes of one Slurm job: sbatch experiments/clusters/slurm.sh experiments/grid.yaml
#
# Submit it in the checkout, which all nodes see, with `.venv` made as the README says and `.[ray]`. The store lies in
# the checkout too, so that nodes read and write it themselves; put it elsewhere with FER_AUDIT_STORE.
#SBATCH --job-name=fer-audit
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
# When the time is up, what is finished is kept, and submitting again goes on.
#SBATCH --time=04:00:00
set -euo pipefail

PATH=$PWD/.venv/bin:$PATH
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# Whoever reaches Ray's ports runs what he likes on these nodes; a token of this job alone keeps other users out.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_USAGE_STATS_ENABLED=0

# Starts Ray on every node, runs the command on the first, and stops Ray when it ends.
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
  ray symmetric-run --address "$head:${RAY_PORT:-6379}" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" -- \
  fer-audit run "$@" --engine ray
