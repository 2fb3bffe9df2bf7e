#!/bin/bash
# tests/fresh/vm.sh - the sandbox's tests on a pure cgroup v2 host.
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/fresh/vm.sh [TREE]
#
# Boots Debian's own kernel in a virtual machine (software emulation: no KVM
# is needed, but patience), where cgroup v2 has all its controllers, and runs
# tests there: as in a container (pid 1 in the root cgroup), in a delegated
# cgroup beside others, without delegation, as an ordinary user, and under
# systemd. TREE is a bare system of this host's release (debootstrap
# --variant=minbase); it is copied, never changed. Without one, debootstrap
# makes it. What was downloaded stays in build/vm. CASES=name,… runs only some
# (tests/fresh/vm/init.sh names them); VM_TIMEOUT is in seconds, for all.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${VM_CACHE:=build/vm}" "${VM_BUILD:=build/vm/programs}"
: "${VM_TIMEOUT:=3000}" "${CASES:=}"
packages=(crun runc slirp4netns e2fsprogs mount git python3 procps kmod
    busybox-static redis-server systemd)
# The kernel's modules that the guest needs before it has its root, and after.
early=(virtio_pci virtio_blk ext4)
unit=(cgroup oci oci_limits oci_life oci_network parts session)

die() {
    echo "tests/fresh/vm.sh: $*" >&2
    exit 2
}

# ---- outside: what is kept ---------------------------------------------------
build() {
    local -a programs=()
    local name
    for name in "${unit[@]}"; do
        programs+=("$VM_BUILD/tests/unit/worker/sandbox/${name}_test")
    done
    # Sanitizers are too slow on an emulated processor.
    make --no-print-directory -j"$(nproc)" BUILD="$VM_BUILD" SANITIZE= \
        programs "${programs[@]}"
}

outside() {
    local work status=0
    [ "$(id -u)" -eq 0 ] || die "needs root"
    [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
        die "needs Debian on amd64"
    deploy/deps.sh build vm
    build
    mkdir -p "$VM_CACHE"
    work=$(mktemp -d "${TMPDIR:-/tmp}/berth-vm.XXXXXX")
    # shellcheck disable=SC2064 # now, not later
    trap "rmdir '$work'" EXIT
    # The child of unshare is pid 1 of its namespace: with it everything dies,
    # and with the last process the mounts go. It dies with unshare, which only
    # a KILL ends.
    unshare --mount --propagation private --pid --fork --kill-child=KILL \
        bash tests/fresh/vm.sh --inside "$work" "${1:-}" </dev/null &
    trap 'kill -KILL %1; exit 130' INT TERM HUP
    wait $! || status=$?
    return "$status"
}

# ---- inside: the disk --------------------------------------------------------
# in_root COMMAND…: in the new system, without starting its services
in_root() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive \
        http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
        chroot "$root" "$@"
}

install_kernel() {
    local name
    name=$(in_root apt-cache depends linux-image-cloud-amd64 |
        awk '/Depends: linux-image-/ { print $2; exit }')
    # shellcheck disable=SC2016
    in_root sh -ec 'cd /tmp
        apt-get -qq download "$1"
        dpkg-deb -x linux-image-*.deb kernel
        mv kernel/boot/vmlinuz-* /boot
        mkdir -p /usr/lib/modules
        mv kernel/lib/modules/* /usr/lib/modules
        rm -rf kernel linux-image-*.deb
        depmod "$(ls /usr/lib/modules)"' sh "$name"
}

make_tree() {
    local tree=$1
    if [ -n "$tree" ]; then
        cp -a "$tree/." "$root"
    else
        debootstrap --variant=minbase "$suite" "$root"
    fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    echo 'Acquire::Retries "3";' >"$root/etc/apt/apt.conf.d/80retries"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    in_root apt-get -qq update
    in_root apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
        install "${packages[@]}"
    install_kernel
    in_root apt-get clean
    umount -l "$root/dev" "$root/proc"
}

# The same packages need not be fetched again.
fill_root() {
    local key kept
    key=$(printf '%s\n' "${packages[@]}" | cksum | cut -d ' ' -f 1)
    kept=$VM_CACHE/$suite-$key.tar
    if [ ! -e "$kept" ]; then
        echo "vm: making a $suite with a kernel ($VM_CACHE/tree.log)"
        make_tree "$1" >"$VM_CACHE/tree.log" 2>&1
        tar -C "$root" --one-file-system -cf "$kept.new" .
        mv "$kept.new" "$kept"
    else
        tar -C "$root" -xf "$kept"
    fi
}

# What was built, what it is linked with, and what the tests read.
copy_programs() {
    local top=$root/opt/berth name
    mkdir -p "$top/build/debug"
    cp -a tests schemas pipelines "$top"
    cp -a "$VM_BUILD/bin" "$VM_BUILD/libexec" "$VM_BUILD/tests" \
        "$top/build/debug"
    while read -r name; do
        [ -e "$root$name" ] || cp -L "$name" "$root$name"
    done < <(find "$VM_BUILD/bin" "$VM_BUILD/libexec" "$VM_BUILD/tests" \
        -type f -perm -u+x -exec ldd {} + 2>/dev/null |
        awk '$3 ~ /^\// { print $3 }' | sort -u)
    chmod -R go+rX "$top"
}

make_initrd() {
    local dir=$work/initrd file name
    mkdir -p "$dir/mod" "$dir/root" "$dir/dev" "$dir/proc"
    cp "$root/bin/busybox" "$dir"
    {
        printf '#!/busybox sh\n/busybox mount -t devtmpfs dev /dev\n'
        for file in $(in_root modprobe --all --set-version "$kernel" \
            --show-depends "${early[@]}" |
            awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
            name=$(basename "${file%.xz}")
            case $file in
            *.xz) "$root/bin/busybox" xzcat "$root$file" >"$dir/mod/$name" ;;
            *) cp "$root$file" "$dir/mod" ;;
            esac
            echo "/busybox insmod /mod/$name"
        done
        cat <<'END'
until [ -b /dev/vda ]; do /busybox sleep 0.1; done
/busybox mount -t ext4 /dev/vda /root
exec /busybox switch_root /root /opt/berth/tests/fresh/vm/init.sh
END
    } >"$dir/init"
    chmod 755 "$dir/init"
    (cd "$dir" && find . | "$root/bin/busybox" cpio -o -H newc) \
        >"$work/initrd.img" 2>/dev/null
}

# ---- inside: the machine -----------------------------------------------------
boot() {
    local kernel=$1 status=0
    : >"$work/results"
    # What the tests say comes over the second serial line, the kernel's own
    # words over the first.
    timeout --kill-after=10 "$VM_TIMEOUT" \
        qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$root/boot/vmlinuz-$kernel" -initrd "$work/initrd.img" \
        -drive "file=$work/disk.img,format=raw,if=virtio,cache=unsafe" \
        -serial "file:$work/console" -serial "file:$work/results" \
        -append "console=ttyS0 loglevel=4 panic=-1 cgroup_no_v1=all \
berth.cases=$CASES" </dev/null &
    qemu=$!
    tail -f --pid="$qemu" "$work/results" 2>/dev/null &
    wait "$qemu" || status=$?
    wait
    return "$status"
}

# Add up the lines that tests/run closes with; what did not come to its end has
# failed.
summary() {
    tr -d '\r' <"$work/results" | awk -v status="$1" -v limit="$VM_TIMEOUT" '
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
            passed += $1; failed += $3; skipped += $5
        }
        /^vm: case / { begun[$3] = 1 }
        /^vm: over / { delete begun[$3] }
        /^vm: the end$/ { ended = 1 }
        END {
            for (name in begun) {
                failed++
                print "failed: " name " did not come to its end"
            }
            if (!ended) {
                failed++
                print "failed: the machine did not come to its end" \
                    (status == 124 ? " within " limit " s" : "")
            }
            printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
            exit failed > 0 || !passed
        }'
}

inside() {
    local status=0 before=$SECONDS
    work=$1
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mount -t tmpfs -o mode=755,size=5g berth-vm "$work"
    root=$work/root
    mkdir "$root"
    fill_root "$2"
    kernel=$(basename "$root"/usr/lib/modules/*)
    copy_programs
    make_initrd
    truncate -s 6G "$work/disk.img"
    mkfs.ext4 -q -F -d "$root" "$work/disk.img"
    echo "vm: the disk is made ($((SECONDS - before)) s); $suite, Linux $kernel"
    boot "$kernel" || status=$?
    cp "$work/console" "$work/results" "$VM_CACHE"
    summary "$status" || {
        status=$?
        echo "vm: the kernel's last words ($VM_CACHE/console):"
        tail -n 20 "$work/console" | tr -d '\r' | sed 's/^/    | /'
        return 1
    }
}

case ${1:-} in
--inside)
    shift
    inside "$@"
    ;;
-*) die "usage: tests/fresh/vm.sh [TREE]" ;;
*) outside "$@" ;;
esac
