# What cluster-by-hand.sh and netns-hosts.sh share: starting three machines one by
# one, waiting for them, and checking their logs against the laws. To be sourced.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BIN=${BIN:-$root/bin} DURATION=${DURATION:-10s} RATES=${RATES:-1,5,4} SEED=${SEED:-} OUT=${OUT:-}
export RUN=${RUN:-hand-$$}

fail() { # code message
	echo "${0##*/}: $2" >&2
	exit "$1"
}

# take_flags reads the command line. It leaves flags that only one script has to that
# script's take_flag, which fails on any others.
take_flags() {
	while (($#)); do
		case $1 in
		-h | --help)
			usage
			exit 0
			;;
		--*) (($# > 1)) || fail 2 "flag $1 needs a value; --help lists the flags" ;;
		*) fail 2 "unexpected argument \"$1\"; --help lists the flags" ;;
		esac
		case $1 in
		--duration) DURATION=$2 ;;
		--rates) RATES=$2 ;;
		--seed) SEED=$2 ;;
		--out) OUT=$2 ;;
		*) take_flag "$1" "$2" || fail 2 "unknown flag $1; --help lists them" ;;
		esac
		shift 2
	done
	: "${SEED:=$((RANDOM << 15 | RANDOM))}"
	: "${OUT:=runs/$RUN}"
	IFS=, read -ra rates <<<"$RATES"
	((${#rates[@]} == 3)) || fail 2 "--rates $RATES: want three, such as 1,5,4"
}

# need_programs builds what is missing.
need_programs() {
	[[ -x $BIN/vm && -x $BIN/launcher ]] || make -C "$root" build >&2
	[[ -x $BIN/vm && -x $BIN/launcher ]] || fail 2 "$BIN does not contain vm and launcher"
}

# make_dir creates the run's directory, and refuses one that holds a run.
make_dir() {
	mkdir -p "$OUT" || fail 2 "choose another --out"
	local old=("$OUT"/vm_*)
	[[ ! -e ${old[0]} ]] || fail 2 "${old[0]} belongs to an earlier run, which is not overwritten: choose another --out"
}

pids=()
interrupted=

# launch starts machine $1 in the background with the command that follows, in a
# process group of its own, so that Ctrl-C reaches only this script.
launch() {
	local id=$1
	shift
	set -m
	"$@" >"$OUT/vm_$id.txt" 2>"$OUT/vm_$id.stderr" </dev/null &
	set +m
	pids[id]=$!
}

# stop tells the machines to stop in an orderly way. It does so only once, because a
# second signal would kill them.
stop() {
	local pid
	trap : INT TERM
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill -INT "$pid" 2>/dev/null || true
	done
}

# await waits for the machines. If one fails, it stops the others, which would
# otherwise wait for it. It returns the exit code of the first that failed.
await() {
	local code=0 id c
	trap 'interrupted=1; stop' INT TERM
	while ((${#pids[@]})); do
		for id in "${!pids[@]}"; do
			! kill -0 "${pids[id]}" 2>/dev/null || continue
			c=0
			wait "${pids[id]}" || c=$?
			unset "pids[$id]" # another process may get this id from now on
			if ((c && !code)) && [[ -z $interrupted ]]; then
				code=$c
				echo "machine $id failed: $(tail -n 1 "$OUT/vm_$id.stderr")" >&2
				stop
			fi
		done
		sleep 0.1 || true # a signal to the group interrupts it
	done
	return "$code"
}

# result prints each machine's summary, checks the run against the laws, and exits.
result() {
	local id code=0
	for id in 0 1 2; do
		cat "$OUT/vm_$id.txt"
		echo
	done
	"$BIN/launcher" check "$OUT" || code=$?
	[[ -z $interrupted ]] || code=130
	exit "$code"
}
