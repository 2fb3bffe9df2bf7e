#!/bin/bash
# tests/bench/queue.bash - berth's queue and BullMQ, in turn, on one Redis.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_JOBS (20000), BENCH_ROUNDS (3: of each figure the best), BENCH_QUEUE:
# the program tests/bench/queue.c
set -euo pipefail
cd "$(dirname "$0")/../.."
jobs=${BENCH_JOBS:-20000}
rounds=${BENCH_ROUNDS:-3}
tmp=$(mktemp -d)
# In memory where we may, so that no disk has its say: it is named below.
mounted=
! mount -t tmpfs tmpfs "$tmp" 2>/dev/null || mounted=1
sock=$tmp/redis.sock
peer=build/bench/bullmq
chmod 711 "$tmp"
mkdir "$tmp/state"

redis() {
    redis-cli -s "$sock" "$@"
}

redis-server --port 0 --unixsocket "$sock" --dir "$tmp" --save '' \
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
    redis ping >/dev/null 2>&1 && break
    sleep 0.05
done

mkdir -p "$peer"
cp tests/bench/bullmq/* "$peer"
[ -d "$peer/node_modules/bullmq" ] ||
    npm install --prefix "$peer" --no-audit --no-fund --silent >&2

ours() {
    redis flushall >/dev/null
    "$BENCH_QUEUE" "unix://$sock" "$tmp/state" "$@"
}
theirs() {
    redis flushall >/dev/null
    node "$peer/bench.mjs" "$sock" "$@"
}

# best WHICH COLUMN NUMBERS: the highest or the lowest of some
best() {
    awk -v which="$1" -v column="$2" '{
        v = $column
        if (NR == 1 || (which == "most" ? v > b : v < b)) b = v
    } END { print b }'
}

# report NAME VALUE UNIT PEER_VALUE WHICH
report() {
    awk -v name="$1" -v a="$2" -v unit="$3" -v b="$4" -v which="$5" 'BEGIN {
        r = which == "most" ? a / b : b / a
        printf "bench %s %s %s vs BullMQ %s ratio %.2f\n", name, a, unit, b, r
    }'
}

# compare NAME UNIT WHICH COLUMN WHAT…: in turn, so that both have the same
# weather
compare() {
    local name=$1 unit=$2 which=$3 column=$4
    shift 4
    : >"$tmp/ours"
    : >"$tmp/theirs"
    for _ in $(seq "$rounds"); do
        ours "$@" >>"$tmp/ours"
        theirs "$@" >>"$tmp/theirs"
    done
    report "$name" "$(best "$which" "$column" <"$tmp/ours")" "$unit" \
        "$(best "$which" "$column" <"$tmp/theirs")" "$which"
}

echo "# state and append-only file on $(stat -f -c %T "$tmp")"
for c in 1 10 50; do
    compare "queue-throughput-$c" jobs/s most 1 throughput "$jobs" "$c"
done
compare queue-submit jobs/s most 1 submit "$jobs"
compare queue-pickup-p50 ms least 1 pickup 1000
report queue-pickup-p99 "$(best least 2 <"$tmp/ours")" ms \
    "$(best least 2 <"$tmp/theirs")" least

# ---- doing nothing -----------------------------------------------------------
commands() {
    redis info stats | tr -d '\r' | awk -F: '
        $1 == "total_commands_processed" { print $2 }'
}
# idle_rate SECONDS: commands a second, our own two INFO taken away
idle_rate() {
    local before after
    before=$(commands)
    sleep "$1"
    after=$(commands)
    awk -v n=$((after - before - 1)) -v s="$1" 'BEGIN { printf "%.2f", n / s }'
}

redis flushall >/dev/null
node "$peer/bench.mjs" "$sock" idle 25 >"$tmp/rss" &
idler=$!
sleep 3
their_rate=$(idle_rate 20)
wait "$idler"
their_rss=$(awk '{ printf "%.1f", $1 / 1024 }' "$tmp/rss")

redis flushall >/dev/null
"$BERTH_BIN" worker --set redis.url="unix://$sock" --set state_dir="$tmp/worker" \
    >"$tmp/worker.log" 2>&1 &
idler=$!
sleep 5
our_rate=$(idle_rate 20)
our_rss=$(awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$idler/status")
report queue-idle-rss "$our_rss" MiB "$their_rss" least
report queue-idle-commands "$our_rate" commands/s "$their_rate" least

# ---- real jobs, each in a sandbox of its own -----------------------------------
redis flushall >/dev/null
runs=${BENCH_RUNS:-100}
"$BERTH_BIN" scheduler --redis "unix://$sock" --set state_dir="$tmp/scheduler" \
    --set pool.max_instances=2 >"$tmp/scheduler.log" 2>&1 &
keeper=$!
{
    for i in $(seq "$runs"); do
        printf -- '- {id: r-%s, pipeline: {name: t, sandbox: {instance_type: lite}, steps: [{run: "true"}]}}\n' "$i"
    done
} >"$tmp/jobs.yml"
from=$(date +%s%N)
"$BERTH_BIN" submit --redis "unix://$sock" --wait "$tmp/jobs.yml" >/dev/null
to=$(date +%s%N)
kill "$idler" "$keeper"
wait "$idler" # a daemon that did not end well fails the benchmark
wait "$keeper"
awk -v n="$runs" -v ns=$((to - from)) 'BEGIN {
    printf "bench queue-run-job %.1f jobs/s through run-job and a sandbox, 2 at a time\n",
           n * 1e9 / ns
}'
