/* cli/secret_source.c - secrets that the configuration only points at. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret_source.h"

#include "base/fd.h"

#include <stdlib.h>
#include <string.h>

int secret_source_read(const char *source, struct strbuf *out, struct err *err)
{
    const char *value;

    if (!strncmp(source, "env:", 4)) {
        value = getenv(source + 4);
        if (!value)
            return err_set(err, ERR_USER, "there is no $%s", source + 4);
        strbuf_adds(out, value);
    } else if (file_read(source + 5, out->max_bytes, out, err) < 0) {
        return -1;
    }
    while (out->len && strchr("\r\n", out->data[out->len - 1]))
        strbuf_cut(out, out->len - 1);
    if (out->truncated || strlen(out->data) != out->len)
        return err_set(err, ERR_USER, "it is no text of up to %zu bytes",
                       out->max_bytes);
    return 0;
}

void secret_source_forget(const char *source)
{
    char *value;

    if (strncmp(source, "env:", 4) != 0)
        return;
    value = getenv(source + 4);
    if (value)
        mem_wipe(value, strlen(value));
    (void)unsetenv(source + 4);
}
