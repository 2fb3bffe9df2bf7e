/* scheduler/queue/scripts.c - the Lua scripts, one transition each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/scripts.h"

#include "base/embed.h"

#define LUA(name) EMBED_FILE("scheduler/queue/lua/" name ".lua")

/* What scripts share stands before them (lua/lib). */
#define POOL       LUA("lib/pool")
#define READY      POOL LUA("lib/ready")
#define ENDING     READY LUA("lib/slots") LUA("lib/reports") LUA("lib/ending")
#define ACCEPT     ENDING LUA("lib/accept")
#define GRANT      ENDING LUA("lib/grant")
#define LOGS       POOL LUA("lib/logs")
#define REPORTS    POOL LUA("lib/reports")
#define LANES      POOL LUA("lib/lanes")
#define REFUSE     POOL LUA("lib/refuse")
#define DELIVERIES POOL LUA("lib/deliveries")

EMBED_FILES(queue_lua_submit, ACCEPT LUA("submit"));
EMBED_FILES(queue_lua_invalid, ENDING LUA("invalid"));
EMBED_FILES(queue_lua_lease, GRANT LUA("lease"));
EMBED_FILES(queue_lua_renew, ENDING LUA("renew"));
EMBED_FILES(queue_lua_complete, GRANT LUA("complete"));
EMBED_FILES(queue_lua_log, LOGS LUA("log"));
EMBED_FILES(queue_lua_cancel, ENDING LUA("cancel"));
EMBED_FILES(queue_lua_retry, ENDING LUA("retry"));
EMBED_FILES(queue_lua_drain, READY LUA("drain"));
EMBED_FILES(queue_lua_configure, GRANT LUA("configure"));
EMBED_FILES(queue_lua_reap, ENDING LUA("reap"));
EMBED_FILES(queue_lua_promote, GRANT LUA("promote"));
EMBED_FILES(queue_lua_trim,
            LOGS LUA("lib/slots") LUA("lib/reports") LUA("trim"));
EMBED_FILES(queue_lua_watch, POOL LUA("watch"));
EMBED_FILES(queue_lua_advance, ACCEPT LUA("advance"));
EMBED_FILES(queue_lua_fire, POOL LUA("fire"));
EMBED_FILES(queue_lua_reject, REFUSE LUA("reject"));
EMBED_FILES(queue_lua_giveback, REFUSE LUA("giveback"));
EMBED_FILES(queue_lua_look, POOL LUA("look"));
EMBED_FILES(queue_lua_ends, POOL LUA("ends"));
EMBED_FILES(queue_lua_list, LANES LUA("list"));
EMBED_FILES(queue_lua_why, GRANT LUA("why"));
EMBED_FILES(queue_lua_depths, LANES LUA("lib/reports") LUA("depths"));
EMBED_FILES(queue_lua_audit,
            LANES LUA("lib/slots") LUA("lib/reports") LUA("audit"));
EMBED_FILES(queue_lua_worker, POOL LUA("worker"));
EMBED_FILES(queue_lua_rejected, POOL LUA("rejected"));
EMBED_FILES(queue_lua_forget, POOL LUA("forget"));
EMBED_FILES(queue_lua_pass, READY LUA("pass"));
EMBED_FILES(queue_lua_deliver, DELIVERIES LUA("deliver"));
EMBED_FILES(queue_lua_settle, DELIVERIES LUA("settle"));
EMBED_FILES(queue_lua_ask, POOL LUA("ask"));
EMBED_FILES(queue_lua_asked, POOL LUA("asked"));
EMBED_FILES(queue_lua_answer, POOL LUA("answer"));
EMBED_FILES(queue_lua_attend, POOL LUA("attend"));
EMBED_FILES(queue_lua_postpone, DELIVERIES LUA("postpone"));
EMBED_FILES(queue_lua_replay, DELIVERIES LUA("replay"));
EMBED_FILES(queue_lua_deliveries, DELIVERIES LUA("deliveries"));
EMBED_FILES(queue_lua_heads, POOL LUA("heads"));
EMBED_FILES(queue_lua_report_take, REPORTS LUA("report_take"));
EMBED_FILES(queue_lua_report_renew, REPORTS LUA("report_renew"));
EMBED_FILES(queue_lua_report_done, REPORTS LUA("report_done"));
EMBED_FILES(queue_lua_report_look, REPORTS LUA("report_look"));
EMBED_FILES(queue_lua_report_again, REPORTS LUA("report_again"));
EMBED_FILES(queue_lua_unreported, REPORTS LUA("unreported"));
EMBED_FILES(queue_lua_change, REPORTS LUA("change"));
EMBED_FILES(queue_lua_reviewed, REPORTS LUA("reviewed"));
EMBED_FILES(queue_lua_reserve, POOL LUA("reserve"));
EMBED_FILES(queue_lua_spent, POOL LUA("spent"));
EMBED_FILES(queue_lua_charge, POOL LUA("charge"));

const struct redis_script queue_scripts[SCRIPT_COUNT] = {
    [SCRIPT_SUBMIT] = {"submit", queue_lua_submit},
    [SCRIPT_INVALID] = {"invalid", queue_lua_invalid},
    [SCRIPT_LEASE] = {"lease", queue_lua_lease},
    [SCRIPT_RENEW] = {"renew", queue_lua_renew},
    [SCRIPT_COMPLETE] = {"complete", queue_lua_complete},
    [SCRIPT_LOG] = {"log", queue_lua_log},
    [SCRIPT_CANCEL] = {"cancel", queue_lua_cancel},
    [SCRIPT_RETRY] = {"retry", queue_lua_retry},
    [SCRIPT_DRAIN] = {"drain", queue_lua_drain},
    [SCRIPT_CONFIGURE] = {"configure", queue_lua_configure},
    [SCRIPT_REAP] = {"reap", queue_lua_reap},
    [SCRIPT_PROMOTE] = {"promote", queue_lua_promote},
    [SCRIPT_TRIM] = {"trim", queue_lua_trim},
    [SCRIPT_WATCH] = {"watch", queue_lua_watch},
    [SCRIPT_ADVANCE] = {"advance", queue_lua_advance},
    [SCRIPT_FIRE] = {"fire", queue_lua_fire},
    [SCRIPT_REJECT] = {"reject", queue_lua_reject},
    [SCRIPT_LIST] = {"list", queue_lua_list},
    [SCRIPT_WHY] = {"why", queue_lua_why},
    [SCRIPT_DEPTHS] = {"depths", queue_lua_depths},
    [SCRIPT_AUDIT] = {"audit", queue_lua_audit},
    [SCRIPT_GIVE_BACK] = {"giveback", queue_lua_giveback},
    [SCRIPT_LOOK] = {"look", queue_lua_look},
    [SCRIPT_ENDS] = {"ends", queue_lua_ends},
    [SCRIPT_WORKER] = {"worker", queue_lua_worker},
    [SCRIPT_REJECTED] = {"rejected", queue_lua_rejected},
    [SCRIPT_FORGET] = {"forget", queue_lua_forget},
    [SCRIPT_PASS] = {"pass", queue_lua_pass},
    [SCRIPT_DELIVER] = {"deliver", queue_lua_deliver},
    [SCRIPT_SETTLE] = {"settle", queue_lua_settle},
    [SCRIPT_ASK] = {"ask", queue_lua_ask},
    [SCRIPT_ASKED] = {"asked", queue_lua_asked},
    [SCRIPT_ANSWER] = {"answer", queue_lua_answer},
    [SCRIPT_ATTEND] = {"attend", queue_lua_attend},
    [SCRIPT_POSTPONE] = {"postpone", queue_lua_postpone},
    [SCRIPT_REPLAY] = {"replay", queue_lua_replay},
    [SCRIPT_DELIVERIES] = {"deliveries", queue_lua_deliveries},
    [SCRIPT_HEADS] = {"heads", queue_lua_heads},
    [SCRIPT_REPORT_TAKE] = {"report_take", queue_lua_report_take},
    [SCRIPT_REPORT_RENEW] = {"report_renew", queue_lua_report_renew},
    [SCRIPT_REPORT_DONE] = {"report_done", queue_lua_report_done},
    [SCRIPT_REPORT_LOOK] = {"report_look", queue_lua_report_look},
    [SCRIPT_REPORT_AGAIN] = {"report_again", queue_lua_report_again},
    [SCRIPT_UNREPORTED] = {"unreported", queue_lua_unreported},
    [SCRIPT_CHANGE] = {"change", queue_lua_change},
    [SCRIPT_REVIEWED] = {"reviewed", queue_lua_reviewed},
    [SCRIPT_RESERVE] = {"reserve", queue_lua_reserve},
    [SCRIPT_SPENT] = {"spent", queue_lua_spent},
    [SCRIPT_CHARGE] = {"charge", queue_lua_charge},
};
