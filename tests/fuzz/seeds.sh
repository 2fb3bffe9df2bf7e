#!/bin/bash
# tests/fuzz/seeds.sh - every fuzzer for a while, from the seeds it is given.
# SPDX-License-Identifier: Apache-2.0
# timeout 100000
# serial
#
# BERTH_FUZZERS is the directory of the fuzzers, FUZZ_SECONDS the time of each
# (10). The seeds of NAME_fuzz are all files below tests/fuzz/seeds/NAME and
# tests/corpus/NAME. What breaks one is left in build/fuzz-findings.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${FUZZ_SECONDS:-10}
fuzzers=${BERTH_FUZZERS:-$top/build/debug/fuzz}
findings=$top/build/fuzz-findings

gather_seeds() {
    local name=$1 dir=$2 number=0 file
    mkdir -p "$dir"
    while IFS= read -r -d '' file; do
        number=$((number + 1))
        cp "$file" "$dir/$number"
    done < <(find "$top/tests/fuzz/seeds/$name" "$top/tests/corpus/$name" \
        -type f -size -64k -print0 2>/dev/null)
    echo "$number"
}

fuzz() {
    local program=$1 name=$2 seeds=$3
    mkdir -p "$findings" "$TEST_TMP/$name.new"
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1500 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$findings/$name-" \
        "$TEST_TMP/$name.new" "$seeds"
}

for source in "$top"/tests/fuzz/*_fuzz.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" _fuzz.c)
    if ! command -v clang >/dev/null; then
        skip "$name" "there is no clang"
        continue
    fi
    count=$(gather_seeds "$name" "$TEST_TMP/$name.seeds")
    ok "$name: $seconds s from $count seeds" \
        fuzz "$fuzzers/${name}_fuzz" "$name" "$TEST_TMP/$name.seeds"
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec)' \
        "$TEST_TMP/.tap" | sed 's/^/# /'
done
done_testing
