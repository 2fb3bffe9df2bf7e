/* pipelines/instance.c - how large a sandbox is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "pipelines/load.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define GB  UINT64_C(1000000000)

/* A sixteenth of a vCPU is rounded up. */
static const struct instance_type types[] = {
    {"lite", 63, 256 * MIB, 2 * GB, 256},
    {"basic", 250, 1 * GIB, 4 * GB, 512},
    {"standard-1", 500, 4 * GIB, 8 * GB, 1024},
    {"standard-2", 1000, 6 * GIB, 12 * GB, 2048},
    {"standard-3", 2000, 8 * GIB, 16 * GB, 4096},
    {"standard-4", 4000, 12 * GIB, 20 * GB, 4096},
};

const struct instance_type *instance_type_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

/* ---- custom ----------------------------------------------------------------
 */

static void load_cpu(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct instance_type *type = target;

    if (value->kind != NODE_INT && value->kind != NODE_FLOAT)
        load_fail(l, value, NULL, "cpu is a number of vCPUs, like 0.5, not %s",
                  yaml_kind_name(value->kind));
    else if (!(value->number >= 0.01 && value->number <= 256))
        load_fail(l, value, NULL, "cpu must be from 0.01 to 256");
    else
        type->cpu_millis = (unsigned)(value->number * 1000 + 0.5);
}

static void load_size(struct loader *l, const struct yaml_node *value,
                      uint64_t min, uint64_t max, uint64_t *out)
{
    char low[SIZE_TEXT_SIZE], high[SIZE_TEXT_SIZE];
    struct err err = {0};
    uint64_t bytes;

    if (value->kind != NODE_STRING) {
        load_fail(l, value, NULL,
                  "a size is a text with its unit, like 512MiB or 2GB, not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (size_parse(value->text, &bytes, &err) < 0)
        load_fail(l, value, NULL, "'%.60s': %s", value->text, err.msg);
    else if (bytes < min || bytes > max)
        load_fail(l, value, NULL, "this must be from %s to %s",
                  size_format(min, low), size_format(max, high));
    else
        *out = bytes;
}

static void load_memory(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    struct instance_type *type = target;

    load_size(l, value, 16 * MIB, 4 * TIB, &type->memory_bytes);
}

static void load_disk(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct instance_type *type = target;

    load_size(l, value, 16 * MIB, 64 * TIB, &type->disk_bytes);
}

static void load_pids(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct instance_type *type = target;
    int pids;

    if (load_whole(l, value, 16, 32768, &pids))
        type->pids = (unsigned)pids;
}

static const struct key_rule custom_keys[] = {
    {"cpu", load_cpu, false, 0},
    {"memory", load_memory, false, 0},
    {"disk", load_disk, false, 0},
    {"pids", load_pids, false, 0},
};

static const struct foreign_word custom_foreign[] = {
    {"mem", "write memory: 512MiB"},
    {"ram", "write memory: 512MiB"},
    {"vcpu", "write cpu: 0.5"},
    {"storage", "write disk: 2GB"},
};

static const struct map_rules custom = {
    "instance_type",           custom_keys,
    ARRAY_LEN(custom_keys),    custom_foreign,
    ARRAY_LEN(custom_foreign),
};

void load_instance_type(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    const char *names[ARRAY_LEN(types) + 1] = {NULL};
    struct pipeline *p = l->pipeline;
    size_t i;

    (void)target;
    if (value->kind == NODE_MAP) {
        p->custom_type = *p->instance_type;
        p->custom_type.name = "custom";
        p->instance_type = &p->custom_type;
        load_map(l, value, &custom, 0, &p->custom_type);
        return;
    }
    for (i = 0; i < ARRAY_LEN(types); i++)
        names[i] = types[i].name;
    if (load_word(l, value, names, &i))
        p->instance_type = &types[i];
}
