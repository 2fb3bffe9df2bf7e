#!/bin/bash
# tests/bench/start.sh - how long `berth validate` takes, against node and git.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${BENCH_ROUNDS:-50}
: "${BERTH_BIN:=build/release/bin/berth}"

# median COMMAND…: milliseconds of one start, the median of all rounds
median() {
    local before after
    for _ in $(seq "$rounds"); do
        before=${EPOCHREALTIME/[.,]/}
        "$@" >/dev/null 2>&1 </dev/null
        after=${EPOCHREALTIME/[.,]/}
        echo $((after - before))
    done | sort -n | awk '{ v[NR] = $1 }
        END { printf "%.2f", v[int((NR + 1) / 2)] / 1000 }'
}

# report NAME VALUE UNIT PEER PEER_VALUE
report() {
    awk -v name="$1" -v value="$2" -v unit="$3" -v peer="$4" -v other="$5" \
        'BEGIN { printf "bench %s %s %s vs %s %s ratio %.3f\n",
                 name, value, unit, peer, other, value / other }'
}

ours=$(median "$BERTH_BIN" validate pipelines/library/test.yml)
report validate-start "$ours" ms true "$(median /bin/true)"
report validate-start "$ours" ms node "$(median node -e 0)"
report validate-start "$ours" ms git "$(median git --version)"
