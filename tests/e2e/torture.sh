#!/bin/bash
# tests/e2e/torture.sh - some of what tests/torture does with each call.
# SPDX-License-Identifier: Apache-2.0
# timeout 600
# long 70
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# Every program and kind of call; of the calls, one here and there.
TORTURE_FROM=${TORTURE_FROM:-1} TORTURE_STEP=${TORTURE_STEP:-12} \
    TORTURE_MOST=${TORTURE_MOST:-13} \
    TORTURE_FAIL=${BERTH_BIN%/bin/berth}/tests/torture/fail.so \
    exec bash "$tap_root/tests/torture/run.sh"
