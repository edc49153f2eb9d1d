#!/usr/bin/env bash
# Checks a recorded run and replays it in two ways; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/replay.sh [flags] RUN_DIR

Takes a recorded run, checks it against the laws, and replays it: first in one
process, then with vm processes over TCP. Both replays must come out exactly as
recorded, field by field, except for the global time.

  --pace max|recorded  pace of the processes (default: max)
  --out DIR            directory for the processes' run (default:
                       runs/<time>-<name>-replay)

BIN is the directory of vm and launcher (default: bin; they are built if missing).

Exit code: 0 if the run came out the same; 1 if a law is broken or something differs,
which is shown; 2 if the run cannot be read, or cannot be replayed with processes.
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
[[ -x $BIN/vm && -x $BIN/launcher ]] || fail 2 "$BIN does not contain vm and launcher"

"$BIN/launcher" check --allow-incomplete "$dir"
"$BIN/launcher" replay "$dir"
"$BIN/launcher" replay --processes "${flags[@]}" "$dir"
