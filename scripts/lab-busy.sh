#!/usr/bin/env bash
# Makes internal events rarer and messages more frequent; see --help.
set -euo pipefail

usage() {
	cat <<'END_OF_USAGE'
Usage: scripts/lab-busy.sh [flags]

Makes internal events less likely: dice with 10, 5 and 3 faces, of which 1, 2 and 3
send a message; rates 1, 5 and 4. With ten faces, 70 % of the throws are internal
events; with five, 40 %; with three, none. Which machine drowns in messages?

  --rates LIST      ticks per second of the machines (default: 1,5,4)
END_OF_USAGE
}

# shellcheck source=scripts/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
RATES=${RATES:-1,5,4}
take_flag() {
	[[ $1 == --rates ]] || return
	RATES=$2
}
take_flags "$@"
grid=(--rates "$RATES" --die '10,5,3')
lab
