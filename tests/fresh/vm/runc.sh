# tests/fresh/vm/runc.sh - the limits with runc, which makes its own cgroup.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 600
#
# It turns on all controllers, with them io, and so what is written to a loop
# device is charged to the job: that is only fair where it can be written back,
# which it cannot from the runner's tmpfs. So this wants a disk.
# shellcheck shell=bash
set -euo pipefail
TEST_TMP=$(mktemp -d /var/tmp/berth-runc.XXXXXX)
trap 'rmdir "$TEST_TMP"' EXIT
chmod 711 "$TEST_TMP"
export TEST_TMP BOX_RUNTIME=runc
build/debug/tests/unit/worker/sandbox/oci_limits_test
