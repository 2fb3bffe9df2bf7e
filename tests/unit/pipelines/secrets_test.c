/* tests/unit/pipelines/secrets_test.c - which secrets a step is given. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/document.h"
#include "tests/lib/unit.h"

#include <string.h>

static struct document *load(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct document *document = NULL;

    if (document_load("ci.yml", text, strlen(text), diags, &document) < 0)
        fail_msg("%u:%u: %s", diag_list_at(diags, 0)->line,
                 diag_list_at(diags, 0)->column,
                 diag_list_at(diags, 0)->message);
    return document;
}

/* `A=X B:file C@host:port/Field/prefix`, with ? for optional ones. */
static void expect(const struct document *document, size_t job, size_t index,
                   const char *wanted)
{
    const struct secret_list *list =
        &document->jobs[job].pipeline->steps[index].secrets;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < list->count; i++) {
        const struct step_secret *s = &list->items[i];

        strbuf_addf(&out, "%s%s", i ? " " : "", s->name);
        if (s->form == SECRET_ENV)
            strbuf_addf(&out, "=%s", s->target);
        else if (s->form == SECRET_FILE)
            strbuf_addf(&out, ":%s", s->target);
        else
            strbuf_addf(&out, "@%s%s:%u/%s/%s", s->plain ? "plain+" : "",
                        s->target, (unsigned)s->port, s->header, s->prefix);
        strbuf_adds(&out, s->optional ? "?" : "");
    }
    assert_string_equal(out.data, wanted);
}

static void test_forms(void **state UNUSED)
{
    CLEANUP(document)
    struct document *d =
        load("sandbox: {network: [h.example, 'h.example:8080', g.example]}\n"
             "steps:\n"
             "  - secrets:\n"
             "      - A\n"
             "      - {name: A, env: other}\n"
             "      - {name: B, file: .b, optional: true}\n"
             "      - {name: C, inject: {host: H.example.}}\n"
             "      - {name: D, inject: {host: 'G.example:80', tls: false,"
             " header: X-Key, prefix: 'Basic '}}\n"
             "    run: ls\n"
             "  - run: ls\n");

    expect(d, 0, 0,
           "A=A A=other B:.b? C@h.example:443/Authorization/ "
           "D@plain+g.example:80/X-Key/Basic ");
    expect(d, 0, 1, "");
}

static void test_of_the_job(void **state UNUSED)
{
    CLEANUP(document)
    struct document *d = load("secrets: [A, {name: B, file: f}, C]\n"
                              "steps:\n"
                              "  - checkout:\n"
                              "  - install: npm\n"
                              "  - run: ls\n"
                              "    secrets: [{name: A, env: X}, {name: D, "
                              "file: f}, {name: E, env: C}]\n"
                              "  - read_file: f\n");

    expect(d, 0, 0, "");
    expect(d, 0, 1, "A=A B:f C=C");
    /* Neither the same secret in another form, nor another in its place. */
    expect(d, 0, 2, "A=X D:f E=C");
    expect(d, 0, 3, "");
}

static void test_of_the_document(void **state UNUSED)
{
    CLEANUP(document)
    struct document *d =
        load("secrets: [A, B]\n"
             "jobs:\n"
             "  x: {steps: [{run: ls}]}\n"
             "  y: {secrets: [{name: A, file: a}], steps: [{run: ls}]}\n"
             "  z: {secrets: [], steps: [{run: ls, secrets: [C]}]}\n");

    expect(d, 0, 0, "A=A B=B");
    expect(d, 1, 0, "A:a B=B");
    expect(d, 2, 0, "C=C A=A B=B");
}

static void test_normalised(void **state UNUSED)
{
    CLEANUP(pipeline) struct pipeline *again = NULL;
    CLEANUP(document)
    struct document *d =
        load("sandbox: {network: ['h.example:8443']}\n"
             "secrets: [A]\n"
             "steps:\n"
             "  - run: ls\n"
             "    secrets: [{name: B, file: b, optional: true}, {name: C, "
             "inject: {host: 'h.example:8443', prefix: 'T '}}]\n");
    json_t *json = pipeline_to_json(d->jobs[0].pipeline);
    json_t *wanted = json_loads(
        "[{\"name\":\"B\",\"file\":\"b\",\"optional\":true},"
        "{\"name\":\"C\",\"inject\":{\"host\":\"h.example:8443\",\"header\":"
        "\"Authorization\",\"prefix\":\"T \",\"tls\":true}},"
        "{\"name\":\"A\",\"env\":\"A\"}]",
        0, NULL);
    struct err err;
    json_t *second;

    assert_null(json_object_get(json, "secrets"));
    assert_true(json_equal(
        json_object_get(json_array_get(json_object_get(json, "steps"), 0),
                        "secrets"),
        wanted));
    assert_int_equal(pipeline_from_json(json, &again, &err), 0);
    second = pipeline_to_json(again);
    assert_true(json_equal(json, second));
    json_decref(json);
    json_decref(second);
    json_decref(wanted);
}

#define STEP(list) "steps:\n  - run: ls\n    secrets: " list "\n"

static void test_errors(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message, *hint;
    } cases[] = {
        {STEP("[npm-token]"), 3, 15, "not the name of a secret", "NPM_TOKEN"},
        {STEP("[A, {name: B, fil: b}]"), 3, 28, "unknown key 'fil' in a secret",
         "file"},
        {STEP("[{name: A, as: B}]"), 3, 25, "write env: VARIABLE", NULL},
        {STEP("[{name: A, env: B, file: c}]"), 3, 39, "in one way", NULL},
        {STEP("[{name: A, file: ../c}]"), 3, 31, "/run/berth/secrets", NULL},
        {STEP("[{name: A, inject: {host: h.example, hedaer: B}}]"), 3, 51,
         "unknown key", "header"},
        {STEP("[A, {name: B, env: A}]"), 3, 18, "'A' is there twice", NULL},
        {STEP("[{name: A, inject: {host: h.example}}]"), 3, 15,
         "write `network: [h.example]`", NULL},
        {"sandbox: {network: full}\n" STEP(
             "[A, {name: B, inject: {host: 'h.example:81', tls: false}}]"),
         4, 18, "write `network: [h.example:81]`", NULL},
        {"secrets: [B, A]\nsteps:\n  - run: ls\n    env: {A: x}\n", 1, 14,
         "'A' is in env of this step", NULL},
        {"steps:\n  - run: ls\n    env: {A: '${{ secrets.A }}'}\n", 3, 19,
         "secrets: [NAME]", NULL},
        {"steps:\n  - checkout:\n    secrets: [A]\n", 3, 5, "no meaning", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        struct document *document = NULL;
        const struct diag *diag;

        assert_int_equal(document_load("ci.yml", cases[i].text,
                                       strlen(cases[i].text), diags, &document),
                         -1);
        assert_int_equal(diag_list_count(diags), 1);
        diag = diag_list_at(diags, 0);
        if (diag->line != cases[i].line || diag->column != cases[i].column ||
            !strstr(diag->message, cases[i].message) ||
            (diag->hint ? diag->hint : "")[0] !=
                (cases[i].hint ? cases[i].hint : "")[0])
            fail_msg("%zu: %u:%u: %s (%s)", i, diag->line, diag->column,
                     diag->message, diag->hint ? diag->hint : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_of_the_job),
        cmocka_unit_test(test_of_the_document),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
