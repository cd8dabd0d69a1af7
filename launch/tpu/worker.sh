#!/usr/bin/env bash
# What happens on each worker of a TPU. tpu.sh calls it over ssh, in a home folder
# that has the checkout as ./jaxssl.
#
#   launch/tpu/worker.sh setup --bucket=B [--data=gs://B/DIR --data-from=copy|mount]
#       packages in ~/venv, the bucket as MOUNT/bucket, images as MOUNT/data
#   launch/tpu/worker.sh start --workdir=DIR -- --config=FILE [overrides]
#       starts the job, unless it is running; it outlives this call, logs to
#       ~/jaxssl.log, and is restarted by launch/restart.sh
#   launch/tpu/worker.sh status    running, ended CODE, or none
#   launch/tpu/worker.sh stop      lets it save and waits for its end
#
#   --mount=/mnt      MOUNT
#   --python=3.12     fetched by uv, since the images may have an older one
#   --gcsfuse=3.11.1  fetched from its releases, where there is none
#   --dry-run         prints every command and runs none
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
releases=https://github.com/GoogleCloudPlatform/gcsfuse/releases/download

say() { echo "worker.sh on $(hostname): $*" >&2; }
fail() { say "$*"; exit 78; }

print() { printf '%q ' "$@"; echo; } # As it could be pasted.
do_it() { if ((dry_run)); then print "$@"; else "$@"; fi; }

# A machine that has just started may be updating itself.
apt() { do_it sudo apt-get -q -o DPkg::Lock::Timeout=600 "$@"; }

packages() {
  apt update
  apt install -y fuse python3-venv
  do_it python3 -m venv ~/uv
  do_it ~/uv/bin/python -m pip install -q uv
  do_it ~/uv/bin/uv venv --allow-existing --python "$python" ~/venv
  do_it ~/uv/bin/uv pip install -q --python ~/venv/bin/python -e "${root}[tpu]"
}

get_gcsfuse() {
  local package=gcsfuse_${gcsfuse}_amd64.deb
  if command -v gcsfuse > /dev/null; then return; fi
  do_it curl --fail --location --silent --show-error --proto '=https' \
    --output ~/"$package" "$releases/v$gcsfuse/$package"
  apt install -y ~/"$package"
}

folder() {
  do_it sudo mkdir -p "$1"
  do_it sudo chown "$(id -u):$(id -g)" "$1"
}

mount_bucket() { # FOLDER BUCKET OPTIONS...
  local at=$1 what=$2
  shift 2
  if mountpoint -q "$at"; then return; fi
  folder "$at"
  do_it gcsfuse --implicit-dirs "$@" "$what" "$at"
}

setup() {
  local of
  [[ $bucket ]] || fail '--bucket is missing.'
  packages
  get_gcsfuse
  # Hosts look for each other's files, so no one may remember what was there before.
  # The limit lets a checkpoint's folder be renamed where folders are only prefixes.
  mount_bucket "$mount/bucket" "$bucket" --metadata-cache-ttl-secs=0 \
    --metadata-cache-negative-ttl-secs=0 --rename-dir-limit=100000
  if [[ $data && $data_from == mount ]]; then
    of=${data#gs://}
    # Images do not change: what is known of them stays known.
    mount_bucket "$mount/data" "${of%%/*}" -o ro --metadata-cache-ttl-secs=-1 \
      --only-dir="${of#*/}"
  elif [[ $data ]]; then
    folder "$mount/data"
    do_it gcloud storage rsync "$data" "$mount/data" --recursive
  fi
}

# The lock is held by the job and by all that it starts, so it is free when they are
# gone, whatever ended them.
start() {
  [[ $workdir ]] || fail '--workdir is missing.'
  (($#)) || fail 'the job is missing: -- --config=FILE [overrides].'
  local job=("$root/launch/restart.sh" "--workdir=$workdir" --
    ~/venv/bin/python -m jaxssl.main "$@" "--workdir=$workdir")
  if ((dry_run)); then
    do_it "${job[@]}"
    return
  fi
  exec 9>> ~/jaxssl.lock
  if ! flock --nonblock 9; then
    say 'running already.'
    return
  fi
  rm -f ~/jaxssl.exit
  # shellcheck disable=SC2016  # The inner shell expands them.
  setsid nohup bash -c '
    "$@" & echo "$!" > ~/jaxssl.pid
    code=0
    wait "$!" || code=$?
    echo "$code" > ~/jaxssl.exit' start "${job[@]}" \
    < /dev/null >> ~/jaxssl.log 2>&1 &
  say "started; see ~/jaxssl.log."
}

status() {
  exec 9>> ~/jaxssl.lock
  if ! flock --nonblock 9; then
    echo running
  elif [[ -f ~/jaxssl.exit ]]; then
    echo "ended $(< ~/jaxssl.exit)"
  else
    echo none
  fi
}

stop() {
  if [[ $(status) != running ]]; then
    say 'nothing is running.'
    return
  fi
  do_it kill -TERM "$(< ~/jaxssl.pid)"
  if ((dry_run)); then return; fi
  exec 9>> ~/jaxssl.lock
  flock --wait 300 9 || fail 'still running after five minutes.'
  exec 9>&-
  say "$(status)."
}

verb=${1:---help}
case $verb in
  setup | start | status | stop) shift ;;
  --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) fail "unknown verb $verb; see --help." ;;
esac

bucket='' data='' data_from=copy mount=/mnt python=3.12 gcsfuse=3.11.1 workdir=''
dry_run=0
while (($#)); do
  case $1 in
    --bucket=*) bucket=${1#*=} ;;
    --data=*) data=${1#*=} ;;
    --data-from=*) data_from=${1#*=} ;;
    --mount=*) mount=${1#*=} ;;
    --python=*) python=${1#*=} ;;
    --gcsfuse=*) gcsfuse=${1#*=} ;;
    --workdir=*) workdir=${1#*=} ;;
    --dry-run) dry_run=1 ;;
    --) shift; break ;;
    *) fail "unknown $1; see --help." ;;
  esac
  shift
done
"$verb" "$@"
