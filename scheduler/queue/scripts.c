/* scheduler/queue/scripts.c - the Lua scripts, one transition each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/scripts.h"

#include "base/embed.h"

EMBED(queue_lua_submit, "scheduler/queue/lua/submit.lua");
EMBED(queue_lua_lease, "scheduler/queue/lua/lease.lua");
EMBED(queue_lua_renew, "scheduler/queue/lua/renew.lua");
EMBED(queue_lua_complete, "scheduler/queue/lua/complete.lua");
EMBED(queue_lua_cancel, "scheduler/queue/lua/cancel.lua");
EMBED(queue_lua_log, "scheduler/queue/lua/log.lua");

const struct redis_script queue_scripts[SCRIPT_COUNT] = {
    [SCRIPT_SUBMIT] = {"submit", queue_lua_submit},
    [SCRIPT_LEASE] = {"lease", queue_lua_lease},
    [SCRIPT_RENEW] = {"renew", queue_lua_renew},
    [SCRIPT_COMPLETE] = {"complete", queue_lua_complete},
    [SCRIPT_CANCEL] = {"cancel", queue_lua_cancel},
    [SCRIPT_LOG] = {"log", queue_lua_log},
};
