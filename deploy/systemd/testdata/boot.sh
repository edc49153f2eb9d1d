#!/usr/bin/env bash
# boot.sh DIR: boots systemd as process 1 of namespaces of its own, until standard input
# ends. Its root is in memory: this host's programs, and over them what is in DIR. Of this
# host it changes nothing.
set -euo pipefail

case $1 in
--groups)
	# A control group of its own, below which systemd makes others. They are gone in the end.
	mount -t cgroup2 cgroup2 /mnt
	group=/mnt/lamport-$$
	mkdir "$group"
	# shellcheck disable=SC2317,SC2329 # the trap calls it
	cleanup() {
		local i
		[[ -z ${pid:-} ]] || kill -KILL "$pid" 2>/dev/null || true
		for ((i = 0; i < 100; i++)); do
			find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
			sleep 0.05
		done
	}
	trap cleanup EXIT
	trap 'exit 1' INT TERM HUP
	# shellcheck disable=SC2016 # it expands there
	setpriv --pdeathsig KILL bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$group" \
		unshare --pid --fork --kill-child --mount --net --uts --ipc --cgroup bash "$0" --inside "$2" </dev/null >&2 &
	pid=$!
	echo "$pid"
	cat >/dev/null # until the test ends
	exit
	;;
--inside) ;;
*) exec unshare --mount bash "$0" --groups "$1" ;;
esac
files=$2

# The new root. Everything of systemd's stays in it, and process 1 gets nothing else to see.
root=/mnt
mount --make-rprivate /
mount -t tmpfs -o mode=755 lamport-root "$root"
cd "$root"
mkdir -p etc/systemd/system proc sys dev run tmp usr var/lib var/log old
chmod 1777 tmp
for d in bin sbin lib lib32 lib64 libx32; do
	[[ ! -L /$d ]] || cp -a "/$d" .
done
mount --rbind -o ro /usr usr
mount -o remount,bind,ro usr
# Of the units that this host has, only those that a service cannot do without.
mkdir units
for unit in {sysinit,basic,shutdown,multi-user,network-online,network,local-fs,local-fs-pre,sockets,paths,slices,timers,umount}.target \
	systemd-journald.{service,socket} systemd-journald-dev-log.socket; do
	cp "/lib/systemd/system/$unit" units
done
mount -t tmpfs lamport-units usr/lib/systemd/system
mv units/* usr/lib/systemd/system
mount -t tmpfs -o mode=755 lamport-bin usr/local/bin
cp /etc/{passwd,group,nsswitch.conf,ld.so.cache} etc
cp -r /etc/alternatives etc
echo '127.0.0.1 localhost' >etc/hosts
cat >etc/systemd/system/machine.target <<-END
	[Unit]
	Requires=multi-user.target systemd-journald.socket
	After=multi-user.target systemd-journald.socket
END
cp -r "$files"/. .
mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 lamport-dev dev
mkdir dev/{shm,pts}
mount -t devpts -o newinstance,ptmxmode=0666 lamport-pts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
hostname machines
ip link set lo up
pivot_root . old
cd /
umount -l /old
rmdir /old
[[ $(stat -f -c %T /) == tmpfs && -z $(ls -A /tmp) ]] # of this host's root nothing is left
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared / # as systemd would on a host, which has credentials come through by that
export container=lamport
exec /lib/systemd/systemd --unit=machine.target --log-target=journal --show-status=no
