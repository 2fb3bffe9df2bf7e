#!/bin/bash
# tests/e2e/chaos.sh - a short rage of tests/chaos against this build.
# SPDX-License-Identifier: Apache-2.0
# timeout 280
# long 30
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# One seed, so that it is the same rage each time. A faked clock is preloaded,
# which a sanitizer does not stand.
CHAOS_JOBS=${CHAOS_JOBS:-30} CHAOS_SECONDS=${CHAOS_SECONDS:-20} \
    CHAOS_SEED=${CHAOS_SEED:-7} CHAOS_CLOCKS=0 \
    exec node "$tap_root/tests/chaos/chaos.js"
