#!/usr/bin/env bash
# dockerd.sh DIR: runs a Docker daemon in namespaces of its own, until standard input ends.
# Its images, volumes and socket are in DIR. Of this host it changes nothing, and nothing of
# it is left but DIR.
set -euo pipefail

case $1 in
--inside) dir=$2 parent=$3 ;;
*)
	parent=lamport-$$
	# Control groups are the only thing that outlives the namespaces.
	# shellcheck disable=SC2317,SC2329 # the trap calls it
	cleanup() {
		local i
		[[ -z ${pid:-} ]] || kill -KILL "$pid" 2>/dev/null || true
		[[ -z ${pid:-} ]] || wait "$pid" || true
		for ((i = 0; i < 100; i++)); do
			find /sys/fs/cgroup -depth -type d -path "*/$parent*" -exec rmdir {} + 2>/dev/null || true
			[[ -n $(find /sys/fs/cgroup -type d -name "$parent" -print -quit 2>/dev/null) ]] || break
			sleep 0.05
		done
	}
	trap cleanup EXIT
	trap 'exit 1' INT TERM HUP
	setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc --mount --net --uts --ipc \
		bash "$0" --inside "$1" "$parent" </dev/null >&2 &
	pid=$!
	exec 3<&0
	cat <&3 >/dev/null & # until the test ends
	wait -n              # or the daemon does
	exit
	;;
esac

mount --make-rprivate /
mkdir "$dir"/{etc,images,state}
# What it writes outside of DIR: keys to /etc/docker, sockets to /run.
mount -t tmpfs lamport-etc "$dir/etc"
cp -a /etc/. "$dir/etc"
rm -rf "$dir/etc/docker"
mount --bind "$dir/etc" /etc
mount -t tmpfs -o mode=755 lamport-run /run
# It would leave a profile in the kernel.
apparmor=/sys/module/apparmor/parameters/enabled
[[ ! -e $apparmor ]] || mount --bind /dev/null "$apparmor"
ip link set lo up
# Layers that lie over each other take no copies, but a container's own root cannot do that.
driver=vfs
mkdir "$dir"/{lower,upper,work,merged}
if mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/merged" 2>/dev/null; then
	driver=overlay2
	umount "$dir/merged"
fi
exec dockerd --storage-driver "$driver" --data-root "$dir/images" --exec-root "$dir/state" --pidfile "$dir/pid" \
	--cgroup-parent "$parent" --host "unix://$dir/docker.sock" --log-level error
