#!/usr/bin/env bash
# Brings the rates of three machines closer and closer; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-close-rates.sh [flags]

Brings the rates closer together: 1,5,3, then 2,4,3, then 3,3,3 ticks per second,
each time nine in total. What happens to jumps, drift, gaps and queues when the
machines are nearly, and then exactly, equally fast?
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
take_flags "$@"
grid=(--rates '1,5,3;2,4,3;3,3,3')
lab
