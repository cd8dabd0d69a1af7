#!/usr/bin/env bash
# What the sbatch files have in common: one step of the job runs the program on all
# tasks; when it should be run again, the job goes back to the queue.
#
#   launch/slurm/job.sh [--progress=DIR] [--ray] [--dry-run] -- FLAGS OF jaxssl.main
#
#   --progress=DIR   where the program's progress is read; its --workdir by default
#   --ray            start Ray on all nodes of the job, and the program on the first
#   --dry-run        print what would be done, and do nothing
#
# A signal before the time limit goes to the tasks (#SBATCH --signal), which save
# and end with 42. This script and restart.sh then decide, as for any other exit
# code.
set -euo pipefail

fail() { echo "job.sh: $*" >&2; exit 78; }

progress='' ray=0 dry_run=0
while (($#)); do
  case $1 in
    --progress=?*) progress=${1#*=} ;;
    --ray) ray=1 ;;
    --dry-run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail "unknown $1; see --help." ;;
  esac
  shift
done
workdir=''
for flag; do
  [[ $flag != --workdir=?* ]] || workdir=${flag#*=}
done
[[ $workdir ]] || fail '--workdir=DIR is missing: a folder that all nodes see.'
[[ -x launch/restart.sh ]] || fail 'submit it from the root of the repository.'

# Tasks that have saved end at different moments: none may end the others. All see
# all GPUs of their node: jax takes the one with the number of the task there.
command=(srun --kill-on-bad-exit=0 --wait=600 --gpu-bind=none)
if ((ray)); then
  head=HOST
  if ((!dry_run)); then
    RAY_AUTH_MODE=token ray get-auth-token --generate > /dev/null
    head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
  fi
  port=$((20000 + ${SLURM_JOB_ID:-0} % 10000))
  command+=(launch/ray/node.sh --head="$head" --port="$port" --)
fi
command+=(python -m jaxssl.main "$@")
restarts=${workdir%/}.restarts${SLURM_ARRAY_TASK_ID:+-$SLURM_ARRAY_TASK_ID}
guarded=(
  launch/restart.sh --workdir="${progress:-$workdir}" --once="$restarts" --
  "${command[@]}")
requeue=(scontrol requeue "${SLURM_JOB_ID:-JOB_ID}")
if ((dry_run)); then
  printf '%q ' "${guarded[@]}"; echo
  printf '%q ' "${requeue[@]}"; echo '# if that has ended with 42'
  exit 0
fi

# In braces, so that all of it is read before the job runs, for hours or days:
# whoever updates the repository meanwhile may change this file.
{
  mkdir -p "$(dirname "$restarts")"
  code=0
  "${guarded[@]}" || code=$?
  # A job that was cancelled is not RUNNING any more, and stays so.
  if ((code == 42)) &&
    [[ $(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T) == RUNNING ]]; then
    echo "job.sh: job $SLURM_JOB_ID goes back to the queue." >&2
    "${requeue[@]}"
  fi
  exit "$code"
}
