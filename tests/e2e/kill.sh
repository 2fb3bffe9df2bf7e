#!/bin/bash
# tests/e2e/kill.sh - a short form of `make kill-sandboxes` against this build.
# SPDX-License-Identifier: Apache-2.0
# timeout 280
# long 15
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# One seed, so that it is about the same each time.
KILL_JOBS=${KILL_JOBS:-12} KILL_SEED=${KILL_SEED:-7} KILL_SECONDS=60 \
    exec node "$tap_root/tests/chaos/kill.js"
