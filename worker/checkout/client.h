/* worker/checkout/client.h - run a checkout from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_CLIENT_H
#define WORKER_CHECKOUT_CLIENT_H

#include "base/loop.h"
#include "worker/checkout/layer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One handle is one checkout: the `checkout` program, and, for paths and ssh,
 * the `git upload-pack` or `ssh` that it reads from. Neither blocks the loop.
 * Not thread-safe. Links with jansson, never with libgit2.
 */
struct checkout;

/** What a layer may be made from; see worker/checkout/layer.h. All borrowed. */
struct checkout_layer {
    struct layer_base bases[LAYER_MAX_BASES];
    size_t base_count;
    uint64_t max_bytes; /* what it may take on disk, about */
};

/** All borrowed, for the duration of checkout_start; NULL strings are "". */
struct checkout_request {
    const char *url; /* https, http, ssh, host:path, file:// or /path */
    /*
     * What to check out: `commit`, 40 hexadecimal digits, or `ref`, a branch,
     * a tag or refs/…, or with both "" the remote's HEAD. With both given the
     * commit is taken; a `ref` that names a branch says on which one it is.
     */
    const char *commit;
    const char *ref;
    const char *base;   /* a branch to compare with, for `git diff base...` */
    const char *mirror; /* absolute; made when missing, its parents too */
    const char *tree;   /* absolute; an empty directory that `uid` owns */
    /*
     * Where <mirror>/objects is seen by those who use the tree: inside the
     * sandbox that is where the caller binds it read-only.
     */
    const char *alternates;
    const char *username; /* for http(s); offered once, to that host only */
    const char *password;
    /*
     * Not "" or NULL: stands for this credential where they are told apart, so
     * that one that is made anew each hour finds the same mirror. It is for who
     * gave the credential to say, who gives one to nobody else.
     */
    const char *whose;
    /*
     * Instead of writing a tree, give back these files of the commit, 16 of
     * 1 MiB at most; `tree`, `alternates` and `submodules` mean nothing then.
     * The last path may be a pattern of one directory's files: one `*` in its
     * last name (protocol.h).
     */
    bool show;
    const char *const *paths; /* relative to the top of the tree */
    size_t path_count;        /* 0: only find the commit */
    /*
     * Commits that are wanted next of this repository, 64 at most of 40 digits
     * each: if there is something to fetch, they come with it (where a
     * reference is at them), and whoever asks for them finds them there.
     */
    const char *const *also;
    size_t also_count;
    /*
     * Not NULL: `tree` is to be shared below overlays: what is written there
     * may be what differs from one of its bases.
     */
    const struct checkout_layer *layer;
    bool submodules;
    unsigned uid; /* (and gid) that does the work and owns files; 0: ours */
    /*
     * What `uid` is seen as inside, for the index's stat data (so that the
     * first `git status` need not read every file); 0: the same as `uid`.
     */
    unsigned inside_uid;
    int64_t timeout_ms; /* of the whole; > 0 */
};

/** A file to show: regular, and reached through no symbolic link. */
struct checkout_file {
    const char *data; /* `len` bytes, a NUL behind them */
    size_t len;
    const char *why;  /* "is a directory": it is not told; else NULL */
    const char *path; /* of a file that fits the pattern; else NULL */
};

/** All borrowed, for the duration of on_done. */
struct checkout_result {
    const char *commit;     /* 40 hexadecimal digits */
    const char *branch;     /* "main"; "" when HEAD is detached */
    const char *subject;    /* first line of its message, valid UTF-8 */
    bool fetched;           /* false: the mirror had it, nobody was asked */
    unsigned files;         /* entries of its tree, submodules' not counted */
    unsigned submodules;    /* checked out */
    struct layer layer;     /* what was written, where one was asked for: of
                               LAYER_NONE nothing, and only a checkout without
                               a layer tells if that can be done */
    const char *layer_refs; /* refs_state() of the tree's references */
    const char *layer_why;  /* why there is none */
    const struct checkout_file *shown; /* one a path, in their order, but of a
                                          pattern all that fit, sorted */
    size_t shown_count;
    bool shown_more; /* more than 16 fit: these are the first */
};

/** A line for a person that replaces the one before; 4 a second at most. */
typedef void checkout_progress_fn(void *arg, const char *line);
/**
 * The last callback: one of `result` and `err` is NULL. The handle is gone
 * when it returns, and must not be used in it. Kinds: ERR_USER (no such
 * repository, commit or ref; authentication; a tree we refuse), ERR_TRANSIENT
 * (network, time-out, lock, disk of the host). No message has a credential.
 */
typedef void checkout_done_fn(void *arg, const struct checkout_result *result,
                              const struct err *err);

struct checkout_callbacks {
    checkout_progress_fn *on_progress; /* NULL: not wanted */
    checkout_done_fn *on_done;
};

/**
 * Start a checkout. Callbacks come from the loop, never from inside this
 * call. `*out_checkout` is valid until on_done returns or checkout_kill().
 * ERR_USER at once: a URL that is malformed or of a kind we do not take;
 * ERR_TRANSIENT: nothing could be started. Not idempotent (`tree` fills up).
 */
MUST_USE int checkout_start(struct loop *loop,
                            const struct checkout_request *request,
                            const struct checkout_callbacks *callbacks,
                            void *arg, struct checkout **out_checkout,
                            struct err *err);

/**
 * Kill and reap every process of it and free the handle; no callback comes
 * after. `tree` is left half-made; the mirror stays good. NULL is fine.
 */
void checkout_kill(struct checkout *checkout);

/** Whether a host did not let us read, or says that there is nothing. */
bool checkout_is_denied(const struct err *err);

/** Which repository this is, and who reads it: a mirror is of one such. */
struct checkout_identity {
    char *url;           /* owned: the address without a credential */
    char credential[17]; /* stands for the one of an http(s) address, or "" */
};
/**
 * As in checkout_request, with `whose`; NULL is "". ERR_USER: malformed; no
 * mirror.key.
 */
MUST_USE int checkout_identify(const char *url, const char *username,
                               const char *password, const char *whose,
                               struct checkout_identity *out, struct err *err);

/**
 * The directory name for a repository's mirror: readable, one per URL and, for
 * http(s), per credential (as in checkout_request; NULL is ""), which it does
 * not give away (mirror.key in the state directory is made where it is
 * missing); [a-z0-9._-], at most 80 bytes. A mirror of another repository or
 * credential is found out by checkout and refused. Owned by the caller.
 */
MUST_USE char *checkout_mirror_name(const char *url, const char *username,
                                    const char *password);
/** The same, with `whose` of a request. */
MUST_USE char *checkout_mirror_name_as(const char *url, const char *username,
                                       const char *password, const char *whose);

#endif
