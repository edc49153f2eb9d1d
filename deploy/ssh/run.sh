#!/usr/bin/env bash
# Runs the machines of one run on several hosts, by ssh; see --help.
set -euo pipefail

usage() {
	cat <<'END'
Usage: deploy/ssh/run.sh FILE [flags of launcher run]

Reads the hosts of a run from FILE, one per line (deploy/ssh/hosts.example), and runs
"launcher run --hosts" with them, with the other flags behind. The programs are built
if they are missing; where a host is of another platform than this one, those for all
platforms are built, too.

  deploy/ssh/run.sh my-hosts --duration 30s --tls

The environment variable SSH is the ssh program and its options (default: ssh), and BIN
the directory of vm and launcher (default: bin).

Exit code: that of "launcher run"; 2: the hosts cannot be read or reached.
END
}

fail() {
	echo "run.sh: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help)
	usage
	exit 0
	;;
"") fail "which hosts? Name a file with one per line; --help says more" ;;
esac
file=$1
shift
[[ -f $file && -r $file ]] || fail "$file cannot be read: want a file with a host per line"

hosts=()
while IFS= read -r line || [[ -n $line ]]; do
	line=${line%%#*}
	line=${line//[[:space:]]/}
	[[ -z $line ]] || hosts+=("$line")
done <"$file"
((${#hosts[@]})) || fail "$file names no host"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${BIN:-$root/bin}
[[ -x $BIN/launcher && -x $BIN/vm ]] || make -s -C "$root" build >&2

# The launcher says which host is of another platform, if any; it takes the program for
# that one from dist/.
read -ra ssh <<<"${SSH:-ssh}"
here=$(uname -sm)
for host in "${hosts[@]}"; do
	name=${host%%=*}
	[[ $name != -* ]] || fail "$name is not the name of a host"
	there=$("${ssh[@]}" -T -o ClearAllForwardings=yes -o RemoteCommand=none "$name" 'uname -sm' </dev/null) || fail "$name cannot be reached, or has no POSIX shell"
	if [[ $there != *"$here" && ! -d $root/dist ]]; then
		make -s -C "$root" cross >&2
	fi
done

IFS=,
exec "$BIN/launcher" run --hosts "${hosts[*]}" --ssh "${SSH:-ssh}" "$@"
