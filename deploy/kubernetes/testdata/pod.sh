#!/usr/bin/env bash
# Runs a command on a host of deploy/hosts.sh as a container of a pod: with a host name, a root
# that is read-only and holds only what is in the image, volumes, and a user without rights.
#
#   pod.sh HOST NAME ROOT USER SOURCE:TARGET... -- COMMAND [ARG...]
set -euo pipefail
host=$1
shift
enter=()
[[ $host == head ]] || enter=(nsenter --net="/proc/$(cat "/run/lamport/$host.process")/ns/net")

# shellcheck disable=SC2016 # it expands there
exec "${enter[@]}" unshare --mount --uts "$BASH" -c '
	set -euo pipefail
	hostname "$1"
	root=$2 user=$3
	shift 3
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	while [[ $1 != -- ]]; do
		mount --bind "${1%%:*}" "$root${1#*:}"
		shift
	done
	shift
	mount -o remount,bind,ro "$root"
	exec chroot --userspec="$user" "$root" "$@"' - "$@"
