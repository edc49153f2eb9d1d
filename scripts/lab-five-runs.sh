#!/usr/bin/env bash
# Runs the laboratory's model five times, a minute each; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-five-runs.sh [flags]

The laboratory's first experiment: three machines with rates drawn from 1 to 6
ticks per second, in five runs of one minute. How large are the jumps of the clocks?
How far do the clocks drift apart? How long do the queues get? Each run is a system of
its own, so up to ten of them are not averaged: each machine of each has its line, and
the findings and the picture begin with the run that has most to tell.
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
take_flags "$@"
grid=(--machines 3 --rates random)
lab
