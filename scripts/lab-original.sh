#!/usr/bin/env bash
# Runs the original cluster of three machines several times; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-original.sh [flags]

The cluster that this project began with: machines with 1, 5 and 4 ticks per second,
on ports 2050, 3050 and 4050. Only one run at a time can use these ports, so five runs
take five minutes.

  --ports LIST      ports of the machines, or auto for free ones
                    (default: 2050,3050,4050)
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
PORTS=${PORTS:-2050,3050,4050}
take_flag() {
	[[ $1 == --ports ]] || return
	PORTS=$2
}
take_flags "$@"
grid=(--rates '1,5,4')
real_only=(--ports "$PORTS")
lab
