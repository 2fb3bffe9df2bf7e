/* pipelines/library.c - the pipelines that ship inside the program. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/library.h"

#include "base/embed.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

EMBED(library_test_yml, "pipelines/library/test.yml");
EMBED(library_review_yml, "pipelines/library/review.yml");
EMBED(library_nightly_yml, "pipelines/library/nightly.yml");
EMBED(library_codegen_yml, "pipelines/library/codegen.yml");
EMBED(library_batch_yml, "pipelines/library/batch.yml");

static const struct {
    const char *name;
    const char *text;
} library[] = {
    {"test", library_test_yml},       {"review", library_review_yml},
    {"nightly", library_nightly_yml}, {"codegen", library_codegen_yml},
    {"batch", library_batch_yml},
};

static const char *skip(const char *s, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(s, prefix, len) == 0 ? s + len : s;
}

const char *library_find(const char *name)
{
    const char *base = skip(skip(name, "pipelines/"), "library/");

    for (size_t i = 0; i < ARRAY_LEN(library); i++) {
        const char *rest = skip(base, library[i].name);

        if (rest == base)
            continue;
        if (!strcmp(rest, ".yml") || (!*rest && base == name))
            return library[i].text;
    }
    return NULL;
}

const char *library_name(size_t i)
{
    return i < ARRAY_LEN(library) ? library[i].name : NULL;
}
