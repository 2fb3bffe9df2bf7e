# tests/lib/daemons.sh - programs in the background, and waiting for them.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh; then:
#   pids+=($!)         what was started: it is ended with the script
#   wait_for COMMAND…  until it succeeds; fails after 30 s
pids=()

stop_all() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do
        kill "$pid" 2>/dev/null
    done
    wait
}
trap stop_all EXIT

wait_for() {
    local _
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}
