#!/bin/bash
# tests/bench/review.bash - reviews by berth against opencode by itself, and
# the relay of models against none.
# SPDX-License-Identifier: Apache-2.0
#
# BENCH_ROUNDS (7), BENCH_PARTS ("reviews relay"), BENCH_TOOLS: a directory
# where opencode was set up, or will be (build/bench/opencode)
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${BENCH_TOOLS:-$PWD/build/bench/opencode}

[ "$(id -u)" = 0 ] || { echo "bench-review: needs root" >&2; exit 1; }
if [ ! -e "$tools/tools/opencode.json" ]; then
    mkdir -p "$tools"
    BERTH_STATE_DIR=$tools "$BERTH_BIN" setup opencode >&2
fi
tmp=$(mktemp -d)
trap 'rm -rf --one-file-system "$tmp"' EXIT
chmod 711 "$tmp"
mkdir -m 711 "$tmp/state"
ln -s "$tools/tools" "$tmp/state/tools"

echo "# $(nproc) processors, load $(cut -d ' ' -f 1 /proc/loadavg);" \
    "both ways $(stat -f -c %T "$tmp"); memory: of a sandbox its cgroup's," \
    "else the process's"
status=0
node tests/bench/review.js "$tmp" || status=$?
[ "$status" = 0 ] || tail -n 20 "$tmp/up.log" >&2 || true
exit "$status"
