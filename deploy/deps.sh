#!/bin/bash
# deploy/deps.sh - install the Debian packages that a purpose lacks.
# SPDX-License-Identifier: Apache-2.0
#
# usage: deploy/deps.sh build|run|test|check|bench…
#
# Says which packages are missing and why, installs them (as root or through
# sudo), and is silent and quick when nothing is. What counts is that the
# thing is there, not that it came as a package.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin

# purpose | package | what for | how to see that it is there
packages() {
    cat <<'END'
build|gcc|compiles berth|command gcc
build|make|builds berth|command make
build|libc6-dev|the C library's headers|header stdio.h
build|pkg-config|finds the libraries|command pkg-config
build|libhiredis-dev|talks to Redis|library hiredis
build|libssl-dev|TLS to Redis and out of the gateway|library openssl
build|libc-ares-dev|looks hosts up for sandboxes|library libcares
build|libgit2-dev|checks repositories out|library libgit2
build|libyaml-dev|reads pipelines|library yaml-0.1
build|libjansson-dev|reads and writes JSON|library jansson
build|libseccomp-dev|filters system calls|library libseccomp
build|libzstd-dev|compresses logs|library libzstd
build|libcurl4-openssl-dev|talks HTTP|library libcurl
build|libexpat1-dev|reads the XML of S3 servers|library expat
run|redis-server|the queue that jobs go through|command redis-server
run|crun|starts sandboxes (runc will do)|command crun runc
run|slirp4netns|the network of a sandbox that asks for one|command slirp4netns
run|libc-bin|looks up the name of a host that has Redis|command getent
run|git|serves local repositories to checkout|command git
run|openssh-client|fetches repositories over ssh|command ssh
run|e2fsprogs|a disk of limited size per sandbox|command mkfs.ext4
run|mount|mounts it|command losetup
run|nodejs|runs the example project|command node
run|npm|installs its dependencies|command npm
run|tzdata|the time zones of schedules|file /usr/share/zoneinfo/Europe/Berlin
run|ca-certificates|trusts the npm registry|file /etc/ssl/certs/ca-certificates.crt
test|libcmocka-dev|the unit tests' framework|library cmocka
test|clang|fuzzers, and the second compiler|command clang
test|libclang-rt-dev|fuzzers and sanitizers of clang|clang_runtime
test|python3|what the tests run in sandboxes|command python3
test|redis-tools|makes a cluster of Redis|command redis-cli
test|openssl|certificates for the tests' servers|command openssl
test|runc|the other runtime|command runc
test|busybox-static|a root file system as an image|file /bin/busybox
test|libfaketime|clocks that are wrong|faketime
test|iproute2|networks that a test makes for itself|command ip
test|procps|tests look for processes left behind|command pgrep
test|curl|talks to the ports of sandboxes, and to Docker|command curl
docker|docker.io|the engine that sandboxes are tried with|command dockerd
docker|debootstrap|makes an image for it|command debootstrap
docker|skopeo|copies images|command skopeo
docker|umoci|unpacks them|command umoci
docker|docker-registry|serves them|command docker-registry
docker|busybox-static|is in them|file /bin/busybox
bench|bubblewrap|a sandbox to compare with|command bwrap
bench|docker.io|containers to compare with|command dockerd
bench|debootstrap|makes their image|command debootstrap
vm|qemu-system-x86|emulates a machine with cgroup v2|command qemu-system-x86_64
vm|debootstrap|makes its system|command debootstrap
vm|e2fsprogs|makes its disk|command mkfs.ext4
vm|libcmocka-dev|the unit tests' framework|library cmocka
check|clang-format|the format of the source|command clang-format
check|clang-tidy|static analysis|command clang-tidy
check|shellcheck|static analysis of scripts|command shellcheck
check|gcovr|the table of coverage|command gcovr
END
}

has_command() {
    local name
    for name in "$@"; do
        ! command -v "$name" >/dev/null || return 0
    done
    return 1
}
has_header() {
    [ -e "/usr/include/$1" ]
}
has_library() {
    has_command pkg-config && pkg-config --exists "$1"
}
has_file() {
    [ -s "$1" ]
}
has_faketime() {
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null
}
has_clang_runtime() {
    local -a found
    has_command clang || return 1
    found=("$(clang -print-resource-dir)"/lib/linux/libclang_rt.fuzzer-*.a)
    [ -e "${found[0]}" ]
}

# The real name of a package here, after `apt-get update`.
real_name() {
    local version
    if [ "$1" != libclang-rt-dev ]; then
        echo "$1"
        return
    fi
    version=$(apt-cache depends clang | grep -oE 'clang-[0-9]+$' | head -n 1)
    echo "libclang-rt-${version#clang-}-dev"
}

# Packages that start a service must not do so because of us: berth starts a
# private redis-server of its own. A service that was there before stays.
without_services() {
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=$policy
    fi
    # shellcheck disable=SC2064 # now, not later
    trap "rm -f '$made'" EXIT
    "$@"
}

disable_redis() {
    if [ -d /run/systemd/system ]; then
        systemctl disable --quiet redis-server.service
    fi
    if has_command update-rc.d && [ -e /etc/init.d/redis-server ]; then
        update-rc.d redis-server disable >/dev/null || true
    fi
}

install() {
    local -a names=()
    local name
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    for name in "$@"; do
        names+=("$(real_name "$name")")
    done
    apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 install "${names[@]}" >/dev/null
}

missing=()
lines=()
find_missing() {
    local purpose package why check wanted
    while IFS='|' read -r purpose package why check; do
        for wanted in "$@"; do
            [ "$wanted" = "$purpose" ] || continue
            # shellcheck disable=SC2086 # a function and its arguments
            has_$check && continue
            missing+=("$package")
            lines+=("$(printf '  %-20s %s' "$package" "$why")")
        done
    done < <(packages)
}

[ $# -gt 0 ] || {
    echo "usage: deploy/deps.sh build|run|test|check…" >&2
    exit 2
}
for purpose in "$@"; do
    packages | grep -q "^$purpose|" || {
        echo "deps.sh: unknown purpose '$purpose'" >&2
        exit 2
    }
done

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] && has_command sudo && has_command apt-get; then
    exec sudo -- "$BASH" "$0" "$@"
fi
echo "berth needs packages that this host lacks:" >&2
printf '%s\n' "${lines[@]}" >&2
if ! has_command apt-get dpkg; then
    echo "These are Debian's names, and this is no Debian: install them" \
        "with your package manager." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "There is no sudo. As root: apt-get install" \
        "--no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "installing them" >&2
without_services install "${missing[@]}"
case " ${missing[*]} " in
*" redis-server "*) disable_redis ;;
esac
