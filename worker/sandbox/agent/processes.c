/* worker/sandbox/agent/processes.c - who runs inside, and who has to go. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KILL_PASSES 20
/* Parents mostly have the smaller pids, and are met first. */
#define FAMILY_PASSES 8
/* Above the largest pids limit there is. */
#define MAX_PROCESSES 33000

struct process {
    pid_t pid, parent, session;
    bool chosen;
};

static struct process all[MAX_PROCESSES];
static size_t count;

/* Whose session, and whose child; false when it is gone or dead. */
static bool look_at(pid_t pid, struct process *out)
{
    char path[32], text[512];
    const char *behind_name;
    char state = 'Z';
    ssize_t len;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[len > 0 ? len : 0] = '\0';
    /* The name is the process' own choice, and may hold anything. */
    behind_name = strrchr(text, ')');
    *out = (struct process){.pid = pid};
    return behind_name &&
           sscanf(behind_name, ") %c %d %*d %d", &state, &out->parent,
                  &out->session) == 3 &&
           state != 'Z' && state != 'X';
}

/* All but the agent and its helpers; the kernel lists them by pid. */
static void look_at_all(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    count = 0;
    while (proc && count < MAX_PROCESSES && (entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 1 && !files_is_helper(pid) && look_at(pid, &all[count]))
            count++;
    }
    if (proc)
        (void)closedir(proc);
}

static bool is_chosen(pid_t pid)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (all[middle].pid == pid)
            return all[middle].chosen;
        if (all[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Whether it belongs to the command (0: to one that runs). A child that was
 * just started may not lead its session yet. */
static bool is_of(const struct process *p, pid_t command)
{
    if (command)
        return p->pid == command || p->session == command;
    return exec_is_running(p->pid) || exec_is_running(p->session);
}

/* Choose who belongs to the command, and whoever descends from these: a child
 * may have a session of its own. */
static void choose(pid_t command)
{
    bool more = true;

    for (size_t i = 0; i < count; i++)
        all[i].chosen = is_of(&all[i], command);
    for (int pass = 0; more && pass < FAMILY_PASSES; pass++) {
        more = false;
        for (size_t i = 0; i < count; i++)
            if (!all[i].chosen && is_chosen(all[i].parent))
                all[i].chosen = more = true;
    }
}

static size_t signal_where(bool chosen, int signo)
{
    size_t met = 0;

    for (size_t i = 0; i < count; i++)
        if (all[i].chosen == chosen && kill(all[i].pid, signo) == 0)
            met++;
    return met;
}

/* Until a pass meets nobody, for those that fork meanwhile. */
static void signal_passes(bool chosen, pid_t command, int signo)
{
    int passes = signo == SIGKILL ? KILL_PASSES : 1;

    for (int i = 0; i < passes; i++) {
        look_at_all();
        choose(command);
        if (!signal_where(chosen, signo))
            return;
    }
}

void processes_kill_all(int signo)
{
    /* kill(-1) takes all in one go, which a fork bomb cannot outrun; where a
     * helper must be spared, walk the list until it stays empty. */
    if (!files_any())
        (void)kill(-1, signo);
    else
        signal_passes(false, -1, signo);
}

void processes_kill_command(pid_t command, int signo)
{
    signal_passes(true, command, signo);
}

void processes_kill_strays(void)
{
    signal_passes(false, 0, SIGKILL);
}
