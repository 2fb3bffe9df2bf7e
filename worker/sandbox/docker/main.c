/* worker/sandbox/docker/main.c - docker-client: a container as a runtime. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker/container.h"

#include <stdio.h>
#include <string.h>

/* sysexits.h: the fault of what was asked for. */
#define EXIT_USER 65

static const char usage[] =
    "usage: docker-client run FILE               as a runtime's `run`\n"
    "       docker-client check SOCKET           what cannot be enforced\n"
    "       docker-client remove SOCKET DIR ID   the containers of a sandbox\n"
    "       docker-client sweep SOCKET DIR       those without a directory\n";

static int run(const char *file, struct err *err)
{
    json_t *spec = json_load_file(file, 0, NULL);
    const char *socket = json_string_value(json_object_get(spec, "socket"));
    CLEANUP(engine) struct engine *engine = NULL;
    int rc;

    if (!socket)
        rc = err_set(err, ERR_BUG, "'%s' describes no container", file);
    else if ((rc = engine_new(socket, &engine, err)) == 0)
        rc = container_run(engine, spec, err);
    json_decref(spec);
    return rc;
}

static int check(const char *socket, struct err *err)
{
    CLEANUP(engine) struct engine *engine = NULL;
    CLEANUP(strbuf) struct strbuf unenforced = STRBUF_MAX(256);

    if (engine_new(socket, &engine, err) < 0 ||
        container_check(engine, &unenforced, err) < 0)
        return -1;
    (void)fputs(unenforced.data, stdout);
    return 0;
}

static int clean(const char *socket, const char *dir, const char *id,
                 struct err *err)
{
    CLEANUP(engine) struct engine *engine = NULL;

    if (engine_new(socket, &engine, err) < 0)
        return -1;
    return container_remove_all(engine, dir, id, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int rc;

    if (argc == 3 && strcmp(argv[1], "run") == 0) {
        rc = run(argv[2], &err);
    } else if (argc == 3 && strcmp(argv[1], "check") == 0) {
        rc = check(argv[2], &err);
    } else if (argc == 5 && strcmp(argv[1], "remove") == 0) {
        rc = clean(argv[2], argv[3], argv[4], &err);
    } else if (argc == 4 && strcmp(argv[1], "sweep") == 0) {
        rc = clean(argv[2], argv[3], NULL, &err);
    } else {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (rc == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return err.kind == ERR_USER ? EXIT_USER : 1;
}
