#!/usr/bin/env bash
# Ray on one node of a Slurm step, and on the first one a command too: it runs there
# with RAY_ADDRESS set, and its exit code is the step's.
#
#   srun --ntasks-per-node=1 \
#     launch/ray/node.sh --head=HOST --port=PORT -- COMMAND...
#
# launch/slurm/job.sh --ray calls it. Whoever reaches Ray's ports could run code
# as this user, so it asks for a token, which lies in the user's home folder on
# all nodes (`ray get-auth-token --generate` makes it). The traffic is not
# encrypted.
set -euo pipefail

head='' port=''
while (($#)); do
  case $1 in
    --head=?*) head=${1#*=} ;;
    --port=?*) port=${1#*=} ;;
    --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) echo "node.sh: unknown $1; see --help." >&2; exit 78 ;;
  esac
  shift
done

# A signal to the whole step ends the command, and then the rest as always.
trap : TERM
export RAY_AUTH_MODE=token RAY_ADDRESS=$head:$port
start=(ray start --num-cpus="$SLURM_CPUS_ON_NODE" --disable-usage-stats --block)
if ((SLURM_PROCID == 0)); then
  "${start[@]}" --head --port="$port" --include-dashboard=False >&2 &
  ray=$!
fi
for _ in {1..100}; do
  if ray health-check --address="$RAY_ADDRESS" > /dev/null 2>&1; then
    break
  fi
  sleep 2
done
# In braces, so that it is read before it runs: the file may be changed meanwhile.
{
  code=0
  if ((SLURM_PROCID == 0)); then
    # One process, which is not to look for those of the other nodes.
    SLURM_NTASKS=1 "$@" || code=$?
    kill "$ray" 2> /dev/null || true
    wait "$ray" || true
  else
    # It ends when the first node does, with a code that says nothing.
    "${start[@]}" --address="$RAY_ADDRESS" >&2 || true
  fi
  exit "$code"
}
