#!/usr/bin/env bash
# Crashes a machine and partitions the network, and shows the effect; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-faults.sh [flags]

Runs three machines (1, 5 and 4 ticks per second) in three ways: without faults; with
a crash of the fastest machine, which is killed after a third of the run and recovers
from its log after another tenth; and with a network partition that isolates the
fastest machine for a fifth of the run. No message may be lost or received twice, and
no clock may go backwards: every run is checked against the laws. What happens to the
clocks and the queues?
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
take_flags "$@"
milliseconds "$DURATION"
((ms >= 100)) || fail 2 "--duration $DURATION: want at least 100ms, so that something can happen"
crash="at $(span $((ms / 3))) kill 1 for $(span $((ms / 10)))"
split="at $(span $((ms / 3))) partition 1 | 0,2 for $(span $((ms / 5)))"
grid=(--rates '1,5,4' --faults none --faults "$crash" --faults "$split")
# Put the crash in the middle of the picture.
picture=p0002-t0001
picture_from=$(span $((ms / 3 > 3000 ? ms / 3 - 3000 : 0)))
lab
