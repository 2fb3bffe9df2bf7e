#!/bin/bash
# tests/e2e/hosts_chaos.sh - a short form of `make hosts` against this build.
# SPDX-License-Identifier: Apache-2.0
# timeout 300
# long 60
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# One seed, so that it is about the same each time.
HOSTS_KIND=${HOSTS_KIND:-github} HOSTS_CHANGES=${HOSTS_CHANGES:-4} \
    HOSTS_SEED=${HOSTS_SEED:-7} HOSTS_SECONDS=200 \
    exec node "$tap_root/tests/chaos/hosts.js"
