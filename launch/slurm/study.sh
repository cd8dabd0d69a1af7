#!/usr/bin/env bash
# Submits what is left of a study: a job array for the tasks of stage 1, one for
# those of stage 2, which need several networks of stage 1, and a job that draws
# the page.
#
#   launch/slurm/study.sh [--at-once=N] [--dry-run] [flags of sbatch] -- \
#     --config=configs/studies/fusion.py:root=/data --workdir=runs/fusion
#
#   --at-once=N   so many tasks at the same time, at most
#   --dry-run     print what would be submitted, and submit nothing
#
# Run it from the root of the repository, with the Python environment activated:
# it asks the study for its plan first, which takes a minute of one core. Flags of
# sbatch, such as --partition=NAME or --time=8:00:00, win over those in
# launch/slurm/study.sbatch. The same command submits again whatever has failed.
set -euo pipefail

fail() { echo "study.sh: $*" >&2; exit 78; }

at_once='' dry_run=0 flags=()
while (($#)); do
  case $1 in
    --at-once=?*) at_once=%${1#*=} ;;
    --dry-run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    --*=* | --exclusive) flags+=("$1") ;;
    *) fail "unknown $1; flags are --name=value, see --help." ;;
  esac
  shift
done
[[ " $* " == *' --workdir='* && " $* " == *' --config='* ]] ||
  fail '--config=FILE and --workdir=DIR are missing after --; see --help.'
[[ -f launch/slurm/study.sbatch ]] || fail 'run it from the root of the repository.'

plan=$(JAX_PLATFORMS=cpu python -m jaxssl.main "$@" --config.plan=True)
echo "$plan" >&2

# '0,1,3': the numbers of the tasks of a stage that are not done.
left() {
  awk -v stage="$1" '
    $1 ~ /^[0-9]+$/ && $2 == stage && $4 != "done" {
      printf "%s%s", comma, $1
      comma = ","
    }' <<< "$plan"
}

# submit NAME FLAGS...: submits a job, and sets $job to its number.
submit() {
  local name=$1
  shift
  local command=(
    sbatch --parsable "$@" "${flags[@]}" launch/slurm/study.sbatch "${program[@]}")
  if ((dry_run)); then
    echo "$name=\$($(printf '%q ' "${command[@]}" | sed 's/\\\$/$/g; s/ $//'))"
    job=\$$name
  else
    job=$("${command[@]}")
    echo "study.sh: $name is job $job" >&2
  fi
}

program=("$@") after=()
for stage in 1 2; do
  numbers=$(left "$stage")
  if [[ $numbers ]]; then
    submit "stage_$stage" --array="$numbers$at_once" "${after[@]}"
    after=(--dependency="afterany:$job")
  fi
done
submit page "${after[@]}"
