#!/usr/bin/env bash
# Runs the well-known cluster of three machines again and again; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-original.sh [flags]

The cluster that this project began with: machines with 1, 5 and 4 ticks per second,
on the ports 2050, 3050 and 4050. The ports are there once, so the runs come one
after the other: five of them take five minutes.

  --ports LIST      of the machines, or auto for any free ones (2050,3050,4050)
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
