#!/usr/bin/env bash
# A Ray cluster for studies: starts it, runs a study on it, stops it.
#
#   launch/ray/cluster.sh up   --cluster=NAME FLAGS
#   launch/ray/cluster.sh run  --cluster=NAME FLAGS -- \
#     --config=configs/studies/domain.py:root=/share/data \
#     --workdir=/share/runs/domain
#   launch/ray/cluster.sh logs --cluster=NAME FLAGS
#   launch/ray/cluster.sh down --cluster=NAME FLAGS
#
#   --cluster=gpu       Google Cloud machines with one GPU each (gpu.yaml)
#   --cluster=tpu       Cloud TPU slices of one host each (tpu.yaml)
#     --project=ID --zone=ZONE   where
#     --share=ADDRESS:/PATH      an NFS folder for images and runs, such as
#                                Filestore's, which all machines then see as /share
#     --workers=4                so many of them at most; they come when needed
#   --cluster=machines  machines of your own (machines.yaml)
#     --head=HOST                the one that plans and draws
#     --hosts=HOST,HOST          those that run tasks; if on GPUs, one of the study's
#                                flags is what a task has: --config.ray.num_gpus=1
#     --user=NAME                who logs in
#     --venv=/PATH               the Python environment, in a folder that all see
#   --dry-run           print the commands and the cluster file, and do nothing
#
# It needs `pip install 'ray[default]'`, for Google Cloud also
# google-api-python-client and `gcloud auth application-default login`. `run`
# starts the study in a tmux session on the head and returns; it is restarted
# there as launch/restart.sh says. The cluster costs money until `down`.
set -euo pipefail

fail() { echo "cluster.sh: $*" >&2; exit 78; }

case ${1:-} in
  up | run | logs | down) action=$1; shift ;;
  --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) fail "up, run, logs or down, not '${1:-}'; see --help." ;;
esac
cluster='' project='' zone='' share='' workers=4 head='' hosts='' user='' venv=''
dry_run=0
while (($#)); do
  case $1 in
    --cluster=* | --project=* | --zone=* | --share=* | --workers=* | --head=* | \
      --hosts=* | --user=* | --venv=*)
      # They end up in commands and in a file: nothing that either could misread.
      [[ ${1#*=} =~ ^[A-Za-z0-9._,:/~-]+$ ]] || fail "cannot use $1."
      name=${1%%=*}
      printf -v "${name#--}" '%s' "${1#*=}" ;;
    --dry-run) dry_run=1 ;;
    --) shift; break ;;
    *) fail "unknown $1; see --help." ;;
  esac
  shift
done
case $cluster in
  gpu | tpu)
    needed=(project zone share)
    # shellcheck disable=SC2088  # The shell of the head is to expand it.
    python='~/venv/bin/python' root='~/jaxssl' ;;
  machines)
    needed=(head hosts user venv) python=$venv/bin/python
    root=$(cd "$(dirname "$0")/../.." && pwd) ;;
  *) fail "--cluster is gpu, tpu or machines, not '$cluster'." ;;
esac
for name in "${needed[@]}"; do
  [[ ${!name} ]] || fail "--$name is missing for --cluster=$cluster; see --help."
done
case $cluster in
  gpu) device='--config.ray.num_gpus=1' ;;
  tpu) device="--config.ray.resources={'TPU': 4}" ;;
  machines) device='' ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
filled=$(
  sed -e "s|\$PROJECT|$project|; s|\$ZONE|$zone|; s|\$REGION|${zone%-*}|" \
    -e "s|\$SHARE|$share|; s|\$WORKERS|$workers|; s|\$HEAD|$head|" \
    -e "s|\$HOSTS|${hosts//,/, }|; s|\$USER|$user|; s|\$VENV|$venv|" \
    -e "s|\$ROOT|${here%/launch/ray}|; s|\$TOKEN|$HOME/.ray/auth_token|" \
    "$here/$cluster.yaml")
file=runs/ray/$cluster.yaml

run() {
  printf '%q ' "$@" | sed 's/ $/\n/'
  ((dry_run)) || "$@"
}

((dry_run)) || { mkdir -p "$(dirname "$file")" && echo "$filled" > "$file"; }
case $action in
  up)
    echo 'ray get-auth-token --generate > /dev/null'
    # A secret: into its file alone.
    ((dry_run)) || ray get-auth-token --generate > /dev/null
    run ray up --yes --disable-usage-stats "$file" ;;
  run)
    workdir=''
    for flag; do
      [[ $flag != --workdir=?* ]] || workdir=${flag#*=}
    done
    [[ $workdir == /* ]] || fail '--workdir=/PATH is missing: on the shared folder.'
    study=(
      "$@" --config.engine=ray --config.ray.address=auto ${device:+"$device"})
    remote="cd $root && RAY_AUTH_MODE=token launch/restart.sh \
--workdir=$(printf %q "$(dirname "$workdir")/pretrained") -- \
$python -m jaxssl.main $(printf '%q ' "${study[@]}")>> ~/study.log 2>&1"
    run ray exec --tmux --disable-usage-stats "$file" "$remote" ;;
  logs) run ray exec --disable-usage-stats "$file" 'tail -n 100 -f ~/study.log' ;;
  down) run ray down --yes --disable-usage-stats "$file" ;;
esac
if ((dry_run)); then
  printf '# %s:\n# %s\n' "$file" "${filled//$'\n'/$'\n'# }"
fi
