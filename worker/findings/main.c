/* worker/findings/main.c - the program: reports of tools become findings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"
#include "base/confine_calls.h"
#include "base/log.h"
#include "pipelines/findings/findings.h"
#include "worker/findings/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ADDRESS_MAX ((uint64_t)1 << 30)
#define CPU_MAX_S   20
#define ARGUMENTS   5 /* in front of the documents */
#define WORDS       3 /* of a document */

/* Who may not be traced cannot be looked through for leaks at its end. */
#if defined(__SANITIZE_ADDRESS__)
const char *
__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */
const char *
__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "detect_leaks=0";
}
#endif

/* It reads what is open, computes, and writes one line. */
static const char allowed[] =
    "read readv write writev close lseek _llseek fstat fstat64 newfstatat "
    "statx fcntl fcntl64 brk munmap mremap madvise futex clock_gettime "
    "clock_gettime64 gettimeofday getrandom getpid gettid prlimit64 "
    "sched_yield rt_sigaction rt_sigprocmask rt_sigreturn sigreturn "
    "sigaltstack tgkill rseq restart_syscall exit exit_group";

static const struct confine_call conditional[] = {
    {"mmap", 2, PROT_EXEC, 0},
    {"mmap2", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
};

static int confine(uid_t uid, struct err *err)
{
    CLEANUP(strv) struct strv none = {0};
    const struct confine_files files = {.reads = &none};
    pid_t parent = getppid();

    (void)setpriority(PRIO_PROCESS, 0, 10); /* jobs come first */
    if (confine_user(uid, err) < 0 || confine_limit(RLIMIT_CORE, 0, err) < 0 ||
        confine_limit(RLIMIT_FSIZE, 0, err) < 0 ||
        confine_limit(RLIMIT_NPROC, 0, err) < 0 ||
        confine_limit(RLIMIT_CPU, CPU_MAX_S, err) < 0 ||
        confine_memory(ADDRESS_MAX, err) < 0 ||
        confine_process(parent, err) < 0 || confine_files(&files, err) < 0)
        return -1;
    return confine_calls(allowed, conditional, ARRAY_LEN(conditional), err);
}

static void add_problem(json_t *problems, const char *name, const char *why)
{
    CLEANUP(mem) char *text = xasprintf("%.1000s: %.240s", name, why);

    (void)json_array_append_new(problems,
                                json_stringn_nocheck(text, strlen(text)));
}

/* `words`: FORMAT NAME BYTES. */
static int read_document(struct findings *findings, char **words,
                         const char *dir, struct err *err)
{
    const struct findings_source source = {.dir = *dir ? dir : NULL};
    size_t len = strtoul(words[2], NULL, 10);
    int which = findings_format_find(words[0]);
    CLEANUP(mem) char *text = NULL;

    if (which < 0 || len > FINDINGS_MAX_BYTES)
        return err_set(err, ERR_BUG, "no such format, or too large");
    text = xmalloc(len + 1);
    if (fread(text, 1, len, stdin) != len)
        return err_set(err, ERR_BUG, "it is cut");
    text[len] = '\0';
    return findings_read(findings, (enum findings_format)which, &source, text,
                         len, err);
}

/* As many as fit; the rest is counted. */
static void cut(json_t *report, size_t max_count, size_t max_bytes)
{
    json_t *list = json_object_get(report, "findings");
    json_int_t over = json_integer_value(json_object_get(report, "overflow"));
    size_t count = json_array_size(list);
    size_t keep = 0, bytes = 0;

    for (; keep < count && keep < max_count; keep++) {
        bytes += 1 + json_dumpb(json_array_get(list, keep), NULL, 0,
                                JSON_COMPACT | JSON_REAL_PRECISION(6));
        if (bytes > max_bytes)
            break;
    }
    over += (json_int_t)(count - keep);
    while (count > keep)
        (void)json_array_remove(list, --count);
    if (over)
        (void)json_object_set_new(report, "overflow", json_integer(over));
}

static int answer(const struct findings *findings, json_t *problems,
                  char **limits)
{
    json_t *line = json_object();
    json_t *report = findings_to_json(findings);
    char *text;

    cut(report, strtoul(limits[0], NULL, 10), strtoul(limits[1], NULL, 10));
    (void)json_object_set_new(line, "report", report);
    (void)json_object_set_new(line, "problems", problems);
    text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(line);
    if (text)
        (void)puts(text);
    free(text);
    return !text || fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    CLEANUP(findings) struct findings *findings = NULL;
    struct err err = {0};
    json_t *problems;

    log_init("findings-read", LOG_WARN);
    if (argc < ARGUMENTS + WORDS || (argc - ARGUMENTS) % WORDS ||
        (argc - ARGUMENTS) / WORDS > FINDINGS_MAX_DOCUMENTS) {
        (void)fputs("usage: run-job starts it (worker/findings/protocol.h)\n",
                    stderr);
        return 2;
    }
    json_object_seed(0); /* as long as there is something to draw it from */
    if (confine((uid_t)strtoul(argv[1], NULL, 10), &err) < 0) {
        log_error("%s", err.msg);
        return 1;
    }
    findings = findings_new();
    problems = json_array();
    for (int i = ARGUMENTS; i < argc; i += WORDS)
        if (read_document(findings, argv + i, argv[ARGUMENTS - 1], &err) < 0)
            add_problem(problems, argv[i + 1], err.msg);
    return answer(findings, problems, argv + 2);
}
