#!/usr/bin/env bash
# Runs more and more machines; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-scale.sh [flags]

The same model with 3, 10 and 100 machines, rates drawn from 1 to 6 ticks per
second. Each sends as often as before, now to one or two among many. Are the clocks
further apart, the queues longer?

  --machines LIST   numbers of machines (3,10,100)
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
MACHINES=${MACHINES:-3,10,100}
take_flag() {
	[[ $1 == --machines ]] || return
	MACHINES=$2
}
take_flags "$@"
grid=(--rates random --machines "$MACHINES")
lab
