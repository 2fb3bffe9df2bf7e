#!/bin/bash
# tests/fresh/vm/case.sh - the tests of one case, in the cgroup of the caller.
# SPDX-License-Identifier: Apache-2.0
#
# usage: case.sh NAME BASE limits|units|runc…
#
# BASE is the cgroup below which berth has to make its own. `limits` comes
# twice where what the first sandbox did must not mislead the next.
set -uo pipefail
name=$1
export EXPECT_BASE=$2
shift 2
cd /opt/berth || exit 2
exec </dev/null >/dev/ttyS1 2>&1
export TEST_JOBS=1 TEST_TIMEOUT=600

echo "vm: $name: in $(cut -d: -f3 /proc/self/cgroup)"
for part in "$@"; do
    case $part in
    units) tests/run build/debug/tests/unit/worker/sandbox/*_test ;;
    *) tests/run "tests/fresh/vm/$part.sh" ;;
    esac
done
echo "vm: over $name"
