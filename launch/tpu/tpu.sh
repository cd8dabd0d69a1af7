#!/usr/bin/env bash
# A Cloud TPU from nothing to a training run: made, set up, started, followed,
# resumed after a preemption, deleted.
#
#   launch/tpu/tpu.sh create  --name=N --zone=Z --type=T --bucket=B [flags]
#   launch/tpu/tpu.sh install --name=N      code, packages, bucket, data: everywhere
#   launch/tpu/tpu.sh run     --name=N [--workdir=DIR] -- --config=FILE [overrides]
#   launch/tpu/tpu.sh logs    --name=N [--worker=0]   until Ctrl-C
#   launch/tpu/tpu.sh status  --name=N
#   launch/tpu/tpu.sh stop    --name=N      the run saves and ends; the TPU stays
#   launch/tpu/tpu.sh resume  --name=N [--watch]     after a preemption, as before
#   launch/tpu/tpu.sh delete  --name=N      the TPU; the bucket stays
#
# What `create` and `run` were told is remembered in ~/.config/jaxssl/tpu.
#
#   --project=P        by default that of gcloud's own configuration
#   --zone=Z           such as us-central2-b
#   --type=T           v4-8, v5litepod-64, v5p-8, v6e-16, ...
#   --version=V        TPU software; by default the one that goes with the type
#   --spot             cheaper, and may be taken away at any time
#   --valid-until=D    stop waiting for a free TPU after this long, such as 12h
#   --gcloud=FLAG      one more flag for `gcloud compute tpus queued-resources
#                      create`, such as --gcloud=--reserved; may be repeated
#   --bucket=B         holds the runs; workers see it as MOUNT/bucket
#   --data=gs://B/DIR  the images; workers see them as MOUNT/data, and the run gets
#                      --config.data.root=MOUNT/data
#   --data-from=copy   copies them to each worker's disk; `mount` reads them from
#                      the bucket (then add --config.data.window=N to the run)
#   --mount=/mnt       MOUNT, a folder on the workers
#   --workdir=DIR      in the bucket; by default runs/<name of the config>
#   --worker=0         whose log is shown
#   --watch            resume again and again, until the run has ended
#   --poll=30          seconds between two looks at the state
#   --dry-run          print every command and run none
set -euo pipefail

self=${BASH_SOURCE[0]}
root=$(cd "$(dirname "$self")/../.." && pwd)
memory=${XDG_CONFIG_HOME:-$HOME/.config}/jaxssl/tpu

say() { echo "tpu.sh: $*" >&2; }
fail() { say "$*"; exit 78; }
print() { printf '%q ' "$@"; echo; } # As it could be pasted.
do_it() { if ((dry_run)); then print "$@"; else "$@"; fi; }

queued() { # VERB FLAGS...
  local verb=$1
  shift
  do_it gcloud compute tpus queued-resources "$verb" "$name" "${place[@]}" "$@"
}

on_workers() { # WHICH COMMAND
  do_it gcloud compute tpus tpu-vm ssh "$name" "${place[@]}" "--worker=$1" \
    "--command=$2"
}

# The state of the queued resource; NONE where there is none.
state() {
  local answer
  if ((dry_run)); then
    echo NONE
  elif answer=$(queued describe '--format=value(state.state)' 2>&1); then
    echo "${answer##*$'\n'}"
  elif [[ $answer == *NOT_FOUND* || $answer == *'not found'* ]]; then
    echo NONE
  else
    fail "gcloud cannot say how $name is: ${answer//$'\n'/ }"
  fi
}

# Waits until the TPU is there; where none is free that can be hours.
await_tpu() {
  local now='' seen=''
  if ((dry_run)); then
    queued describe '--format=value(state.state)'
    return
  fi
  while [[ $now != ACTIVE ]]; do
    now=$(state)
    [[ $now == "$seen" ]] || say "$name is $now."
    seen=$now
    case $now in
      ACTIVE) ;;
      NONE) fail "there is no $name: create it." ;;
      FAILED | SUSPENDED) fail "$name is $now: resume makes it anew." ;;
      *) sleep "$poll" ;;
    esac
  done
}

ask_for_tpu() {
  local flags=(
    "--node-id=$name" "--accelerator-type=$type" "--runtime-version=$version"
    # Workers reach the bucket as the project's service account.
    --scopes=https://www.googleapis.com/auth/cloud-platform)
  ((!spot)) || flags+=(--spot)
  [[ ! $valid_until ]] || flags+=("--valid-until-duration=$valid_until")
  queued create "${flags[@]}" ${gcloud_flags[@]+"${gcloud_flags[@]}"}
}

create() {
  local now
  now=$(state)
  case $now in
    NONE) ask_for_tpu ;;
    *) say "$name is there already." ;;
  esac
  await_tpu
}

install() {
  local archive=$memory/$name.tar.gz remote
  await_tpu
  [[ -e $root/.git ]] || fail "$root is no git checkout: nothing to install."
  [[ -z $(git -C "$root" status --porcelain) ]] ||
    say 'installing the last commit, without the changes since then.'
  printf -v remote '%q ' jaxssl/launch/tpu/worker.sh setup "--bucket=$bucket" \
    "--mount=$mount" ${data:+"--data=$data" "--data-from=$data_from"}
  do_it git -C "$root" archive --format=tar.gz "--output=$archive" HEAD
  do_it gcloud compute tpus tpu-vm scp "$archive" "$name:jaxssl.tar.gz" \
    "${place[@]}" --worker=all
  do_it rm "$archive"
  on_workers all "rm -rf jaxssl && mkdir jaxssl && tar xzf jaxssl.tar.gz -C jaxssl \
&& $remote"
}

run() {
  local remote
  if [[ $data && " ${command[*]}" != *' --config.data.root='* ]]; then
    command+=("--config.data.root=$mount/data")
  fi
  printf -v remote '%q ' jaxssl/launch/tpu/worker.sh start \
    "--workdir=$mount/bucket/$workdir" -- "${command[@]}"
  on_workers all "$remote"
}

# running, ended CODE, or none, as worker 0 says.
run_state() {
  on_workers 0 'jaxssl/launch/tpu/worker.sh status' 2> /dev/null || echo none
}

# Makes the TPU anew if it is gone, and starts the run again unless it is running.
resume() {
  local now
  now=$(state)
  while [[ $now == SUSPENDING || $now == DELETING ]]; do
    sleep "$poll"
    now=$(state)
  done
  case $now in
    ACTIVE)
      if [[ $(run_state) == running ]]; then
        say "$name is running."
        return
      fi ;;
    SUSPENDED | FAILED) queued delete --force --quiet; ask_for_tpu ;;
    NONE) ask_for_tpu ;;
  esac
  install
  run
}

# Resumes until the run has ended by itself, or has failed three times on a TPU that
# was there all the time.
watch_over() {
  local failures=0 resumed said
  while ((failures < 3)); do
    failures=$((failures + 1)) resumed=1
    "$self" resume "${once[@]}" || resumed=0
    sleep "$poll"
    while [[ $(state) == ACTIVE ]]; do
      said=$(run_state)
      case $said in
        # The TPU is being taken away, or another worker was lost.
        none | 'ended 42' | 'ended 134' | 'ended 137' | 'ended 143') break ;;
        'ended '*) say "the run has $said."; exit "${said#ended }" ;;
      esac
      sleep "$poll"
    done
    if ((resumed)) && [[ $(state) != ACTIVE ]]; then failures=0; fi
  done
  say 'failed three times; giving up.'
  exit 1
}

verb=${1:---help}
case $verb in
  create | install | run | logs | status | stop | resume | delete) shift ;;
  --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$self"; exit 0 ;;
  *) fail "unknown verb $verb; see --help." ;;
esac

name='' once=()
for arg in "$@"; do
  [[ $arg != --name=* ]] || name=${arg#*=}
  [[ $arg == --watch ]] || once+=("$arg")
done
[[ $name =~ ^[a-z][a-z0-9-]{0,38}$ ]] ||
  fail "--name is '$name'; it must be lower-case letters, digits and hyphens."
if [[ $verb != create && -f $memory/$name.flags ]]; then
  mapfile -t remembered < "$memory/$name.flags"
  set -- "${remembered[@]}" "$@"
fi

project='' zone='' type='' version='' spot=0 valid_until='' gcloud_flags=()
bucket='' data='' data_from=copy mount=/mnt workdir='' worker=0 watch=0 poll=30
dry_run=0 kept=()
while (($#)); do
  case $1 in
    --name=*) ;;
    --workdir=*) workdir=${1#*=} ;;
    --worker=*) worker=${1#*=} ;;
    --watch) watch=1 ;;
    --poll=*) poll=${1#*=} ;;
    --dry-run) dry_run=1 ;;
    --) shift; break ;;
    *)
      kept+=("$1") # These say what the TPU is.
      case $1 in
        --project=*) project=${1#*=} ;;
        --zone=*) zone=${1#*=} ;;
        --type=*) type=${1#*=} ;;
        --version=*) version=${1#*=} ;;
        --spot) spot=1 ;;
        --valid-until=*) valid_until=${1#*=} ;;
        --gcloud=*) gcloud_flags+=("${1#*=}") ;;
        --bucket=*) bucket=${1#*=} bucket=${bucket#gs://} bucket=${bucket%/} ;;
        --data=*) data=${1#*=} data=${data%/} ;;
        --data-from=*) data_from=${1#*=} ;;
        --mount=*) mount=${1#*=} ;;
        *) fail "unknown $1; see --help." ;;
      esac ;;
  esac
  shift
done
command=("$@")

if [[ $verb == resume && ! $* && -f $memory/$name.run ]]; then
  mapfile -t command < "$memory/$name.run"
  workdir=${workdir:-${command[0]}} command=("${command[@]:1}")
fi

[[ $zone ]] || fail "--zone is missing, and $name is not known here."
[[ $data_from == copy || $data_from == mount ]] ||
  fail "--data-from is '$data_from'; it must be copy or mount."
[[ $mount == /* ]] || fail "--mount is '$mount'; it must begin with a slash."
[[ ! $data || $data == gs://?*/?* ]] ||
  fail "--data is '$data'; it must be gs://B/DIR."
[[ $poll =~ ^[0-9]+$ && $worker =~ ^[0-9]+$ ]] ||
  fail '--poll and --worker must be whole numbers.'
if [[ $verb =~ ^(create|install|resume)$ ]]; then
  [[ $type ]] || fail '--type is missing, such as --type=v5litepod-64.'
  [[ $bucket ]] || fail '--bucket is missing: a run must outlive its TPU.'
fi
case $version:$type in
  ?*:*) ;;
  :v6e-*) version=v2-alpha-tpuv6e ;;
  :v5p-*) version=v2-alpha-tpuv5 ;;
  :v5litepod-*) version=v2-alpha-tpuv5-lite ;;
  *) version=tpu-ubuntu2204-base ;;
esac
if [[ $verb == run || $verb == resume ]]; then
  config=''
  for arg in ${command[@]+"${command[@]}"}; do
    case $arg in
      *$'\n'*) fail 'an override must not have a line break.' ;;
      --workdir*) fail '--workdir comes before the --; it is in the bucket.' ;;
      --config=*) config=${arg#*=} config=${config%%:*} config=${config##*/} ;;
    esac
  done
  [[ $config ]] || fail 'the job is missing: -- --config=FILE [overrides].'
  workdir=${workdir:-runs/${config%.py}}
fi
place=("--zone=$zone" ${project:+"--project=$project"})

if ((!dry_run)); then
  command -v gcloud > /dev/null || fail 'gcloud is missing; see the README.'
  mkdir -p "$memory"
  case $verb in
    create) printf '%s\n' "${kept[@]}" > "$memory/$name.flags" ;;
    run) printf '%s\n' "$workdir" "${command[@]}" > "$memory/$name.run" ;;
  esac
fi

case $verb in
  logs) on_workers "$worker" 'tail -n 100 -F jaxssl.log' ;;
  status)
    queued describe '--format=value(state.state)'
    on_workers all 'jaxssl/launch/tpu/worker.sh status' ;;
  stop) on_workers all 'jaxssl/launch/tpu/worker.sh stop' ;;
  resume) if ((watch && !dry_run)); then watch_over; else resume; fi ;;
  delete) queued delete --force ;;
  *) "$verb" ;;
esac
