/* cli/settings_hosts.h - keys about Git hosts; what tables of keys share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTINGS_HOSTS_H
#define CLI_SETTINGS_HOSTS_H

#include "cli/settings.h"
#include "cli/settings_checks.h"
#include "cli/webhooks.h"

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    ((int64_t)1 << 20)
#define TIB    ((int64_t)1 << 40)

#define AT(member)    .offset = offsetof(struct settings, member)
#define LIVE          .flags = CONFIG_RELOADS
#define RANGE(lo, hi) .min = (lo), .max = (hi)

/* clang-format off */
#define WEBHOOK_HOST(host, title, url)                                         \
    {.name = "webhooks." #host "_url",                                         \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_STRING,                                                    \
     AT(webhooks.host##_url),                                                  \
     .initial = (url),                                                         \
     .check = settings_check_base_url,                                         \
     .help = "Where " title " is: its repositories' addresses begin so."},     \
    {                                                                          \
        .name = "webhooks." #host "_secrets", .parts = SETTINGS_SCHEDULER,     \
        .type = CONFIG_LIST, AT(webhooks.host##_secrets), .initial = "",       \
        .check = webhook_secret_item_check,                                    \
        .help = "Who signs its webhooks: `file:/PATH` or `env:NAME`, each "    \
                "with one secret, with `OWNER@` or `OWNER/NAME@` in front "    \
                "for one that speaks for these repositories only. None: its "  \
                "webhooks are not taken."                                      \
    }

#define HOST_ACCESS(host, title)                                               \
    {.name = #host ".token", .parts = SETTINGS_SCHEDULER,                      \
     .type = CONFIG_STRING, AT(host.token), .initial = "",                     \
     .check = settings_check_secret_source,                                    \
     .help = "Who we are on " title ": `file:/PATH` or `env:NAME` with a "     \
             "token. Without one nothing is reported there."},                 \
    {.name = #host ".api_url", .parts = SETTINGS_SCHEDULER,                    \
     .type = CONFIG_STRING, AT(host.api_url), .initial = "",                   \
     .check = settings_check_base_url,                                         \
     .help = "Where the API of " title " is, if it is not where its kind has " \
             "it below `webhooks." #host "_url`."},                            \
    {.name = #host ".ca", .parts = SETTINGS_SCHEDULER,                         \
     .type = CONFIG_PATH, AT(host.ca), .initial = "",                        \
     .help = "A file with who may sign the certificate of " title ", in "      \
             "place of the system's list."}

#define HOST_KEYS                                                              \
    {.name = "webhooks.listen",                                                \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_STRING,                                                    \
     AT(webhooks.listen),                                                      \
     .initial = "",                                                            \
     .check = settings_check_listen,                                           \
     .help = "Where webhooks are taken, as `127.0.0.1:8480` or `[::]:8480`, "  \
             "without TLS; nowhere, if this is empty."},                       \
    WEBHOOK_HOST(github, "GitHub", "https://github.com"),                      \
    WEBHOOK_HOST(gitlab, "GitLab", "https://gitlab.com"),                      \
    WEBHOOK_HOST(gitea, "Gitea or Forgejo", ""),                               \
    {.name = "webhooks.max_rate",                                              \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_INTEGER,                                                   \
     AT(webhooks.max_rate),                                                    \
     .initial = "600",                                                         \
     RANGE(0, 1000000),                                                        \
     .help = "Requests a minute that an address may send; `0` for any number, "\
             "as behind a proxy, which is the address of all."},               \
    {.name = "webhooks.keep",                                                  \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_DURATION,                                                  \
     AT(webhooks.keep_ms),                                                     \
     .initial = "3d",                                                          \
     RANGE(MINUTE, 365 * DAY),                                                 \
     .help = "How long a delivery is kept once it was dealt with."},           \
    {.name = "webhooks.budget",                                                \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_SIZE,                                                      \
     AT(webhooks.budget_bytes),                                                \
     .initial = "64MiB",                                                       \
     RANGE(MIB, TIB),                                                          \
     .help = "How much memory deliveries may take in Redis; what was dealt "   \
             "with gives way, what waits does not, and new ones get 503."},    \
    {.name = "webhooks.reconcile",                                             \
     .parts = SETTINGS_SCHEDULER,                                              \
     .type = CONFIG_DURATION,                                                  \
     AT(webhooks.reconcile_ms),                                                \
     LIVE,                                                                     \
     .initial = "15m",                                                         \
     RANGE(0, DAY),                                                            \
     .help = "How often hosts that berth has access to are asked for what "    \
             "they failed to send; `0s` for never."},                           \
    HOST_ACCESS(github, "GitHub"),                                             \
    HOST_ACCESS(gitlab, "GitLab"),                                             \
    HOST_ACCESS(gitea, "Gitea or Forgejo"),                                    \
    {.name = "github.app", .parts = SETTINGS_SCHEDULER,                        \
     .type = CONFIG_STRING, AT(github.app), .initial = "",                     \
     .flags = CONFIG_NUMERIC,                                                  \
     .help = "The id of the GitHub App that we are, in place of a token."},    \
    {.name = "github.app_key", .parts = SETTINGS_SCHEDULER,                    \
     .type = CONFIG_STRING, AT(github.app_key), .initial = "",                 \
     .check = settings_check_secret_source,                                    \
     .help = "Its private key, PEM: `file:/PATH` or `env:NAME`."},             \
    {.name = "report.gap", .parts = SETTINGS_SCHEDULER,                        \
     .type = CONFIG_DURATION, AT(report.gap_ms), .initial = "1s",              \
     RANGE(0, MINUTE),                                                         \
     .help = "Between two things that we write to a host that asks for a "     \
             "pause, as GitHub does."},                                        \
    {.name = "report.max_comments", .parts = SETTINGS_SCHEDULER,               \
     .type = CONFIG_INTEGER, AT(report.max_comments), .initial = "25",         \
     RANGE(0, 200),                                                            \
     .help = "New inline comments of one job; what is beyond is in the "       \
             "summary."},                                                      \
    {.name = "report.max_rows", .parts = SETTINGS_SCHEDULER,                   \
     .type = CONFIG_INTEGER, AT(report.max_rows), .initial = "50",             \
     RANGE(1, 500),                                                            \
     .help = "Findings in the table of a summary; the others are counted."},   \
    {.name = "report.request_changes", .parts = SETTINGS_SCHEDULER,            \
     .type = CONFIG_BOOL, AT(report.request_changes), .initial = "false",      \
     .help = "Whether a review with errors asks for changes, which can keep a "\
             "change from being merged."},                                     \
    {.name = "report.url", .parts = SETTINGS_SCHEDULER,                        \
     .type = CONFIG_STRING, AT(report.url), .initial = "",                     \
     .check = settings_check_base_url,                                         \
     .help = "Where people can see jobs: checks link to `URL/jobs/ID`. No "    \
             "link if this is empty."},
/* clang-format on */

#endif
