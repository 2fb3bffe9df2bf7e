/* worker/sandbox/agent/protocol.h - frames between the driver and the agent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_AGENT_PROTOCOL_H
#define WORKER_SANDBOX_AGENT_PROTOCOL_H

/*
 * Frames (base/frame.h) over the agent's stdin and stdout. Integers are
 * big-endian. An id is chosen by the driver and names one command or one file
 * operation until its AGENT_EXIT or AGENT_DONE. The agent ends, and with it
 * everything inside, at end of file and at any frame that breaks these rules.
 */
#define AGENT_VERSION 1u
/* Commands and file operations that may run at a time. */
#define AGENT_MAX_TASKS 32
/* Bytes of AGENT_PUT_DATA that may be under way without AGENT_ACK. */
#define AGENT_PUT_WINDOW ((size_t)256 << 10)
#define AGENT_PATH_MAX   4096u
/* How long pipes may stay open after a command's main process is gone. */
#define AGENT_DRAIN_MS 1000
/* The user that commands run as; uid and gid. */
#define AGENT_USER 1000

#define AGENT_EXEC_AS_ROOT 1u
#define AGENT_EXEC_DISCARD 2u /* output to /dev/null */
#define AGENT_EXEC_KEEP    4u /* leave its background processes alive */

enum agent_frame {
    /* down: driver to agent */
    AGENT_EXEC = 1, /* u8 flags, u32 argc, u32 envc, then NUL-ended strings:
                       cwd, argv…, env… */
    AGENT_KILL,     /* u32 signal */
    AGENT_PAUSE,    /* u8: 1 stop reading commands' output, 0 go on */
    AGENT_PUT,      /* the directory that entries are relative to */
    AGENT_PUT_DATA, /* part of a stream of entries, see below */
    AGENT_PUT_END,
    AGENT_GET,  /* u64 largest size, path */
    AGENT_DROP, /* give up the file operation; AGENT_DONE still comes */

    /* up: agent to driver */
    AGENT_HELLO = 64, /* u32 AGENT_VERSION; first frame, once */
    AGENT_STDOUT,     /* bytes */
    AGENT_STDERR,
    AGENT_EXIT, /* u32 code, u32 signal, u64 cpu ms, u64 peak bytes; last */
    AGENT_ACK,  /* u32 bytes of AGENT_PUT_DATA that were taken */
    AGENT_GET_DATA,
    AGENT_DONE, /* u32 errno (0: it worked), text that names the path; last */
};

#define AGENT_EXIT_SIZE 24

/*
 * An entry of AGENT_PUT_DATA: u8 type, u32 mode, u64 size, u32 length of the
 * path, path (relative, no ".."), then `size` bytes: a file's content or a
 * link's target.
 */
#define AGENT_ENTRY_SIZE 17
#define AGENT_ENTRY_FILE 'f'
#define AGENT_ENTRY_DIR  'd'
#define AGENT_ENTRY_LINK 'l'

#endif
