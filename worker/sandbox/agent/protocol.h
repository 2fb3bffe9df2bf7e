/* worker/sandbox/agent/protocol.h - frames between the driver and the agent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_AGENT_PROTOCOL_H
#define WORKER_SANDBOX_AGENT_PROTOCOL_H

/*
 * Frames (base/frame.h) over the agent's stdin and stdout. Integers are
 * big-endian. An id is chosen by the driver and names one command, one file
 * operation or one connection until its AGENT_EXIT or AGENT_DONE. The agent
 * ends, and with it everything inside, at end of file and at any frame that
 * breaks these rules.
 */
#define AGENT_VERSION 2u
/* Commands, and connections, that there may be at a time. */
#define AGENT_MAX_TASKS       32
#define AGENT_MAX_CONNECTIONS 16
/* Bytes of one id that may be under way in one direction without AGENT_ACK or
 * AGENT_TAKEN. */
#define AGENT_WINDOW   ((size_t)128 << 10)
#define AGENT_PATH_MAX 4096u
/* Names in a directory that AGENT_LIST tells. */
#define AGENT_LIST_MAX 10000u
/* How long pipes may stay open after a command's main process is gone. */
#define AGENT_DRAIN_MS 1000
/* The user that commands run as; uid and gid. */
#define AGENT_USER 1000

#define AGENT_EXEC_AS_ROOT 1u
#define AGENT_EXEC_DISCARD 2u /* output to /dev/null */
#define AGENT_EXEC_KEEP    4u /* leave its background processes alive */
#define AGENT_EXEC_INPUT   8u /* stdin is AGENT_DATA, else /dev/null */

#define AGENT_TREE_FILES 1u /* regular files only: no directories, no links */

enum agent_frame {
    /* down: driver to agent */
    AGENT_EXEC = 1, /* u8 flags, u32 argc, u32 envc, u32 time-out in ms (0:
                       none), then NUL-ended strings: cwd, argv…, env… */
    AGENT_KILL,     /* u32 signal, to the command `id` and what it started, or
                       with id 0 to all that the user runs */
    AGENT_PAUSE,    /* u8: 1 stop reading commands' output, 0 go on */
    AGENT_PUT,      /* the directory that entries are relative to */
    AGENT_DATA,     /* bytes: entries (see below), a command's stdin, or what a
                       connection is sent */
    AGENT_END,      /* no more AGENT_DATA */
    AGENT_GET,      /* u64 largest size, path */
    AGENT_LIST,     /* path of a directory */
    AGENT_TREE,     /* u8 flags, u64 most bytes, u32 most entries, then
                       NUL-ended: directory, patterns (base/glob.h; none: all) */
    AGENT_CLEAR,    /* path of a directory, which is emptied */
    AGENT_CONNECT,  /* u16: TCP port, of the loopback inside */
    AGENT_TAKEN,    /* u32 bytes of a connection's AGENT_GOT that were taken */
    AGENT_DROP,     /* give up the file operation or the connection;
                       AGENT_DONE still comes */

    /* up: agent to driver */
    AGENT_HELLO = 64, /* u32 AGENT_VERSION; first frame, once */
    AGENT_STDOUT,     /* bytes */
    AGENT_STDERR,
    AGENT_EXIT, /* u32 code, u32 signal, u32: 1 it was killed for its time-out,
                   u64 cpu ms, u64 peak bytes; last */
    AGENT_ACK,  /* u32 bytes of AGENT_DATA that were taken */
    AGENT_OPEN, /* a connection is made */
    AGENT_GOT,  /* bytes: of a file, of entries, of a connection */
    AGENT_DONE, /* u32 errno (0: it worked), text that names the path; last */
};

#define AGENT_EXIT_SIZE 28

/*
 * An entry: u8 type, u32 mode, u64 size, u64 time of the last change in
 * nanoseconds since 1970 (0: now), u32 length of the path, path (relative, no
 * ".."), then, but for AGENT_LIST, `size` bytes: a file's content or a link's
 * target.
 */
#define AGENT_ENTRY_SIZE  25
#define AGENT_ENTRY_FILE  'f'
#define AGENT_ENTRY_DIR   'd'
#define AGENT_ENTRY_LINK  'l'
#define AGENT_ENTRY_OTHER 'o' /* by AGENT_LIST only */

#endif
