#!/usr/bin/env bash
# Lets a machine crash and the network split, and looks at what that does; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-faults.sh [flags]

Three machines (1, 5 and 4 ticks per second) three times: with nothing wrong; with a
crash of the fastest, which is killed at a third of the run and comes back from its
log after a tenth of it; and with a network that splits the fastest off for a fifth
of the run. No message may be lost, none come twice, and no clock go back: every run is
held against the laws. What do clocks and queues make of it?
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
take_flags "$@"
milliseconds "$DURATION"
((ms >= 100)) || fail 2 "--duration $DURATION: want at least 100ms, for something to happen in it"
crash="at $(span $((ms / 3))) kill 1 for $(span $((ms / 10)))"
split="at $(span $((ms / 3))) partition 1 | 0,2 for $(span $((ms / 5)))"
grid=(--rates '1,5,4' --faults none --faults "$crash" --faults "$split")
# The crash, in the middle of the picture.
picture=p2-t$(printf "%0${#TRIALS}d" 1)
picture_from=$(span $((ms / 3 > 3000 ? ms / 3 - 3000 : 0)))
lab
