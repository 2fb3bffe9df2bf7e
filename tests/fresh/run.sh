#!/bin/bash
# tests/fresh/run.sh - `make run` and `make test` in a bare Debian.
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/fresh/run.sh bookworm|trixie [TREE [COMMAND…]]
#
# TREE is a bare system (debootstrap --variant=minbase with make and
# ca-certificates); it is copied, never changed. Without one, debootstrap makes
# it. The copy is entered with pivot_root in mount and pid namespaces of its
# own, so all that happens there is gone at the end, however it ends. (In a
# chroot the kernel refuses user namespaces.) It sees the machine's network,
# cgroups, devices and trust store. COMMAND replaces the usual sequence.
set -euo pipefail

usage() {
    echo "usage: tests/fresh/run.sh bookworm|trixie [TREE [COMMAND…]]" >&2
    exit 2
}

# ---- outside: the copy, and the namespaces ---------------------------------
# What names the trust store in the environment of some program.
trust_variables=(SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
    CURL_CA_BUNDLE GIT_SSL_CAINFO REQUESTS_CA_BUNDLE
    http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY)
bundle=/etc/ssl/certs/ca-certificates.crt

fill_root() {
    local root=$1 dist=$2 tree=$3
    if [ -n "$tree" ]; then
        cp -a "$tree/." "$root"
    else
        debootstrap --variant=minbase --include=make,ca-certificates \
            "$dist" "$root" >&2
    fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp -L /etc/hosts "$root/etc/hosts"
    if [ -s "$bundle" ]; then
        mkdir -p "$root$(dirname "$bundle")"
        cp -L "$bundle" "$root$bundle"
    fi
    if [ -d /usr/local/share/ca-certificates ]; then
        mkdir -p "$root/usr/local/share/ca-certificates"
        cp -a /usr/local/share/ca-certificates/. \
            "$root/usr/local/share/ca-certificates"
    fi
    echo 'Acquire::Retries "3";' >"$root/etc/apt/apt.conf.d/80retries"
}

# The tree as it would be committed: nothing built, nothing ignored.
copy_sources() {
    mkdir -p "$2"
    git -C "$1" -c safe.directory='*' ls-files -z --cached --others \
        --exclude-standard |
        tar -C "$1" --null --files-from=- --ignore-failed-read -c |
        tar -C "$2" --no-same-owner -x
}

pass_environment() {
    local name
    for name in "${trust_variables[@]}"; do
        [ -z "${!name:-}" ] || printf '%s=%s\n' "$name" "${!name}"
    done
    if [ -s "$bundle" ]; then
        printf '%s\n' "npm_config_cafile=$bundle"
    fi
}

outside() {
    local dist=$1 tree=${2:-} work status=0
    local -a environment
    case $dist in
    bookworm | trixie) ;;
    *) usage ;;
    esac
    [ "$(id -u)" -eq 0 ] || {
        echo "tests/fresh/run.sh: needs root" >&2
        exit 2
    }
    shift
    [ $# -eq 0 ] || shift
    work=$(mktemp -d "${TMPDIR:-/tmp}/berth-fresh.XXXXXX")
    # shellcheck disable=SC2064 # now, not later
    trap "rmdir '$work'" EXIT
    trap 'exit 130' INT
    mapfile -t environment < <(pass_environment)
    # The child of unshare is pid 1 of its namespace: with it everything dies,
    # and with the last process the mounts go.
    unshare --mount --propagation private --pid --fork --kill-child=KILL \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM="${TERM:-dumb}" "${environment[@]}" \
        bash "$0" --inside "$dist" "$tree" "$work" "$@" || status=$?
    return "$status"
}

# ---- inside ----------------------------------------------------------------
enter() {
    local work=$1
    mount -t proc proc "$work/proc"
    mount --rbind /sys "$work/sys"
    mount --rbind /dev "$work/dev"
    mkdir "$work/.old"
    cd "$work"
    pivot_root . .old
    # What is open in the old root (this script) stays readable.
    umount -l /.old
    rmdir /.old
    cd /opt/berth
}

timed() {
    local name=$1 before status=0
    shift
    before=$EPOCHSECONDS
    echo "fresh: $dist: $name"
    "$@" </dev/null || status=$?
    figures+=("$name: $((EPOCHSECONDS - before)) s, exit $status")
    [ "$status" -eq 0 ] || failed=1
}

report() {
    local line
    for line in "${figures[@]}"; do
        echo "fresh: $dist: $line"
    done
}

sequence() {
    timed "make run, on a bare system" make run
    timed "make run, again" make run
    timed "make test" make test
    if pgrep -x redis-server >/dev/null; then
        figures+=("redis-server is running: $(pgrep -a redis-server)")
        failed=1
    fi
    figures+=("node $(node --version), gcc $(gcc -dumpversion)")
}

inside() {
    local work top
    dist=$1 failed=0
    figures=()
    work=$3
    top=$(cd "$(dirname "$0")/../.." && pwd)
    mount -t tmpfs -o mode=755,size=12g berth-fresh "$work"
    fill_root "$work" "$dist" "$2"
    copy_sources "$top" "$work/opt/berth"
    shift 3
    enter "$work"
    if [ $# -gt 0 ]; then
        timed "$*" "$@"
    else
        sequence
    fi
    report
    exit "$failed"
}

case ${1:-} in
--inside)
    shift
    inside "$@"
    ;;
'' | -*) usage ;;
*) outside "$@" ;;
esac
