/* tests/fuzz/checkout_fuzz.c - what checkout and its client parse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"
#include "worker/checkout/modules.h"
#include "worker/checkout/names.h"
#include "worker/checkout/refs.h"
#include "worker/checkout/shown.h"
#include "worker/checkout/text.h"
#include "worker/checkout/transport.h"

/* What url_parse takes, it takes again in the form that it shows. */
static void fuzz_url(const char *text)
{
    CLEANUP(url) struct url url = {0};
    CLEANUP(url) struct url again = {0};
    CLEANUP(mem) char *resolved = NULL;
    struct err err = {0};

    (void)url_resolve("https://h/a/b", text, &resolved, &err);
    if (url_parse(text, &url, &err) < 0)
        return;
    if (url_parse(url.shown, &again, &err) < 0 || again.kind != url.kind ||
        strcmp(again.shown, url.shown) != 0 || again.password)
        abort();
    (void)transport_explain(&url, text, &err);
}

static void fuzz_modules(const char *text, size_t size)
{
    CLEANUP(modules) struct modules modules = {0};
    struct err err = {0};

    if (modules_parse(text, size, &modules, &err) < 0)
        return;
    for (size_t i = 0; i < modules.count; i++)
        if (modules.items[i].path && path_fault(modules.items[i].path))
            abort();
}

static void fuzz_refs(char *text)
{
    CLEANUP(refs) struct refs refs = {0};
    char *save = NULL;

    for (char *name = strtok_r(text, "\n", &save); name;
         name = strtok_r(NULL, "\n", &save))
        (void)refs_add(&refs, name, "0123456789abcdef0123456789abcdef01234567",
                       NULL);
    refs_settle(&refs);
    for (size_t i = 0; i < refs.count; i++)
        if (refs_find(&refs, refs.items[i].name) != &refs.items[i] ||
            path_fault(refs.items[i].name) == path_fault(""))
            abort();
}

/* Lines, and what follows those that announce a file. */
static void fuzz_replies(const char *data, size_t size)
{
    static const char *const paths[] = {"a", ".berth/*.yml"};
    struct shown shown = {0};
    const char *newline;
    size_t taken;

    shown_expect(&shown, paths, ARRAY_LEN(paths));
    do {
        CLEANUP(reply) struct reply reply = {0};
        struct err err = {0};

        taken = shown_take(&shown, data, size);
        data += taken;
        size -= taken;
        newline = memchr(data, '\n', size);
        taken = newline ? (size_t)(newline - data) : size;
        if (reply_parse(data, taken, &reply, &err) < 0 ||
            (reply.kind == REPLY_FILE && shown_begin(&shown, &reply, &err) < 0))
            break;
        data += taken + (newline != NULL);
        size -= taken + (newline != NULL);
    } while (newline);
    if (shown.count > SHOW_MAX_FILES || shown.missing > SHOW_MAX_BYTES)
        abort();
    shown_clear(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mem) char *text = NULL;

    if (size < 1)
        return 0;
    text = xstrndup((const char *)data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        fuzz_url(text);
        break;
    case 1:
        fuzz_modules((const char *)data + 1, size - 1);
        break;
    case 2:
        fuzz_refs(text);
        break;
    case 3:
        fuzz_replies((const char *)data + 1, size - 1);
        break;
    default:
        (void)name_fault((const char *)data + 1, size - 1);
        text_clean(text);
    }
    return 0;
}
