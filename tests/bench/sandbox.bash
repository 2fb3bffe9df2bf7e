#!/bin/bash
# tests/bench/sandbox.bash - `true` in a sandbox, against bwrap, crun and Docker.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_ROUNDS (50), BENCH_SANDBOX: the program tests/bench/sandbox.c. Docker is
# a dockerd of our own with an image made by debootstrap, which stays in
# build/bench. As root.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
    echo "bench-sandbox: run it as root: it makes cgroups and starts dockerd" >&2
    exit 1
fi
PATH=$PATH:/usr/sbin:/sbin
rounds=${BENCH_ROUNDS:-50}
image=build/bench/rootfs.tar
tmp=$(mktemp -d)
chmod 711 "$tmp"
mkdir "$tmp/state"
daemon=
server=
finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$tmp"
    # The parents of what crun and Docker made.
    find /sys/fs/cgroup -depth -type d -path '*/berth-bench*' \
        -exec rmdir {} + 2>/dev/null || true
}
trap finish EXIT

# wait_for WHAT COMMAND…
wait_for() {
    local what=$1
    shift
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "bench-sandbox: $what does not start" >&2
    tail -n 5 "$tmp"/*.log >&2
    return 1
}

redis-server --port 0 --unixsocket "$tmp/redis.sock" --dir "$tmp" --save '' \
    --loglevel warning >"$tmp/redis.log" 2>&1 &
server=$!
wait_for Redis redis-cli -s "$tmp/redis.sock" ping

if [ ! -s "$image" ]; then
    mkdir -p build/bench
    # shellcheck source=/dev/null
    debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
        "$tmp/rootfs" >"$tmp/debootstrap.log" 2>&1 ||
        { tail "$tmp/debootstrap.log" >&2 && exit 1; }
    tar -C "$tmp/rootfs" -cf "$image.tmp" .
    mv "$image.tmp" "$image"
    rm -rf "$tmp/rootfs"
fi

# No bridge and no firewall rules: nothing of the host's network is touched.
dockerd --host "unix://$tmp/docker.sock" --data-root "$tmp/docker" \
    --exec-root "$tmp/exec" --pidfile "$tmp/docker.pid" --bridge none \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --cgroup-parent /berth-bench-docker --log-level warn >"$tmp/docker.log" 2>&1 &
daemon=$!
client() {
    docker -H "unix://$tmp/docker.sock" "$@"
}
wait_for dockerd client version
client import "$image" bench >/dev/null
client run -d --name running --network none bench sleep 100000 >/dev/null

echo "# $rounds rounds; state and images on $(stat -f -c %T "$tmp"); crun" \
    "$(crun --version | awk 'NR == 1 { print $3 }'), Docker" \
    "$(client version --format '{{.Server.Version}}')," \
    "$(uname -r), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
BERTH_STATE_DIR=$tmp/state "$BENCH_SANDBOX" "unix://$tmp/redis.sock" \
    "$tmp/state" "$rounds" "$tmp/docker.sock" bench running
client rm -f running >/dev/null
