#!/usr/bin/env bash
# Runs three machines on three "hosts" of their own; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/netns-hosts.sh [flags]

Makes three hosts out of this one, which has to be Linux, with you as root: three
network namespaces with the addresses 10.77.0.1, .2 and .3, wired to a bridge in a
fourth. Runs one vm on each, all of them on port 2050; waits for them, prints what
each has done, and holds their logs against the laws. Nothing outside of the four
namespaces is touched, and they are removed in the end, also after an error or
Ctrl-C. Several of these can run at a time.

  --duration LONG   how long to run (10s)
  --rates LIST      of the three, in ticks per second (1,5,4)
  --seed NUMBER     that decides every throw of the dice (drawn)
  --out DIR         for the logs (runs/hand-<process id>)
  --link-down SECONDS
                    take the link of machine 1's host down for so long, from 2
                    seconds after the start on (0: not at all); all bytes are
                    lost, and nobody is told
  --unreachable SECONDS
                    make machine 1's address unreachable for the other hosts, for so
                    long, from then on (0: not at all); they are told at once

Each flag has an environment variable (DURATION, LINK_DOWN, …). BIN is where vm and launcher
are (bin; built if they are missing).

Exit code: that of "launcher check", 130 after Ctrl-C, 77 if this host cannot do
it, or that of a machine that failed.
END
}

# shellcheck source=scripts/machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"

name=lamport-$$
switch=$name-switch
port=2050

LINK_DOWN=${LINK_DOWN:-0} UNREACHABLE=${UNREACHABLE:-0}

take_flag() {
	case $1 in
	--link-down) LINK_DOWN=$2 ;;
	--unreachable) UNREACHABLE=$2 ;;
	*) return 1 ;;
	esac
}

address() { # machine
	echo "10.77.0.$(($1 + 1))"
}

# shellcheck disable=SC2317,SC2329 # the trap calls it
cleanup() {
	local pid ns
	stop
	[[ -z ${breaker:-} ]] || kill "$breaker" 2>/dev/null || true
	for pid in ${pids[@]+"${pids[@]}"}; do
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2>/dev/null || continue 2
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
	done
	for ns in "$name"-0 "$name"-1 "$name"-2 "$switch"; do
		ip netns del "$ns" 2>/dev/null || true
	done
}

make_hosts() {
	local id
	ip netns add "$switch" || return
	ip -n "$switch" link add bridge type bridge || return
	ip -n "$switch" link set bridge up || return
	for id in 0 1 2; do
		ip netns add "$name-$id" &&
			ip -n "$name-$id" link add eth0 type veth peer name "host$id" netns "$switch" &&
			ip -n "$switch" link set "host$id" master bridge up &&
			ip -n "$name-$id" address add "$(address "$id")/24" dev eth0 &&
			ip -n "$name-$id" link set lo up &&
			ip -n "$name-$id" link set eth0 up || return
	done
}

# machine becomes machine $1, on its host.
# shellcheck disable=SC2317,SC2329 # launch calls it
machine() {
	local id=$1 peers="" i
	for i in 0 1 2; do
		((i == id)) || peers+=,$(address "$i"):$port
	done
	exec ip netns exec "$name-$id" "$BIN/vm" --id "$id" --bind 0.0.0.0 --port "$port" --peers "${peers#,}" \
		--rate "${rates[id]}" --duration "$DURATION" --seed "$SEED" --run "$RUN" --log-dir "$OUT" --connect-timeout 30s
}

# break_link takes a host away from the others for a while, after the machines
# have begun.
# shellcheck disable=SC2317,SC2329 # it runs in the background
break_link() {
	until [[ -n $(compgen -G "$OUT/vm_1_*.log") ]]; do sleep 0.1; done
	sleep 2
	if ((LINK_DOWN)); then
		ip -n "$switch" link set host1 down
		sleep "$LINK_DOWN"
		ip -n "$switch" link set host1 up
	fi
	if ((UNREACHABLE)); then
		ip -n "$name-0" route add unreachable "$(address 1)"
		ip -n "$name-2" route add unreachable "$(address 1)"
		sleep "$UNREACHABLE"
		ip -n "$name-0" route del unreachable "$(address 1)"
		ip -n "$name-2" route del unreachable "$(address 1)"
	fi
}

take_flags "$@"
[[ $LINK_DOWN =~ ^[0-9]{1,4}$ ]] || fail 2 "--link-down $LINK_DOWN: want whole seconds"
[[ $UNREACHABLE =~ ^[0-9]{1,4}$ ]] || fail 2 "--unreachable $UNREACHABLE: want whole seconds"
((EUID == 0)) || fail 77 "network namespaces are for root"
command -v ip >/dev/null || fail 77 "the command \"ip\" (iproute2) is missing"
need_programs
make_dir
trap cleanup EXIT
trap 'exit 130' INT TERM
make_hosts || fail 77 "this host does not let namespaces, bridges or veth pairs be made"
for id in 2 0 1; do
	launch "$id" machine "$id"
done
breaker=
if ((LINK_DOWN || UNREACHABLE)); then
	break_link &
	breaker=$!
fi
await || exit
[[ -z $breaker ]] || kill "$breaker" 2>/dev/null || true
result
