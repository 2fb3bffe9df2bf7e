/* cli/settings_table.c - the keys of berth's configuration. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_rule.h"
#include "base/image_name.h"
#include "base/redis.h"
#include "base/redis_url.h"
#include "base/s3_url.h"
#include "base/state.h"
#include "cli/settings.h"
#include "cli/settings_checks.h"
#include "cli/settings_defaults.h"
#include "cli/webhooks.h"
#include "pipelines/load.h"
#include "scheduler/forge/url.h"
#include "worker/gateway/address.h"
#include "worker/supervisor/warm_pool.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MIB    ((int64_t)1 << 20)
#define TIB    ((int64_t)1 << 40)

const char *const settings_drivers[] = {"oci", "docker", NULL};

/* ---- the table ---------------------------------------------------------- */

#define AT(member)    .offset = offsetof(struct settings, member)
#define LIVE          .flags = CONFIG_RELOADS
#define RANGE(lo, hi) .min = (lo), .max = (hi)

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

/* state_dir stands before what is made of it. */
static const struct config_key keys[] = {
    {.name = "state_dir",
     .type = CONFIG_PATH,
     AT(state_dir),
     .initial = "`/var/lib/berth` for root, else `~/.local/state/berth`",
     .derive = settings_default_state,
     .help = "Where berth keeps its state on this host."},

    {.name = "redis.url",
     .type = CONFIG_STRING,
     AT(redis.url),
     .flags = CONFIG_SECRET,
     .initial = "",
     .check = settings_check_redis,
     .env = "BERTH_REDIS",
     .help = "The Redis to use: `redis://[[user]:password@]host[:port][/db]`, "
             "`rediss://` with TLS, `redis+sentinel://h1,h2/master`, "
             "`redis+cluster://h1,h2` "
             "or `unix:///path`. Without one, commands that can start a "
             "private server do so."},
    {.name = "redis.wait_replicas",
     .type = CONFIG_INTEGER,
     AT(redis.wait_replicas),
     .initial = "0",
     RANGE(0, 10),
     .help = "How many replicas have to confirm what may not be lost (WAIT)."},
    {.name = "redis.wait_timeout",
     .type = CONFIG_DURATION,
     AT(redis.wait_timeout_ms),
     .initial = "1s",
     /* The call that waits must not be given up before. */
     RANGE(SECOND, REDIS_COMMAND_TIMEOUT_MS - SECOND),
     .help = "How long to wait for them; a command is given up after 10s."},

    {.name = "pool.name",
     .type = CONFIG_STRING,
     AT(pool.name),
     .initial = "default",
     .check = settings_check_name,
     .help = "The pool of jobs: all who name the same one share its queue."},
    {.name = "pool.max_instances",
     .type = CONFIG_INTEGER,
     AT(pool.max_instances),
     LIVE,
     .initial = "2",
     RANGE(1, 100000),
     .help = "How many jobs of the pool run at once, on all its workers. Two "
             "is what the smallest host carries; the sum of the workers' "
             "capacities is the most that is of use."},

    {.name = "lease.duration",
     .type = CONFIG_DURATION,
     AT(lease.duration_ms),
     .initial = "120s",
     RANGE(3 * SECOND, DAY),
     .help = "How long a worker owns a job without renewing its lease."},
    {.name = "lease.renew",
     .type = CONFIG_DURATION,
     AT(lease.renew_ms),
     .initial = "20s",
     RANGE(SECOND, DAY),
     .help = "How often it renews; less than `lease.kill_after`."},
    {.name = "lease.kill_after",
     .type = CONFIG_DURATION,
     AT(lease.kill_after_ms),
     .initial = "110s",
     RANGE(SECOND, DAY),
     .help = "How long after its last good renewal a worker kills the job "
             "itself; less than `lease.duration`."},
    {.name = "lease.kill_grace",
     .type = CONFIG_DURATION,
     AT(lease.kill_grace_ms),
     .initial = "15s",
     RANGE(SECOND, HOUR),
     .help = "How long after a lease ran out its slot counts as taken, so "
             "that what is left of the job has time to die."},

    {.name = "queue.keep",
     .type = CONFIG_DURATION,
     AT(queue.keep_ms),
     LIVE,
     .initial = "7d",
     RANGE(SECOND, 365 * DAY),
     .help = "How long an ended job and its result are kept."},
    {.name = "queue.keep_count",
     .type = CONFIG_INTEGER,
     AT(queue.keep_count),
     LIVE,
     .initial = "10000",
     RANGE(1, 10000000),
     .help = "How many ended jobs are kept at most."},
    {.name = "queue.dead_keep",
     .type = CONFIG_DURATION,
     AT(queue.dead_keep_ms),
     LIVE,
     .initial = "30d",
     RANGE(SECOND, 365 * DAY),
     .help = "How long a job that used up its attempts is kept."},
    {.name = "queue.log_budget",
     .type = CONFIG_SIZE,
     AT(queue.log_budget_bytes),
     LIVE,
     .initial = "256MiB",
     RANGE(MIB, TIB),
     .help = "How much memory the logs of the pool may take in Redis."},
    {.name = "queue.aging",
     .type = CONFIG_DURATION,
     AT(queue.aging_ms),
     LIVE,
     .initial = "10m",
     RANGE(SECOND, DAY),
     .help = "How long a job waits before it counts as one of the next higher "
             "priority."},
    {.name = "queue.infrastructure_retries",
     .type = CONFIG_INTEGER,
     AT(queue.infrastructure_retries),
     LIVE,
     .initial = "3",
     RANGE(0, 100),
     .help = "How often a job is tried again when it was not its own fault."},
    {.name = "queue.backoff",
     .type = CONFIG_DURATION,
     AT(queue.backoff_ms),
     LIVE,
     .initial = "5s",
     RANGE(SECOND, DAY),
     .help = "The pause before the first of these; it doubles each time."},
    {.name = "queue.backoff_max",
     .type = CONFIG_DURATION,
     AT(queue.backoff_max_ms),
     LIVE,
     .initial = "10m",
     RANGE(SECOND, DAY),
     .help = "The longest pause; not less than `queue.backoff`."},

    {.name = "weights",
     .type = CONFIG_NUMBERS,
     AT(weights),
     LIVE,
     .initial = "",
     RANGE(1, 1000),
     .help = "The share of a repository among those that wait; 1 for those "
             "that are not named."},
    {.name = "caps",
     .type = CONFIG_NUMBERS,
     AT(caps),
     LIVE,
     .initial = "",
     RANGE(1, 100000),
     .help = "How many jobs of a repository run at once."},
    {.name = "pipeline_caps",
     .type = CONFIG_NUMBERS,
     AT(pipeline_caps),
     LIVE,
     .initial = "",
     RANGE(1, 100000),
     .help = "How many jobs of a pipeline run at once."},

    {.name = "worker.name",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(worker.name),
     .initial = "the host's name",
     .derive = settings_default_name,
     .check = settings_check_name,
     .help = "What the worker is called; no two may share a name."},
    {.name = "worker.capacity",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_INTEGER,
     AT(worker.capacity),
     LIVE,
     .initial = "the number of processors",
     .derive = settings_default_capacity,
     RANGE(1, 1000),
     .help = "How many jobs the worker runs at once."},
    {.name = "worker.labels",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_LIST,
     AT(worker.labels),
     LIVE,
     .initial = "",
     .check = settings_check_label,
     .help = "What the worker has to offer: it takes jobs whose labels are "
             "all among these."},
    {.name = "worker.driver",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_WORD,
     AT(worker.driver),
     .initial = "oci",
     .words = settings_drivers,
     .help = "What sandboxes are made by: an OCI runtime, or the Docker Engine "
             "of this host."},
    {.name = "worker.runtime",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(worker.runtime),
     .initial = "",
     .check = settings_check_runtime,
     .help = "The OCI runtime, by name or absolute path; crun, or else runc, "
             "if this is empty."},
    {.name = "worker.docker_socket",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_PATH,
     AT(worker.docker_socket),
     .initial = "/run/docker.sock",
     .help = "Where that engine listens."},
    {.name = "worker.docker_image",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(worker.docker_image),
     .initial = "",
     .check = settings_check_image,
     .help = "The image that stands for `image: host` with it, which has none: "
             "a name that the engine knows or can fetch."},
    {.name = "worker.registries",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_LIST,
     AT(worker.registries),
     .initial = "docker.io",
     .check = settings_check_registry,
     .help = "The registries that images may be of, each as in the name of an "
             "image; one without is of docker.io."},
    {.name = "worker.poll",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_DURATION,
     AT(worker.poll_ms),
     LIVE,
     .initial = "5s",
     RANGE(SECOND, HOUR),
     .help = "How often the worker asks for a job unasked; it is told of new "
             "ones at once."},
    {.name = "worker.min_disk",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(worker.min_disk_bytes),
     LIVE,
     .initial = "2GiB",
     RANGE(0, 1024 * TIB),
     .help = "With less free space in `state_dir` the worker takes no job."},
    {.name = "worker.min_memory",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(worker.min_memory_bytes),
     LIVE,
     .initial = "512MiB",
     RANGE(0, 1024 * TIB),
     .help = "With less memory available it takes none."},
    {.name = "worker.warm_pool",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_NUMBERS,
     AT(worker.warm_pool),
     LIVE,
     .initial = "",
     RANGE(0, WARM_MAX_COUNT),
     .check = warm_kind_check,
     .help =
         "How many started sandboxes wait for jobs: a number for each "
         "instance type; `TYPE/hosts` is one for jobs with a list of hosts, "
         "`TYPE/full` one with network, `TYPE@/DIRECTORY` one of another "
         "image. They go when memory or disk is short."},
    {.name = "worker.drain_timeout",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_DURATION,
     AT(worker.drain_timeout_ms),
     LIVE,
     .initial = "1h",
     RANGE(SECOND, 7 * DAY),
     .help = "How long a worker that was asked to end lets its jobs run on."},

    {.name = "gateway.allow_addresses",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_LIST,
     AT(gateway.allow_addresses),
     LIVE,
     .initial = "npm",
     .check = settings_check_range,
     .help = "Private and other special addresses (`10.1.2.0/24`) that jobs "
             "with a list of hosts may reach all the same, when a host that is "
             "listed has one. `npm`: whatever address of the site the registry "
             "has that npm is set up with, for connections to it alone."},
    {.name = "gateway.fork_hosts",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_LIST,
     AT(gateway.fork_hosts),
     LIVE,
     .initial = "",
     .check = settings_check_host,
     .help = "What jobs of forks may reach at most, written as in `network` of "
             "a pipeline; they are refused `network: full` then. All that "
             "their pipeline lists, if this is empty."},
    {.name = "gateway.max_connections",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_INTEGER,
     AT(gateway.max_connections),
     LIVE,
     .initial = "128",
     RANGE(1, 400),
     .help = "How many connections out of a job with a list of hosts there are "
             "at once; further ones wait."},
    {.name = "gateway.max_rate",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_INTEGER,
     AT(gateway.max_rate),
     LIVE,
     .initial = "100",
     RANGE(1, 100000),
     .help = "How many it may open a second; further ones wait."},
    {.name = "gateway.max_bytes",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(gateway.max_bytes),
     LIVE,
     .initial = "10GiB",
     RANGE(1, 1024 * TIB),
     .help = "How much it may send and receive in all."},

    {.name = "secrets.dir",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_PATH,
     AT(secrets.dir),
     .initial = "",
     .help = "Where the secrets are that steps name: `DIR/REPOSITORY/NAME` for "
             "one repository, as `github.com/acme/app`, `DIR/NAME` for those "
             "in `secrets.allow`. Only root or the worker's own user may write "
             "there, and files may not be readable by others. They are read "
             "anew for each job. Empty: there is no such directory."},
    {.name = "secrets.allow",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_LIST,
     AT(secrets.allow),
     .initial = "",
     .check = settings_check_repositories,
     .help = "Repositories that may have what several share: `DIR/NAME`, "
             "systemd's credentials, variables. Patterns as "
             "`github.com/acme/*`, `gitlab.com/**`; none if this is empty."},
    {.name = "secrets.env_prefix",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(secrets.env_prefix),
     .initial = "",
     .check = settings_check_prefix,
     .help = "Variables of the worker that begin so are secrets: with "
             "`BERTH_SECRET_` what is in `BERTH_SECRET_NPM_TOKEN` is "
             "`NPM_TOKEN`. Empty: none is."},

    {.name = "s3.credentials",
     .type = CONFIG_PATH,
     AT(s3.credentials),
     .initial = "",
     .help = "A file with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, of "
             "a session, `AWS_SESSION_TOKEN`, for stores in S3; without one "
             "they are the environment's."},
    {.name = "s3.ca",
     .type = CONFIG_PATH,
     AT(s3.ca),
     .initial = "",
     .help = "A file with the certificates of who signs for these servers; "
             "without one `CURL_CA_BUNDLE`, else whom the host trusts."},

    {.name = "log.store",
     .type = CONFIG_STRING,
     AT(log.store),
     .initial = "`logs` in `state_dir`",
     .derive = settings_default_log_store,
     .check = settings_check_place,
     .help = "Where whole logs are kept: a directory, or "
             "`s3://bucket/prefix?…`."},
    {.name = "log.keep",
     .type = CONFIG_DURATION,
     AT(log.keep_ms),
     LIVE,
     .initial = "30d",
     RANGE(SECOND, 999 * DAY),
     .help = "How long they are kept."},
    {.name = "log.keep_bytes",
     .type = CONFIG_SIZE,
     AT(log.keep_bytes),
     LIVE,
     .initial = "10GiB",
     RANGE(MIB, 1024 * TIB),
     .help = "How much they take at most; the oldest go first."},

    {.name = "artifacts.store",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(artifacts.store),
     .initial = "",
     .check = settings_check_bucket,
     .help = "Where artifacts go when their job ends: `s3://bucket/prefix?…`. "
             "Without one they stay in `state_dir`."},
    {.name = "artifacts.max_bytes",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(artifacts.max_bytes),
     .initial = "4GiB",
     RANGE(1024, 1024 * TIB),
     .help = "How much a job may leave."},

    {.name = "cache.dir",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_PATH,
     AT(cache.dir),
     .initial = "`cache` in `state_dir`",
     .derive = settings_default_cache,
     .help = "Where trees, installs and what steps `cache` name are kept for "
             "the next jobs: on a disk of this host that is not overlayfs. "
             "Trees and installs only for root's sandboxes."},
    {.name = "cache.bytes",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(cache.bytes),
     .initial = "10GiB",
     RANGE(0, 1024 * TIB),
     .help = "How much they take at most; what was not used for longest goes "
             "first. `0B` for no cache."},
    {.name = "cache.keep",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_DURATION,
     AT(cache.keep_ms),
     .initial = "7d",
     RANGE(MINUTE, 365 * DAY),
     .help = "How long one that nobody uses is kept."},
    {.name = "cache.entry_bytes",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_SIZE,
     AT(cache.entry_bytes),
     .initial = "2GiB",
     RANGE(1024, 1024 * TIB),
     .help = "How much a step `cache` may keep under one key."},
    {.name = "cache.check",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_DURATION,
     AT(cache.check_ms),
     .initial = "1d",
     RANGE(SECOND, 365 * DAY),
     .help = "How often an install or another thing kept is read again in "
             "the background; what is damaged is removed."},
    {.name = "cache.store",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_STRING,
     AT(cache.store),
     .initial = "",
     .check = settings_check_bucket,
     .help = "Where installs and what steps `cache` name go for other workers, "
             "and are looked for when this host does not have them: "
             "`s3://bucket/prefix?…`. Needs `cache.store_key`."},
    {.name = "cache.store_key",
     .parts = SETTINGS_WORKER,
     .type = CONFIG_PATH,
     AT(cache.store_key),
     .initial = "",
     .help = "A file with a secret of 16 bytes or more, closed to others and "
             "the same on all workers: what is in `cache.store` is signed with "
             "it, and what is not is never used."},

    {.name = "scheduler.tick",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_DURATION,
     AT(scheduler.tick_ms),
     LIVE,
     .initial = "1s",
     RANGE(SECOND, MINUTE),
     .help = "How often the scheduler looks for what is due."},
    {.name = "inbox.max_bytes",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_SIZE,
     AT(inbox.max_bytes),
     LIVE,
     .initial = "1MiB",
     RANGE(1024, MIB),
     .help = "The largest document that is taken from the inbox."},
    {.name = "webhooks.listen",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_STRING,
     AT(webhooks.listen),
     .initial = "",
     .check = settings_check_listen,
     .help = "Where webhooks are taken, as `127.0.0.1:8480` or `[::]:8480`, "
             "without TLS; nowhere, if this is empty."},
    WEBHOOK_HOST(github, "GitHub", "https://github.com"),
    WEBHOOK_HOST(gitlab, "GitLab", "https://gitlab.com"),
    WEBHOOK_HOST(gitea, "Gitea or Forgejo", ""),
    {.name = "webhooks.max_rate",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_INTEGER,
     AT(webhooks.max_rate),
     .initial = "600",
     RANGE(0, 1000000),
     .help = "Requests a minute that an address may send; `0` for any number, "
             "as behind a proxy, which is the address of all."},
    {.name = "webhooks.keep",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_DURATION,
     AT(webhooks.keep_ms),
     .initial = "3d",
     RANGE(MINUTE, 365 * DAY),
     .help = "How long a delivery is kept once it was dealt with."},
    {.name = "webhooks.budget",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_SIZE,
     AT(webhooks.budget_bytes),
     .initial = "64MiB",
     RANGE(MIB, TIB),
     .help = "How much memory deliveries may take in Redis; what was dealt "
             "with gives way, what waits does not, and new ones get 503."},
    {.name = "schedules",
     .parts = SETTINGS_SCHEDULER,
     .type = CONFIG_TREE,
     AT(schedules_node),
     LIVE,
     .help =
         "Jobs that a clock asks for; docs/configuration.md describes one."},
};

static const char *const parts[] = {"scheduler", "worker", NULL};

const struct config_table settings_table = {
    .keys = keys,
    .count = ARRAY_LEN(keys),
    .env_prefix = "BERTH_",
    .part_names = parts,
};
