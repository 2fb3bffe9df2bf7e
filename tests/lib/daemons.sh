# tests/lib/daemons.sh - programs in the background.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Source it behind tap.sh; then:
#   pids+=($!)         what was started: it is ended with the script
pids=()

stop_all() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do
        kill "$pid" 2>/dev/null
    done
    wait
}
trap stop_all EXIT
