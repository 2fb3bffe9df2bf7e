#!/bin/bash
# tests/integration/failover.sh - a short form of tests/chaos/failover.js.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 280
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

FAILOVER_JOBS=${FAILOVER_JOBS:-5000} \
    FAILOVER_LOAD=${BERTH_BIN%/bin/berth}/tests/chaos/load \
    exec node "$tap_root/tests/chaos/failover.js"
