# What the scripts of the laboratory share: flags, one sweep, and a picture of one of
# its runs. To be sourced. Each script defines usage and grid, and may change the
# variables below.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$root/bin} DURATION=${DURATION:-60s} TRIALS=${TRIALS:-5} SEED=${SEED:-} OUT=${OUT:-} JOBS=${JOBS:-}
VIRTUAL=${VIRTUAL:-}
name=$(basename "$0" .sh)
grid=()              # the flags of the sweep
picture=             # the run to draw; empty: the one that has most to tell, else the first
picture_from=0s      # where the picture starts
real_only=()         # flags for runs as processes only

fail() { # code message
	echo "${0##*/}: $2" >&2
	exit "$1"
}

common_usage() {
	cat <<'END_OF_USAGE'

  --virtual         run in virtual time: done in a second, and the same seed gives
                    the same result
  --duration TIME   length of each run (default: 60s)
  --trials NUMBER   number of runs of each kind, with different seeds (default: 5)
  --seed NUMBER     decides the seeds of all runs (default: drawn)
  --jobs NUMBER     number of runs side by side (default: as many as the cores can
                    pace)
  --out DIR         directory for logs, tables and findings (default:
                    sweeps/<script>-<time>-<process id>); give the directory of a
                    stopped run of this script to continue it

Each flag can also be set by an environment variable (DURATION, TRIALS, …;
VIRTUAL=1). BIN is the directory of vm and launcher (default: bin; they are built if
missing).

The directory holds report.html (all of it as a page, with links to those of the
runs), findings.md (what the numbers show, in words), sweep.md, sweep.csv and
classes.csv (tables), sweep.svg (curves), runs/ (each run with its logs), and of one run
diagram.svg, run.svg (clocks, drift and queues over time) and stats.md.

Exit code: that of "launcher sweep": 1 if a run is not correct, 130 after Ctrl-C.
END_OF_USAGE
}

# take_flags reads the command line. It leaves flags that only one script has to that
# script's take_flag, which fails on any others.
take_flags() {
	while (($#)); do
		case $1 in
		-h | --help)
			usage
			common_usage
			exit 0
			;;
		--virtual)
			VIRTUAL=1
			shift
			continue
			;;
		--*) (($# > 1)) || fail 2 "flag $1 is unknown, or needs a value; --help lists the flags" ;;
		*) fail 2 "unexpected argument \"$1\"; --help lists the flags" ;;
		esac
		case $1 in
		--duration) DURATION=$2 ;;
		--trials) TRIALS=$2 ;;
		--seed) SEED=$2 ;;
		--jobs) JOBS=$2 ;;
		--out) OUT=$2 ;;
		*) take_flag "$1" "$2" || fail 2 "unknown flag $1; --help lists them" ;;
		esac
		shift 2
	done
	: "${OUT:=sweeps/$name-$(date +%Y%m%d-%H%M%S)-$$}"
}

# take_flag is redefined by scripts that have flags of their own.
take_flag() { return 1; }

# milliseconds sets ms to the length of a duration such as 60s, 500ms, 2m or 1h.
milliseconds() { # duration
	[[ $1 =~ ^([1-9][0-9]{0,8})(ms|s|m|h)$ ]] ||
		fail 2 "--duration $1: want whole milliseconds, seconds, minutes or hours, such as 60s"
	case ${BASH_REMATCH[2]} in
	ms) ms=${BASH_REMATCH[1]} ;;
	s) ms=$((BASH_REMATCH[1] * 1000)) ;;
	m) ms=$((BASH_REMATCH[1] * 60000)) ;;
	h) ms=$((BASH_REMATCH[1] * 3600000)) ;;
	esac
}

# span writes milliseconds as a duration.
span() { # milliseconds
	if (($1 % 1000)); then echo "$1ms"; else echo "$(($1 / 1000))s"; fi
}

# lab runs the sweep, draws a picture, and exits.
lab() {
	local code=0 run runs args
	[[ -x $BIN/vm && -x $BIN/launcher ]] || make -C "$root" build >&2
	[[ -x $BIN/vm && -x $BIN/launcher ]] || fail 2 "$BIN does not contain vm and launcher"
	args=(sweep "${grid[@]}" --duration "$DURATION" --trials "$TRIALS" --out "$OUT")
	if [[ -n $VIRTUAL ]]; then
		args+=(--virtual)
	else
		args+=(${real_only[@]+"${real_only[@]}"})
	fi
	[[ -z $SEED ]] || args+=(--seed "$SEED")
	[[ -z $JOBS ]] || args+=(--jobs "$JOBS")

	# The launcher is in a process group of its own, so that it receives Ctrl-C only
	# once, from this script, which also passes on a signal sent to itself alone.
	local launcher=
	trap '[[ -z $launcher ]] || kill -INT "$launcher" 2>/dev/null || true' INT TERM
	set -m
	"$BIN/launcher" "${args[@]}" </dev/null &
	launcher=$!
	set +m
	wait "$launcher" || code=$?
	while kill -0 "$launcher" 2>/dev/null; do # a signal interrupted the wait
		code=0
		wait "$launcher" || code=$?
	done
	trap - INT TERM
	((code < 2)) || exit "$code"

	# Where the rates are drawn, the findings name the run to look at first.
	: "${picture:=$(sed -nE 's/.*The run to look at first is (p[0-9]+-t[0-9]+):.*/\1/p' "$OUT/findings.md" | head -n 1)}"
	runs=("$OUT/runs/"*)
	run=${picture:+$OUT/runs/$picture}
	run=${run:-${runs[0]}}
	"$BIN/launcher" stats --format markdown --plot "$OUT/run.svg" "$run" >"$OUT/stats.md"
	echo "the figures of one run: $OUT/stats.md, and over time: $OUT/run.svg" >&2
	# A run may be too short for a picture. That is not an error.
	if "$BIN/launcher" diagram --from "$picture_from" --to "$(later "$picture_from")" -o "$OUT/diagram.svg" "$run"; then
		echo "a picture of it: $OUT/diagram.svg" >&2
	fi
	exit "$code"
}

# later prints the end of a picture that starts at a duration: 12 seconds later.
later() { # duration
	local ms=0
	[[ $1 == 0s ]] || milliseconds "$1"
	span $((ms + 12000))
}
