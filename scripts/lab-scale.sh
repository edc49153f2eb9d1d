#!/usr/bin/env bash
# Runs the model with more and more machines; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-scale.sh [flags]

Runs the same model with 3, 10 and 100 machines, with rates drawn from 1 to 6 ticks
per second. Each machine sends as often as before, but now to one or two among many.
Are the clocks further apart? Are the queues longer?

  --machines LIST   numbers of machines (default: 3,10,100)
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
