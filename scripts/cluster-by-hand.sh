#!/usr/bin/env bash
# Starts three machines one by one, as a person would; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: scripts/cluster-by-hand.sh [flags]

Starts three vm processes one by one, without the launcher and in no particular
order. Waits for them, prints what each has done, and checks their logs against the
laws. On a terminal with tmux, each machine has its own pane, and Ctrl-C in a pane
stops that machine in an orderly way. Otherwise they run in the background.

  --duration TIME   how long to run (default: 10s)
  --rates LIST      ticks per second of the three machines (default: 1,5,4)
  --ports LIST      their ports (default: 2050,3050,4050)
  --seed NUMBER     decides every throw of the dice (default: drawn)
  --out DIR         directory for the logs (default: runs/hand-<process id>)
  --panes yes|no    show each machine in a tmux pane (default: yes on a terminal
                    with tmux)

Each flag can also be set by an environment variable (DURATION, …). BIN is the
directory of vm and launcher (default: bin; they are built if missing).

Exit code: that of "launcher check", 130 after Ctrl-C, or that of a machine that
failed.
END
}

# shellcheck source=scripts/machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"
export PORTS=${PORTS:-2050,3050,4050} PANES=${PANES:-}
self=$root/scripts/cluster-by-hand.sh
order=(2 0 1)

take_flag() {
	case $1 in
	--ports) PORTS=$2 ;;
	--panes) PANES=$2 ;;
	*) return 1 ;;
	esac
}

# machine replaces this process by machine $1.
machine() {
	local id=$1 peers="" i
	for i in 0 1 2; do
		((i == id)) || peers+=,127.0.0.1:${ports[i]}
	done
	exec "$BIN/vm" --id "$id" --port "${ports[id]}" --peers "${peers#,}" --rate "${rates[id]}" \
		--duration "$DURATION" --seed "$SEED" --run "$RUN" --log-dir "$OUT" --connect-timeout 30s
}

# pane runs machine $PANE in its pane, and also keeps what it prints.
pane() {
	local code
	trap : INT # Ctrl-C is meant for the machine
	set +e
	machine "$PANE" 2> >(tee -i "$OUT/vm_$PANE.stderr" >&2) | tee -i "$OUT/vm_$PANE.txt"
	code=${PIPESTATUS[0]}
	echo "$code" >"$OUT/vm_$PANE.code"
}

in_panes() {
	local id
	server=lamport-$$
	trap 'tmux -L "$server" kill-server 2>/dev/null || true' EXIT
	for id in "${order[@]}"; do
		if ((id == order[0])); then
			tmux -L "$server" new-session -d -s machines -x "$(tput cols)" -y "$(tput lines)" "PANE=$id exec '$self'"
		else
			tmux -L "$server" split-window -t machines "PANE=$id exec '$self'"
			tmux -L "$server" select-layout -t machines even-vertical
		fi
	done
	env -u TMUX tmux -L "$server" attach -t machines || true
	while tmux -L "$server" has-session -t machines 2>/dev/null; do
		sleep 0.2 # the user has detached
	done
	for id in 0 1 2; do
		case $(cat "$OUT/vm_$id.code" 2>/dev/null) in
		0) ;;
		130) interrupted=1 ;;
		*) fail 2 "machine $id failed: $(tail -n 1 "$OUT/vm_$id.stderr")" ;;
		esac
		rm "$OUT/vm_$id.code"
	done
}

in_background() {
	local id
	trap stop EXIT
	for id in "${order[@]}"; do
		launch "$id" machine "$id"
	done
	await || exit
	trap - EXIT
}

take_flags "$@"
IFS=, read -ra ports <<<"$PORTS"
((${#ports[@]} == 3)) || fail 2 "--ports $PORTS: want three, such as 2050,3050,4050"
if [[ -n ${PANE-} ]]; then
	pane
	exit
fi
if [[ -z $PANES ]]; then
	PANES=no
	[[ ! -t 0 || ! -t 1 ]] || ! command -v tmux >/dev/null || PANES=yes
fi
need_programs
make_dir
case $PANES in
yes) in_panes ;;
no) in_background ;;
*) fail 2 "--panes $PANES: want yes or no" ;;
esac
result
