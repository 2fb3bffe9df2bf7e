/* worker/sandbox/hierarchy.c - where cgroup controllers are mounted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/hierarchy.h"

#include "base/fd.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MAX ((size_t)4 << 20)

bool hierarchy_has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += len) {
        bool starts = p == list || strchr(" ,\n", p[-1]);
        bool ends = !p[len] || strchr(" ,\n", p[len]);

        if (starts && ends)
            return true;
    }
    return false;
}

/* Our path in the hierarchy that `line` of /proc/self/cgroup is about. */
static char *own_path(char *table, const char *options, bool v2)
{
    CLEANUP(mem) char *copy = xstrdup(table);
    char *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        char *word_save = NULL;

        if (!path)
            continue;
        *path++ = '\0';
        names++;
        if (v2 != (*names == '\0'))
            continue;
        if (v2)
            return xstrdup(path);
        for (char *word = strtok_r(names, ",", &word_save); word;
             word = strtok_r(NULL, ",", &word_save))
            if (hierarchy_has_word(options, word))
                return xstrdup(path);
    }
    return NULL;
}

/* A mount shows the hierarchy from `root` on; `path` is from its top. */
static const char *below(const char *root, const char *path)
{
    size_t len = strlen(root);

    if (strcmp(root, "/") == 0)
        return path;
    if (strncmp(path, root, len) == 0 && (path[len] == '/' || !path[len]))
        return path + len;
    /* Inside a cgroup namespace the path is relative to the mount already. */
    return path;
}

/* What was given to us is above where an earlier sandbox has moved us. */
static void leave_leaf(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash && strcmp(slash + 1, HIERARCHY_LEAF) == 0)
        slash[slash == path] = '\0';
}

static void read_controllers(struct hierarchy *h)
{
    CLEANUP(mem) char *file = xasprintf("%s/cgroup.controllers", h->mount);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(4096);
    struct err ignored;

    free(h->controllers);
    h->controllers = file_read(file, 4000, &text, &ignored) < 0
                         ? xstrdup("")
                         : xstrdup(text.data);
}

/* mountinfo: id parent dev root target options [tags] - type source super */
static void add_mount(struct hierarchies *all, char *line, char *self)
{
    struct hierarchy *h = &all->items[all->count];
    char *tail = strstr(line, " - ");
    char *field[6], *rest[3], *save = NULL;
    char *own;
    size_t i;

    if (!tail || all->count == HIERARCHY_MAX)
        return;
    *tail = '\0';
    for (i = 0; i < 5 && (field[i] = strtok_r(i ? NULL : line, " ", &save));)
        i++;
    if (i < 5)
        return;
    for (i = 0; i < 3 && (rest[i] = strtok_r(i ? NULL : tail + 3, " ", &save));)
        i++;
    if (i < 3 || strncmp(rest[0], "cgroup", 6) != 0)
        return;
    h->v2 = strcmp(rest[0], "cgroup2") == 0;
    own = own_path(self, rest[2], h->v2);
    if (!own)
        return;
    if (h->v2)
        leave_leaf(own);
    h->mount = xstrdup(field[4]);
    h->name = xstrdup(below(field[3], own));
    h->own =
        xasprintf("%s%s", h->mount, strcmp(h->name, "/") == 0 ? "" : h->name);
    h->controllers = xstrdup(rest[2]);
    if (h->v2)
        read_controllers(h);
    free(own);
    all->count++;
}

int hierarchies_load(const struct cgroup_host *host, struct hierarchies *out,
                     struct err *err)
{
    CLEANUP(strbuf) struct strbuf mounts = STRBUF_MAX(TABLE_MAX);
    CLEANUP(strbuf) struct strbuf self = STRBUF_MAX(TABLE_MAX);
    CLEANUP(hierarchies) struct hierarchies all = {0};
    char *save = NULL;

    if (file_read(host->mountinfo, TABLE_MAX - 1, &mounts, err) < 0 ||
        file_read(host->self, TABLE_MAX - 1, &self, err) < 0) {
        err->kind = ERR_TRANSIENT;
        return err_wrap(err, "cannot tell cgroups (is /proc mounted?)");
    }
    for (char *line = strtok_r(mounts.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        add_mount(&all, line, self.data);
    *out = all;
    all.count = 0;
    return 0;
}

void hierarchies_clear(struct hierarchies *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].mount);
        free(all->items[i].own);
        free(all->items[i].name);
        free(all->items[i].controllers);
    }
    all->count = 0;
}

const struct hierarchy *hierarchy_find(const struct hierarchies *all,
                                       const char *controller)
{
    for (int v2 = 1; v2 >= 0; v2--)
        for (size_t i = 0; i < all->count; i++)
            if (all->items[i].v2 == v2 &&
                hierarchy_has_word(all->items[i].controllers, controller))
                return &all->items[i];
    return NULL;
}
