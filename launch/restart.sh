#!/usr/bin/env bash
# Runs a command, and runs it again when that helps: after a preemption, a failed
# disk, or the death of a process on this host or on another one.
#
#   launch/restart.sh --workdir=DIR [flags] -- COMMAND...
#
#   --workdir=DIR    where the command writes, and where its progress is read; for a
#                    study, the folder of its networks: `pretrained` beside its workdir
#   --max-restarts-without-progress=3
#                    stop after so many in a row
#   --wait=5         seconds before a restart; doubled, up to 60, as long as nothing
#                    moves
#   --once=FILE      for schedulers: run the command once, and end with 42 if it should
#                    be run again; how many restarts were in vain is kept in FILE
#   --dry-run        print the command and do nothing
#
#   launch/restart.sh --workdir=runs/inat -- python -m jaxssl.main \
#     --config=configs/simclr_inat.py --workdir=runs/inat
#
# Exit codes that it runs again: 42 (preempted), 74 (disk), and those of a process
# that a signal ended: 134 (aborted: jax does so to all hosts when one is lost),
# 135 (bus error: a mapped file whose disk is gone), 137 (killed: memory, or from
# outside), 139 (segmentation fault: drivers, more often than code) and 143
# (terminated before it could save). All others are final: 0 is done, and data
# (65), a bug (70), a lock (73), a loss that is not finite (76) or a mistake in
# the command (78) would only come again.
#
# SIGTERM, SIGINT and SIGHUP end the command and this script, without a restart:
# the command saves, and the exit code is its own (42: run me again). Progress is
# a newer checkpoint, a finished run or a finished evaluation.
set -euo pipefail

say() { echo "restart.sh: $*" >&2; }
fail() { say "$*"; exit 78; }

workdir='' most=3 pause=5 once='' dry_run=0
while (($#)); do
  case $1 in
    --workdir=?*) workdir=${1#*=} ;;
    --max-restarts-without-progress=*) most=${1#*=} ;;
    --wait=*) pause=${1#*=} ;;
    --once=?*) once=${1#*=} ;;
    --dry-run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail "unknown $1; see --help." ;;
  esac
  shift
done
[[ $workdir ]] || fail '--workdir=DIR is missing; see --help.'
(($#)) || fail 'the command is missing: it comes after --; see --help.'
for number in "$most" "$pause"; do
  [[ $number =~ ^[0-9]{1,6}$ ]] || fail "'$number' is no whole number; see --help."
done
if ((dry_run)); then
  printf '%q ' "$@"
  echo "# again on 42, 74, 134, 135, 137, 139 and 143"
  exit 0
fi

# A number that grows: the newest step of each run in the folder, and one for each
# finished run and evaluation. Orbax's unfinished folders have other names.
progress() {
  (cd "$workdir" && find -L . -maxdepth 5 \
    \( -path '*/checkpoints/*' -prune -o -name DONE -o -path '*/eval/*.json' \) \
    -print) 2> /dev/null |
    awk '
      match($0, "/checkpoints/[0-9]+$") {
        step = substr($0, RSTART + 13) + 0
        run = substr($0, 1, RSTART)
        if (!(run in newest) || step > newest[run]) newest[run] = step
      }
      /\/DONE$|\.json$/ { finished++ }
      END {
        for (run in newest) total += newest[run]
        printf "%d\n", total + finished
      }' || true
}

why() {
  case $1 in
    42) echo 'preempted, and saved' ;;
    74) echo 'disk or storage' ;;
    134) echo 'aborted: another host was lost, or a library gave up' ;;
    137) echo 'killed: out of memory, or from outside' ;;
    *) echo "ended by signal $(($1 - 128))" ;;
  esac
}

child='' asked='' interrupted=0
pass_on() {
  asked=$1 interrupted=1
  [[ ! $child ]] || kill -"$1" "$child" 2> /dev/null || true
}
trap 'pass_on TERM' TERM HUP
trap 'pass_on INT' INT

# Waits for the process that was just started; a signal to us only interrupts that.
await() {
  child=$!
  [[ ! $asked ]] || kill -"$asked" "$child" 2> /dev/null || true
  while :; do
    interrupted=0 code=0
    wait "$child" || code=$?
    ((interrupted)) || break
  done
  child=''
}

# A group of its own for each process: a key pressed on a terminal then reaches it
# once, through us, and not twice. (Bash has read all of the loop before it
# starts: the file may be changed while it runs.)
set -m
in_vain=0 wait_now=$pause best=$(progress)
if [[ -s $once ]]; then
  read -r in_vain best < "$once"
fi
while :; do
  "$@" < /dev/null &
  await
  result=$code
  case $result in
    42 | 74 | 134 | 135 | 137 | 139 | 143) ;;
    *)
      [[ ! $once ]] || rm -f "$once"
      exit "$result" ;;
  esac
  if [[ $asked && ! $once ]]; then
    say "exit code $result after SIG$asked: not run again."
    exit "$result"
  fi
  now=$(progress)
  if ((now > best)); then
    in_vain=0 wait_now=$pause best=$now
  elif ((++in_vain > most)); then
    say "exit code $result ($(why "$result")): $most restarts brought nothing new" \
      "in $workdir; giving up."
    [[ ! $once ]] || rm -f "$once"
    # With --once, 42 would ask for another one.
    exit $((result == 42 && ${#once} ? 1 : result))
  fi
  if [[ $once ]]; then
    say "exit code $result ($(why "$result")): to be run again."
    echo "$in_vain $best" > "$once"
    exit 42
  fi
  say "exit code $result ($(why "$result")): again in $wait_now s."
  sleep "$wait_now" &
  await
  [[ ! $asked ]] || exit "$result"
  wait_now=$((wait_now * 2 < 60 ? wait_now * 2 : 60))
done
