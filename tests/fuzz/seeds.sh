#!/bin/bash
# tests/fuzz/seeds.sh - every fuzzer for a while, from the seeds it is given.
# SPDX-License-Identifier: Apache-2.0
# timeout 100000
# long 60
#
# BERTH_FUZZERS is the directory of the fuzzers, FUZZ_SECONDS the time of each
# (5), FUZZ_JOBS how many run at a time (one a processor). The seeds of NAME_fuzz
# are all files below tests/fuzz/seeds/NAME and tests/corpus/NAME. What breaks one
# is left in build/fuzz-findings.
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${FUZZ_SECONDS:-5}
jobs=${FUZZ_JOBS:-$(nproc)}
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

# Other tests wait for something meanwhile: they come first.
fuzz() {
    local name=$1
    mkdir -p "$findings" "$TEST_TMP/$name.new"
    nice -n 10 "$fuzzers/${name}_fuzz" -max_total_time="$seconds" -timeout=25 \
        -rss_limit_mb=1500 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$findings/$name-" \
        "$TEST_TMP/$name.new" "$TEST_TMP/$name.seeds" >"$TEST_TMP/$name.log" 2>&1
    echo $? >"$TEST_TMP/$name.status"
}
# told NAME: what became of it
told() {
    tail -n 60 "$TEST_TMP/$1.log"
    return "$(cat "$TEST_TMP/$1.status")"
}

names=()
for source in "$top"/tests/fuzz/*_fuzz.c; do
    [ -e "$source" ] || continue
    names+=("$(basename "$source" _fuzz.c)")
done
if ! command -v clang >/dev/null; then
    skip "${names[*]}" "there is no clang"
    done_testing
    exit
fi
declare -A seeds=()
for name in "${names[@]}"; do
    seeds[$name]=$(gather_seeds "$name" "$TEST_TMP/$name.seeds")
    [ "$(jobs -rp | wc -l)" -lt "$jobs" ] || wait -n
    fuzz "$name" &
done
wait
for name in "${names[@]}"; do
    ok "$name: $seconds s from ${seeds[$name]} seeds" told "$name"
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec)' \
        "$TEST_TMP/$name.log" | sed 's/^/# /'
done
done_testing
