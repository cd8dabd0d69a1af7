#!/usr/bin/env bash
# A Slurm of its own on this machine, for tests: munged, slurmctld and slurmd as the
# user who starts them, with all they write in one folder, and on loopback.
#
#   tests/launch/real_slurm.sh start --folder=DIR [--cpus=2]
#   SLURM_CONF=DIR/slurm.conf srun hostname
#   tests/launch/real_slurm.sh stop --folder=DIR
#
# It needs the packages slurm-wlm and munge (slurmctld, slurmd, munged), no root, no
# running service and no network. A job can ask for GPUs, of which there are as many
# as CPUs, but nothing is behind them.
set -euo pipefail

action=${1:?start or stop}
shift
folder='' cpus=2
for argument; do
  case $argument in
    --folder=?*) folder=$(realpath -m "${argument#*=}") ;;
    --cpus=?*) cpus=${argument#*=} ;;
    *) echo "real_slurm.sh: unknown $argument" >&2; exit 78 ;;
  esac
done
: "${folder:?--folder=DIR is missing}"
export SLURM_CONF=$folder/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

stop() {
  for name in slurmd slurmctld munged; do
    if [[ -s $folder/$name.pid ]]; then
      pid=$(< "$folder/$name.pid")
      kill "$pid" 2> /dev/null || true
      for _ in {1..50}; do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.1
      done
      kill -KILL "$pid" 2> /dev/null || true
    fi
  done
}

if [[ $action == stop ]]; then
  scancel --quiet --user="$(id -un)" 2> /dev/null || true
  stop
  exit 0
fi

mkdir -p "$folder"/{state,spool}
chmod 755 "$folder"
(umask 077; head -c 1024 /dev/urandom > "$folder/munge.key")
read -r port node_port < <(python3 - <<'END'
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets:
  s.bind(('127.0.0.1', 0))
print(*(s.getsockname()[1] for s in sockets))
END
)
host=$(hostname -s)
cat > "$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$node_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=100000
SchedulerType=sched/backfill
OverTimeLimit=0
KillWait=10
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus Gres=gpu:$cpus State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
# GPUs that can be asked for, without any device behind them.
for ((i = 0; i < cpus; i++)); do
  touch "$folder/gpu$i"
  echo "NodeName=$host Name=gpu File=$folder/gpu$i"
done > "$folder/gres.conf"
trap 'stop; tail -n 5 "$folder"/*.log >&2 || true' ERR
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
  --pid-file="$folder/munged.pid" --seed-file="$folder/munge.seed" \
  --log-file="$folder/munged.log" 2> "$folder/munged.err"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
for _ in {1..100}; do
  if [[ $(sinfo --noheader --format=%t 2> /dev/null) == idle ]]; then
    echo "$SLURM_CONF"
    exit 0
  fi
  sleep 0.2
done
false
