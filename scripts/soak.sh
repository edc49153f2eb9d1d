#!/usr/bin/env bash
# Runs a cluster under constant faults, and watches its memory; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/soak.sh [flags]

Runs a fast cluster while machines are repeatedly killed, paused and cut off, and
connections repeatedly break. Measures the memory of the machines every few seconds,
prints it by quarters of the run, and checks the logs against the laws. Without --keep,
the run's directory is removed if all is well.

  --duration TIME   how long to run, such as 90s, 10m or 2h (default: 10m)
  --rates LIST      ticks per second of each machine (default: 20000,20000,20000,
                    with which the logs grow by 6 MB per second; with max they grow
                    by about 100 MB per second)
  --faults PLAN     what breaks (default: random kills, resets, pauses and cuts)
  --seed NUMBER     decides the dice and the faults (default: drawn)
  --window NUMBER   maximum number of unconsumed messages per link (default: 10000)
  --out DIR         directory for the run (default: runs/soak-<process id>)
  --keep            keep the run's directory

Each flag except --keep can also be set by an environment variable (DURATION, …). BIN
is the directory of vm and launcher (default: bin; they are built if missing).

Exit code: that of "launcher run", or 1 if memory has grown: if the median of the last
quarter is more than 1.5 times that of the second.
END
}

fail() { # code message
	echo "${0##*/}: $2" >&2
	exit "$1"
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$root/bin} DURATION=${DURATION:-10m} RATES=${RATES:-20000,20000,20000} SEED=${SEED:-}
WINDOW=${WINDOW:-10000} OUT=${OUT:-runs/soak-$$}
FAULTS=${FAULTS:-random kill every 10s for 500ms; random reset every 2s; random pause every 15s for 500ms; random cut every 5s for 500ms}
keep=

while (($#)); do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--keep)
		keep=1
		shift
		continue
		;;
	--*) (($# > 1)) || fail 2 "flag $1 needs a value; --help lists the flags" ;;
	*) fail 2 "unexpected argument \"$1\"; --help lists the flags" ;;
	esac
	case $1 in
	--duration) DURATION=$2 ;;
	--rates) RATES=$2 ;;
	--faults) FAULTS=$2 ;;
	--seed) SEED=$2 ;;
	--window) WINDOW=$2 ;;
	--out) OUT=$2 ;;
	*) fail 2 "unknown flag $1; --help lists them" ;;
	esac
	shift 2
done

case $DURATION in
*[!0-9]*[smh] | [smh] | 0*) seconds=0 ;;
*h) seconds=$((${DURATION%h} * 3600)) ;;
*m) seconds=$((${DURATION%m} * 60)) ;;
*s) seconds=${DURATION%s} ;;
*) seconds=0 ;;
esac
((seconds >= 4)) || fail 2 "--duration $DURATION: want whole seconds, minutes or hours, at least 4s, such as 10m"
[[ ! -e $OUT ]] || fail 2 "$OUT already exists: choose another --out"
[[ -x $BIN/vm && -x $BIN/launcher ]] || make -C "$root" build >&2
[[ -x $BIN/vm && -x $BIN/launcher ]] || fail 2 "$BIN does not contain vm and launcher"
[[ -r /proc/self/status ]] || fail 2 "memory is measured through /proc, which this system does not have"

# Sixty samples of each machine, but at most one per second.
every=$((seconds / 60 > 1 ? seconds / 60 : 1))
samples=$(mktemp)
trap 'rm -f "$samples"' EXIT

args=(run --quiet --ports auto --restart on-failure --rates "$RATES" --duration "$DURATION"
	--window "$WINDOW" --faults "$FAULTS" --out "$OUT")
[[ -z $SEED ]] || args+=(--seed "$SEED")
set -m # in a process group of its own, it receives Ctrl-C only once, from the trap below
"$BIN/launcher" "${args[@]}" </dev/null &
set +m
launcher=$!
trap 'kill -INT "$launcher" 2>/dev/null || true' INT TERM

# A process that was only just started is small, which says nothing. The medians
# discard such samples.
began=$SECONDS
while kill -0 "$launcher" 2>/dev/null && ((SECONDS - began < seconds)); do
	sleep "$every" || true
	quarter=$(((SECONDS - began) * 4 / seconds))
	awk -v launcher="$launcher" -v q=$((quarter < 3 ? quarter : 3)) \
		'/^PPid:/ {its = $2 == launcher} /^VmRSS:/ && its {print q, $2}' /proc/[0-9]*/status >>"$samples" 2>/dev/null || true # some end meanwhile
done
code=0
wait "$launcher" || code=$?
if kill -0 "$launcher" 2>/dev/null; then # a signal interrupted the first wait
	code=0
	wait "$launcher" || code=$?
fi

# statistics prints the number, minimum, median and maximum of a quarter's samples.
statistics() {
	awk -v q="$1" '$1 == q {print $2}' "$samples" | sort -n |
		awk '{v[NR] = $1} END {if (NR) print NR, v[1], v[int((NR + 1) / 2)], v[NR]; else print 0, 0, 0, 0}'
}

echo
echo 'memory of a machine in kB (VmRSS)'
echo 'quarter  samples      min   median      max'
medians=()
for q in 0 1 2 3; do
	read -r n min median max < <(statistics "$q")
	medians+=("$median")
	printf '%7d %8d %8d %8d %8d\n' $((q + 1)) "$n" "$min" "$median" "$max"
done

if ((code)); then
	echo "${0##*/}: the run is in $OUT" >&2
	exit "$code"
fi
if ((medians[1] == 0 || medians[3] == 0)); then
	echo "${0##*/}: a quarter has no sample (the host is too busy, or the run too short), so memory growth was not checked" >&2
elif ((medians[1] * 3 < medians[3] * 2)); then
	fail 1 "memory grows: ${medians[1]} kB in the second quarter, ${medians[3]} kB in the last; the run is in $OUT"
fi
if [[ -z $keep ]]; then
	rm -rf "$OUT"
fi
