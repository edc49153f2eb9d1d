#!/usr/bin/env bash
# Makes a cluster of this host, and runs a command there; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: deploy/hosts.sh [--slurm] [--ssh] [COMMAND [ARG...]]

Makes a cluster of this host, to try a recipe without one: three hosts, node0, node1 and
node2, and a fourth, head, on which it runs COMMAND, or a shell. They are namespaces with
a network and a host name each, and share the files of this host. Nothing of it is left
when COMMAND ends, nor when this script is killed. Several instances can run at the same
time. Needs Linux and root.

  --slurm   with Slurm: slurmctld on head and slurmd on each node, with a key of their own
            for munge. Debian's packages: slurmctld slurmd slurm-client munge
  --ssh     with sshd on each node, which lets root in from everywhere in the cluster.
            Debian's packages: openssh-server openssh-client

COMMAND finds them by SLURM_CONF and by /etc/ssh/ssh_config. What the daemons say is in
/run/lamport, which only the cluster sees. After an error it is printed.

Exit code: that of COMMAND, 2 for wrong usage, 77 if this host cannot do it.
END
}

say() { echo "hosts.sh: $*" >&2; }

misused() {
	say "$*; --help says more"
	exit 2
}

nodes=3
dir=/run/lamport # of the cluster alone
slurm='' ssh='' inside=''
while (($#)); do
	case $1 in
	--slurm) slurm=--slurm ;;
	--ssh) ssh=--ssh ;;
	--inside) inside=1 ;;
	--help | -h) usage && exit ;;
	-*) misused "unknown flag $1" ;;
	*) break ;;
	esac
	shift
done
(($#)) || set -- "${SHELL:-/bin/bash}"

# Process 1 of the new namespaces is this script again. When it ends, the kernel ends
# every other process in them, and then they are gone with all that was made in them.
PATH=$PATH:/usr/sbin:/sbin
if [[ -z $inside ]]; then
	cannot() {
		say "$*"
		exit 77
	}
	[[ $(uname) == Linux ]] || cannot 'hosts are made of namespaces, which only Linux has'
	((EUID == 0)) || cannot 'namespaces need root'
	tools=(unshare nsenter ip)
	[[ -z $slurm ]] || tools+=(munged slurmctld slurmd sinfo)
	[[ -z $ssh ]] || tools+=(sshd ssh ssh-keygen)
	for tool in "${tools[@]}"; do
		command -v "$tool" >/dev/null || cannot "$tool is missing; --help names the packages"
	done
	namespaces=(--pid --fork --kill-child --mount-proc --mount --net --uts)
	problem=$(unshare "${namespaces[@]}" true 2>&1) || cannot "no namespaces here: $problem"
	exec unshare "${namespaces[@]}" "$BASH" "$0" --inside $slurm $ssh "$@"
fi

# A daemon that fails says why in its log.
# shellcheck disable=SC2317,SC2329 # the trap calls it
failed() {
	say "line $1 failed"
	tail -n 20 "$dir"/*.log >&2 || true
}
trap 'failed $LINENO' ERR

# until_true waits for what takes a moment, but not for ever.
until_true() { # what command...
	local what=$1 i
	shift
	for ((i = 0; i < 1200; i++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	say "$what does not come up"
	return 1
}

make_head() {
	local i
	hostname head
	ip link set lo up
	ip link add bridge type bridge
	ip address add 10.78.0.254/24 dev bridge
	ip link set bridge up
	mount -t tmpfs -o mode=755 lamport /run
	mkdir "$dir"
	{
		echo '127.0.0.1 localhost'
		echo '10.78.0.254 head'
		for ((i = 0; i < nodes; i++)); do
			echo "10.78.0.$((i + 1)) node$i"
		done
	} >"$dir/hosts"
	mount --bind "$dir/hosts" /etc/hosts
}

# node runs a command on node $1, which it makes.
node() {
	local id=$1 gate=$dir/node$1.gate pid
	shift
	mkfifo "$gate"
	# shellcheck disable=SC2016 # it expands there
	unshare --net --mount --uts "$BASH" -c 'hostname "$1"; read -r <"$2"; shift 2; exec "$@"' - "node$id" "$gate" "$@" \
		>"$dir/node$id.log" 2>&1 </dev/null &
	pid=$!
	echo "$pid" >"$dir/node$id.process"
	until_true "node$id" other_net "$pid"
	ip link add "host$id" type veth peer name eth0 netns "$pid"
	ip link set "host$id" master bridge up
	nsenter --net="/proc/$pid/ns/net" ip link set lo up
	nsenter --net="/proc/$pid/ns/net" ip address add "10.78.0.$((id + 1))/24" dev eth0
	nsenter --net="/proc/$pid/ns/net" ip link set eth0 up
	echo go >"$gate"
}

# shellcheck disable=SC2317,SC2329 # until_true calls it
other_net() { # pid
	[[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]
}

configure_slurm() {
	export SLURM_CONF=$dir/slurm.conf
	mkdir "$dir"/{munge,state}
	head -c 1024 /dev/urandom >"$dir/munge/key"
	chmod 400 "$dir/munge/key"
	# cred_expire is what a job that is queued again has to wait for.
	cat >"$SLURM_CONF" <<-END
		ClusterName=lamport
		SlurmctldHost=head(10.78.0.254)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$dir/munge/socket,cred_expire=5
		CredType=cred/munge
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/%n
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/%n.pid
		SlurmctldLogFile=$dir/slurmctld.log
		SlurmdLogFile=$dir/slurmd-%n.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/linear
		SwitchType=switch/none
		MpiDefault=none
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		SchedulerType=sched/builtin
		SchedulerParameters=batch_sched_delay=0,sched_interval=1
		ReturnToService=2
		KillWait=10
		NodeName=node[0-$((nodes - 1))] NodeAddr=10.78.0.[1-$nodes] CPUs=1 State=UNKNOWN
		PartitionName=all Nodes=ALL Default=YES OverSubscribe=FORCE:4 State=UP
	END
}

start_slurmctld() {
	munged --foreground --force --num-threads=1 --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
		--pid-file="$dir/munge/pid" --seed-file="$dir/munge/seed" --log-file="$dir/munged.log" >"$dir/munged.log" 2>&1 </dev/null &
	until_true munged test -S "$dir/munge/socket"
	slurmctld -D >>"$dir/slurmctld.log" 2>&1 </dev/null &
}

# shellcheck disable=SC2317,SC2329 # until_true calls it
is_idle() { [[ $(sinfo -h -o %T) == idle ]]; }

configure_ssh() {
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$dir/user_key"
	cat >"$dir/sshd_config" <<-END
		HostKey $dir/host_key
		AuthorizedKeysFile $dir/user_key.pub
		StrictModes no
		PermitRootLogin yes
		PasswordAuthentication no
		UsePAM no
		PidFile none
	END
	echo "node* $(cat "$dir/host_key.pub")" >"$dir/known_hosts"
	cat >"$dir/ssh_config" <<-END
		Host *
		IdentityFile $dir/user_key
		GlobalKnownHostsFile $dir/known_hosts
		BatchMode yes
	END
	mount --bind "$dir/ssh_config" /etc/ssh/ssh_config
}

# shellcheck disable=SC2317,SC2329 # until_true calls it
listens() { : <"/dev/tcp/$1/22"; }

make_head
cat >"$dir/daemons" <<'END'
[[ -z $2 ]] || "$(command -v sshd)" -D -e -f /run/lamport/sshd_config &
[[ -z $1 ]] || slurmd -D -N "$HOSTNAME" &
exec sleep infinity
END
[[ -z $slurm ]] || configure_slurm
[[ -z $ssh ]] || configure_ssh
[[ -z $slurm ]] || start_slurmctld
for ((i = 0; i < nodes; i++)); do
	node "$i" "$BASH" "$dir/daemons" "$slurm" "$ssh"
done
for ((i = 0; i < nodes; i++)); do
	[[ -z $ssh ]] || until_true "sshd of node$i" listens "node$i"
done
[[ -z $slurm ]] || until_true Slurm is_idle

trap - ERR
code=0
"$@" || code=$?
exit "$code"
