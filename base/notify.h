/* base/notify.h - tell the service manager how we are: sd_notify(3). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "base/loop.h"

/*
 * The protocol of sd_notify(3) and sd_watchdog_enabled(3), without libsystemd.
 * Nothing blocks: what the manager's socket has no room for is sent again from
 * the loop, in order. A manager that is gone is no error.
 */
struct notify;

/**
 * Read NOTIFY_SOCKET (a path, or `@name` in the abstract namespace),
 * WATCHDOG_USEC and WATCHDOG_PID, and take them out of the environment, so that
 * no child speaks in our name. Without a NOTIFY_SOCKET all calls below do
 * nothing. Where the manager wants a sign of life of this process, the loop
 * (which must outlive the notify) gives one at half of the time. ERR_USER: the
 * address cannot be one; ERR_TRANSIENT: there is no socket to be had.
 */
MUST_USE int notify_new(struct loop *loop, struct notify **out_notify,
                        struct err *err);
/** What is not sent by then is lost. NULL is fine. */
void notify_free(struct notify *notify);
OWNER(notify)

/** One line about what we do, as `systemctl status` shows it. */
void notify_status(struct notify *notify, const char *status);
/** We are up; also after notify_reloading(). */
void notify_ready(struct notify *notify);
/** We read our configuration again; notify_ready() must follow. */
void notify_reloading(struct notify *notify);
/** We are on our way out. */
void notify_stopping(struct notify *notify);

#endif
