#!/usr/bin/env bash
# Runs three machines on three "hosts", which are network namespaces; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/netns-hosts.sh [flags]

Makes three hosts out of this one: three network namespaces with the addresses
10.77.0.1, .2 and .3, connected to a bridge in a fourth. Needs Linux and root. Runs
one vm on each host, all on port 2050. Waits for them, prints what each has done, and
checks their logs against the laws. Nothing outside the four namespaces is touched.
They are removed at the end, even after an error or Ctrl-C. Several instances of this
script can run at the same time.

  --duration TIME   how long to run (default: 10s)
  --rates LIST      ticks per second of the three machines (default: 1,5,4)
  --seed NUMBER     decides every throw of the dice (default: drawn)
  --out DIR         directory for the logs (default: runs/hand-<process id>)
  --list others|all
                    how a machine is told of the others: a list of all others, with its
                    id and port; or one list of all, in which it finds itself by its
                    host's address (default: others)
  --link-down SECONDS
                    2 seconds after the start, take down the link of machine 1's
                    host for this long; all bytes are lost, and nobody is notified
                    (default: 0, never)
  --unreachable SECONDS
                    2 seconds after the start (or when --link-down is over), make
                    machine 1's address unreachable from the other hosts for this
                    long; they are notified at once (default: 0, never)

Each flag can also be set by an environment variable (DURATION, LINK_DOWN, …). BIN is
the directory of vm and launcher (default: bin; they are built if missing).

Exit code: that of "launcher check", 130 after Ctrl-C, 77 if this host cannot make
namespaces, or that of a machine that failed.
END
}

# shellcheck source=scripts/machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"

name=lamport-$$
switch=$name-switch
port=2050

LIST=${LIST:-others} LINK_DOWN=${LINK_DOWN:-0} UNREACHABLE=${UNREACHABLE:-0}

take_flag() {
	case $1 in
	--list) LIST=$2 ;;
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

# machine replaces this process by machine $1, on its host.
# shellcheck disable=SC2317,SC2329 # launch calls it
machine() {
	local id=$1 peers="" i who
	for i in 0 1 2; do
		((i == id)) || peers+=,$(address "$i"):$port
	done
	who=(--id "$id" --port "$port" --peers "${peers#,}" --rate "${rates[id]}")
	[[ $LIST != all ]] || who=(--peers "10.77.0.{1..3}:$port" --rate "$RATES")
	exec ip netns exec "$name-$id" "$BIN/vm" "${who[@]}" --duration "$DURATION" --seed "$SEED" --run "$RUN" --log-dir "$OUT" --connect-timeout 30s
}

# break_link cuts one host off from the others for a while, after the machines have
# started.
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
[[ $LIST == others || $LIST == all ]] || fail 2 "--list $LIST: want others or all"
[[ $LINK_DOWN =~ ^[0-9]{1,4}$ ]] || fail 2 "--link-down $LINK_DOWN: want whole seconds"
[[ $UNREACHABLE =~ ^[0-9]{1,4}$ ]] || fail 2 "--unreachable $UNREACHABLE: want whole seconds"
((EUID == 0)) || fail 77 "network namespaces need root"
command -v ip >/dev/null || fail 77 "the command \"ip\" (iproute2) is missing"
need_programs
make_dir
trap cleanup EXIT
trap 'exit 130' INT TERM
make_hosts || fail 77 "this host does not allow network namespaces, bridges or veth pairs"
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
