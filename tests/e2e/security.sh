#!/bin/bash
# tests/e2e/security.sh - some of the attacks of `make security`.
# SPDX-License-Identifier: Apache-2.0
# serial
# timeout 240
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
unset BERTH_REDIS BERTH_CONFIG

if [ "$(id -u)" -ne 0 ]; then
    skip "attacks on sandboxes" "as root only: it makes namespaces"
    done_testing
    exit
fi
runtime=crun
command -v crun >/dev/null || runtime=runc

# One or two for each protection; those that are whole jobs are the quick ones.
ATTACKS=${ATTACKS:-unshare-user keyctl io-uring ptrace-child keyctl-32bit
    mount-tmpfs agent-wire-out agent-ptrace setuid bpf mknod-memory
    proc-interrupts host-file climb-out host-processes host-signal
    host-shared-memory planted-setuid planted-device net-metadata
    net-abstract-socket limit-processes limit-memory
    forged-frames terminal-escapes write-file-race artifacts-link
    submodule-host-path gateway-rebinding gateway-smuggling} \
    SECURITY_RUNTIMES=${SECURITY_RUNTIMES:-$runtime} ATTACK_TAP=1 \
    exec node "$tap_root/tests/security/run.js"
