#!/usr/bin/env bash
# Does a recorded run again, in three ways; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/replay.sh [flags] RUN_DIR

Takes a recorded run and does it again: holds it against the laws, executes it again
in one process, and once more with vm processes over TCP. Each must come out as it is
recorded, field by field, but for the global time.

  --pace max|recorded  of the processes (max)
  --out DIR            for the processes' run (runs/<time>-<name>-replay)

BIN is where vm and launcher are (bin; built if they are missing).

Exit code: 0 if it is the same; 1 if a law is broken or something differs, which is
shown; 2 if the run cannot be read, or cannot be done again by processes.
END
}

fail() { # code message
	echo "${0##*/}: $2" >&2
	exit "$1"
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$root/bin}
flags=()
dir=

while (($#)); do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--pace | --out)
		(($# > 1)) || fail 2 "flag $1 needs a value; --help lists the flags"
		[[ $1 != --pace || $2 == max || $2 == recorded ]] || fail 2 "--pace \"$2\": want max or recorded"
		flags+=("$1" "$2")
		shift 2
		;;
	--*) fail 2 "unknown flag $1; --help lists them" ;;
	*)
		[[ -z $dir ]] || fail 2 "unexpected argument \"$1\": one run at a time"
		dir=$1
		shift
		;;
	esac
done
[[ -n $dir ]] || fail 2 "which run? Name its directory, for example runs/latest"
[[ -x $BIN/vm && -x $BIN/launcher ]] || make -C "$root" build >&2
[[ -x $BIN/vm && -x $BIN/launcher ]] || fail 2 "$BIN does not hold vm and launcher"

"$BIN/launcher" check --allow-incomplete "$dir"
"$BIN/launcher" replay "$dir"
"$BIN/launcher" replay --processes "${flags[@]}" "$dir"
