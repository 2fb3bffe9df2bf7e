#!/bin/bash
# tests/fresh/vm/init.sh - pid 1 of the virtual machine of tests/fresh/vm.sh.
# SPDX-License-Identifier: Apache-2.0
#
# Runs the cases one after the other, then becomes systemd, which runs the
# rest as services. Results go to the second serial line.
set -uo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cg=/sys/fs/cgroup
top=/opt/berth
here=$top/tests/fresh/vm

mounts() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mountpoint -q /dev || mount -t devtmpfs dev /dev
    mkdir -p /dev/pts /dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t tmpfs -o mode=755 run /run
    mount -t tmpfs -o mode=1777 tmp /tmp
    mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 "$cg"
    mount -o remount,rw /
    ln -sfn /proc/self/fd /dev/fd
    modprobe -a loop overlay tun
    chmod 666 /dev/net/tun
    # Without a swap nothing could show that jobs get none of it.
    dd if=/dev/zero of=/swap bs=1M count=512 status=none
    chmod 600 /swap
    mkswap -q /swap
    swapon /swap
    busybox ip link set lo up
    busybox hostname vm
}

# say TEXT…: on the second serial line
say() {
    printf '%s\n' "$*" >/dev/ttyS1
}

# in_group GROUP COMMAND…: as a process of a cgroup
in_group() {
    local group=$1
    shift
    mkdir -p "$cg$group"
    (
        echo "$BASHPID" >"$cg$group/cgroup.procs" || exit 2
        exec "$@"
    )
}

wanted() {
    [[ -z $cases || ,$cases, == *",$1,"* ]]
}

hand_down() {
    local dir=$cg part
    for part in '' "$@"; do
        dir=$dir${part:+/$part}
        echo '+cpu +memory +pids' >"$dir/cgroup.subtree_control"
    done
}

case_root() {
    "$here/case.sh" root / limits units
}

# As systemd makes it: an attribute, siblings, and processes in it.
case_delegated() {
    mkdir -p "$cg/system.slice/other.service"
    hand_down system.slice
    sleep 10000 &
    other=$!
    echo "$other" >"$cg/system.slice/other.service/cgroup.procs"
    mkdir "$cg/system.slice/berth.service"
    python3 -c 'import os, sys
os.setxattr(sys.argv[1], "trusted.delegate", b"1")' \
        "$cg/system.slice/berth.service"
    SIBLING=$cg/system.slice/other.service \
        in_group /system.slice/berth.service \
        "$here/case.sh" delegated /system.slice/berth.service \
        limits units runc limits
    kill "$other"
}

# Root, but in a cgroup that nobody gave us: we use the top.
case_undelegated() {
    in_group /system.slice/plain.service \
        "$here/case.sh" undelegated / limits
}

case_refused() {
    in_group /system.slice/plain.service \
        unshare --mount --propagation private \
        "$here/case.sh" refused / containers
}

case_rootless() {
    mkdir -p "$cg/user.slice"
    hand_down user.slice
    "$here/case.sh" rootless / rootless
}

become_systemd() {
    local unit=/etc/systemd/system/berth.service
    cat >"$unit" <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
Delegate=yes
Environment=HOME=/root LANG=C.UTF-8
TimeoutStartSec=infinity
ExecStart=$here/case.sh systemd /system.slice/berth.service limits limits
[Install]
WantedBy=vm.target
END
    sed -e '/Delegate/d' \
        -e "s|systemd /system.*|systemd-plain / limits|" \
        -e '/Unit/aAfter=berth.service' "$unit" >"${unit%.service}-plain.service"
    cat >"${unit%.service}-end.service" <<END
[Unit]
DefaultDependencies=no
After=berth-plain.service
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'echo "vm: the end" >/dev/ttyS1; sleep 1'
ExecStart=/bin/busybox poweroff -f
END
    cat >"/etc/systemd/system/vm.target" <<END
[Unit]
DefaultDependencies=no
Wants=berth.service berth-plain.service berth-end.service
END
    # What is left of ours would be in the way of the units of that name.
    find "$cg" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
    say "vm: case systemd"
    say "vm: case systemd-plain"
    exec /lib/systemd/systemd --unit=vm.target --log-level=warning \
        --show-status=no
}

cd "$top" || exit 2
mounts
stty -F /dev/ttyS1 raw
read -r line </proc/cmdline
cases=${line##*berth.cases=}
cases=${cases%% *}
say "vm: Linux $(uname -r), $(tr ' ' ',' <"$cg/cgroup.controllers")"
for name in root delegated undelegated refused rootless; do
    wanted "$name" || continue
    say "vm: case $name"
    "case_$name" </dev/null >/dev/ttyS1 2>&1
done
if wanted systemd; then
    become_systemd
fi
say "vm: the end"
sleep 1
busybox poweroff -f
