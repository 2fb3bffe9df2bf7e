#!/bin/bash
# tests/integration/layers.sh - the include rules catch what breaks them.
# SPDX-License-Identifier: Apache-2.0
set -u
# shellcheck source=../lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
layers=$(dirname "$0")/../checks/layers

# given FILE LINE…: a tree with one file
given() {
    local file=$1
    shift
    rm -rf "$TEST_TMP/tree"
    mkdir -p "$TEST_TMP/tree/$(dirname "$file")"
    printf '%s\n' "$@" >"$TEST_TMP/tree/$file"
}
accepts() {
    given "$@"
    ok "$1 may: ${*:2}" "$layers" "$TEST_TMP/tree"
}
refuses() {
    given "$@"
    like "$("$layers" "$TEST_TMP/tree"; echo "exit $?")" \
        "^$1:1: .*(may not|only|not named|no rule).*exit 1" \
        "$1 may not: ${*:2}"
}

accepts base/a.c '#include "base/b.h"' '#include <hiredis/hiredis.h>'
refuses base/a.c '#include "pipelines/pipeline.h"'
refuses base/a.c '#include "b.h"'
refuses base/a.c '#include "../base/b.h"'
accepts pipelines/a.c '#include "base/b.h"'
refuses pipelines/a.c '#include "scheduler/queue/queue.h"'
accepts scheduler/queue/a.c '#include "pipelines/pipeline.h"'
refuses scheduler/queue/a.c '#include "worker/job/events.h"'
refuses scheduler/web/a.c '#include "worker/sandbox/sandbox.h"'
refuses worker/job/a.c '#include "scheduler/queue/queue.h"'
refuses worker/job/a.c '#include "worker/supervisor/supervisor.h"'
accepts worker/supervisor/a.c '#include "worker/job/events.h"'
refuses worker/supervisor/a.c '#include "worker/job/output.h"'
refuses worker/sandbox/a.c '#include "pipelines/pipeline.h"'
accepts worker/sandbox/agent/a.c '#include "base/frame.h"'
refuses worker/sandbox/agent/a.c '#include "base/mem.h"'
refuses worker/sandbox/a.c '#include "cli/commands.h"'
accepts cli/a.c '#include "worker/supervisor/supervisor.h"'
accepts worker/checkout/a.c '#include <git2.h>'
refuses worker/job/a.c '#include <git2.h>'
refuses worker/supervisor/a.c '  # include <hiredis/hiredis.h>'
accepts worker/sandbox/a.c '#include "worker/sandbox/agent/protocol.h"'
refuses worker/sandbox/a.c '#include "worker/sandbox/agent/agent.h"'
refuses worker/novel/a.c '#include <stdio.h>'
ok "the tree itself" "$layers"

done_testing
