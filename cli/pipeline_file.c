/* cli/pipeline_file.c - finding the pipeline that a command line names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pipeline_file.h"

#include "base/fd.h"
#include "base/suggest.h"
#include "pipelines/document.h"
#include "pipelines/library.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_stdin(struct strbuf *text, struct err *err)
{
    if (fd_read_all(STDIN_FILENO, text, err) < 0) {
        err->kind = ERR_USER;
        return err_wrap(err, "cannot read the pipeline from standard input");
    }
    if (text->truncated)
        return err_set(err, ERR_USER,
                       "the pipeline on standard input is over 1 MiB");
    return 0;
}

static int not_found(const char *name, struct err *err)
{
    CLEANUP(strbuf) struct strbuf list = STRBUF_INIT;
    struct suggest meant = SUGGEST_INIT(name);

    for (size_t i = 0; library_name(i); i++) {
        strbuf_addf(&list, "%s%s", i ? ", " : "", library_name(i));
        suggest_offer(&meant, library_name(i));
    }
    return err_set(err, ERR_USER,
                   "no pipeline '%.300s': there is no such file, and berth "
                   "ships with %.300s%s%s%s",
                   name, list.data, meant.best ? "; did you mean '" : "",
                   meant.best ? meant.best : "", meant.best ? "'?" : "");
}

/* A directory does not hide what ships: many repositories have a `test`. */
static bool has_file(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 &&
           (!S_ISDIR(st.st_mode) || !library_find(name));
}

/* It is right, but for that. */
static bool is_of_many(const struct strbuf *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(document) struct document *document = NULL;

    return document_load("", text->data, text->len, diags, &document) == 0;
}

int pipeline_file_load(const char *name, struct diag_list *diags,
                       struct pipeline **out_pipeline, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(PIPELINE_FILE_MAX_BYTES);
    const char *shown = name;

    if (strcmp(name, "-") == 0) {
        shown = "<stdin>";
        if (read_stdin(&text, err) < 0)
            return -1;
    } else if (has_file(name)) {
        if (file_read(name, PIPELINE_FILE_MAX_BYTES, &text, err) < 0)
            return err_wrap(err, "cannot read the pipeline");
    } else if (library_find(name)) {
        strbuf_adds(&text, library_find(name));
    } else {
        return not_found(name, err);
    }
    if (pipeline_load(shown, text.data, text.len, diags, out_pipeline) == 0)
        return 0;
    if (is_of_many(&text))
        return err_set(err, ERR_USER,
                       "one job at a time is run so: for all of them, commit "
                       "the pipeline, name it in a job document, and with "
                       "'berth up' at work give that to 'berth submit "
                       "--follow' (docs/jobs.md)");
    return err_set(err, ERR_USER, "the pipeline is invalid");
}
