/* worker/sandbox/session_exec.c - commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/session_impl.h"

#include "base/clock.h"

#include <string.h>

#define MAX_STRINGS 8000u
#define INPUT_MAX   ((size_t)16 << 20)

static bool serve(struct task *task, const struct frame *frame);

static const struct task_type command_type = {"run a command", AGENT_MAX_TASKS,
                                              TASK_COMMAND, serve};

static unsigned add_strings(struct strbuf *out, const char *const *list)
{
    unsigned n = 0;

    for (; list && list[n]; n++)
        strbuf_add(out, list[n], strlen(list[n]) + 1);
    return n;
}

static int make_request(const struct sandbox_exec *exec, struct strbuf *out,
                        struct err *err)
{
    CLEANUP(strbuf) struct strbuf words = STRBUF_INIT;
    unsigned argc, envc;

    strbuf_add(&words, exec->cwd, strlen(exec->cwd) + 1);
    argc = add_strings(&words, exec->argv);
    envc = add_strings(&words, exec->env);
    if (argc < 1 || argc > MAX_STRINGS || envc > MAX_STRINGS ||
        words.len + FRAME_HEADER_SIZE + 13 > FRAME_MAX_PAYLOAD)
        return err_set(err, ERR_USER,
                       "the command and its environment are larger than 1 MiB "
                       "or %u words",
                       MAX_STRINGS);
    if (exec->input && exec->input_len > INPUT_MAX)
        return err_set(err, ERR_USER,
                       "the command's input is larger than 16 MiB");
    wire_add(out,
             (exec->as_root ? AGENT_EXEC_AS_ROOT : 0u) |
                 (exec->on_output ? 0u : AGENT_EXEC_DISCARD) |
                 (exec->keep_background ? AGENT_EXEC_KEEP : 0u) |
                 (exec->input ? AGENT_EXEC_INPUT : 0u),
             1);
    wire_add(out, argc, 4);
    wire_add(out, envc, 4);
    wire_add(out, exec->timeout_ms, 4);
    strbuf_add(out, words.data, words.len);
    return 0;
}

int session_exec(struct session *s, const struct sandbox_exec *exec,
                 uint32_t *out_id, struct err *err)
{
    CLEANUP(strbuf) struct strbuf request = STRBUF_INIT;
    struct task *task;

    if (make_request(exec, &request, err) < 0)
        return -1;
    task = task_new(s, &command_type, exec->arg, err);
    if (!task)
        return -1;
    task->on_output = exec->on_output;
    task->on_exit = exec->on_exit;
    task->program = xstrdup(exec->argv[0]);
    task->started_mono_ms = clock_mono_ms();
    task_send(task, AGENT_EXEC, request.data, request.len);
    if (exec->input)
        task->feed = feed_of_bytes(exec->input, exec->input_len);
    task_send_more(task);
    *out_id = task->id;
    return 0;
}

static void finish(struct task *task, const struct frame *frame)
{
    sandbox_exit_fn *on_exit = task->on_exit;
    void *arg = task->arg;
    struct sandbox_exit end = {
        .code = (int)wire_u32(frame->data),
        .signal = (int)wire_u32(frame->data + 4),
        .timed_out = wire_u32(frame->data + 8) & 1,
        .cpu_ms = (int64_t)wire_u64(frame->data + 12),
        .peak_bytes = wire_u64(frame->data + 20),
    };

    task_free(task);
    if (on_exit)
        on_exit(arg, &end);
}

static bool serve(struct task *task, const struct frame *frame)
{
    if (frame->type == AGENT_EXIT && frame->len == AGENT_EXIT_SIZE) {
        finish(task, frame);
        return true;
    }
    if (frame->type == AGENT_ACK)
        return task_acknowledge(task, frame);
    if ((frame->type != AGENT_STDOUT && frame->type != AGENT_STDERR) ||
        frame->len < 1)
        return false;
    if (task->on_output)
        task->on_output(task->arg,
                        frame->type == AGENT_STDOUT ? SANDBOX_STDOUT
                                                    : SANDBOX_STDERR,
                        frame->data, frame->len);
    return true;
}

void session_kill(struct session *s, uint32_t id, int signo)
{
    uint8_t number[4] = {0, 0, 0, (uint8_t)signo};

    channel_send(s->channel, AGENT_KILL, id, number, sizeof(number));
}

size_t session_commands(const struct session *s, struct sandbox_command *out,
                        size_t max)
{
    const struct task *task;
    size_t count = 0;

    LIST_FOREACH(task, &s->tasks, link)
    {
        if (task->type == &command_type && count < max)
            out[count++] = (struct sandbox_command){task->id, task->program,
                                                    task->started_mono_ms};
    }
    return count;
}

void session_pause(struct session *s, bool paused)
{
    uint8_t flag = paused;

    channel_send(s->channel, AGENT_PAUSE, 0, &flag, 1);
}
