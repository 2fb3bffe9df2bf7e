#!/bin/bash
# tests/bench/report.bash - webhooks to jobs, and findings to a Git host.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_DELIVERIES (1000), BENCH_RATE (4 a second, of those that are timed one by
# one), BENCH_FINDINGS (500), BENCH_FILES (200). The Git host is
# tests/fakes/forge.
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
# In memory where we may, so that no disk has its say: it is named below.
mounted=
! mount -t tmpfs tmpfs "$tmp" 2>/dev/null || mounted=1
chmod 711 "$tmp"
peer=build/bench/report

redis-server --port 0 --unixsocket "$tmp/redis.sock" --dir "$tmp" --save '' \
    --appendonly yes --appendfsync everysec --maxmemory-policy noeviction \
    --daemonize no --loglevel warning >"$tmp/redis.log" 2>&1 &
server=$!
finish() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    [ -z "$mounted" ] || umount -l "$tmp"
    rm -rf "$tmp"
}
trap finish EXIT
for _ in $(seq 200); do
    redis-cli -s "$tmp/redis.sock" ping >/dev/null 2>&1 && break
    sleep 0.05
done

mkdir -p "$peer"
cp tests/bench/report/* "$peer"
[ -d "$peer/node_modules/@octokit/webhooks" ] ||
    npm install --prefix "$peer" --no-audit --no-fund --silent >&2

echo "# state and append-only file on $(stat -f -c %T "$tmp"); $(nproc)" \
    "processors, load $(cut -d' ' -f1 /proc/loadavg); node $(node --version)"
BENCH_PEER=$(realpath "$peer/peer.mjs") node tests/bench/report.js "$tmp"
