/* tests/unit/worker/gateway/relay_wish_test.c - what is not let through. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/relay/dialect.h"

#include <stdlib.h>
#include <string.h>

static bool passes(const char *text, size_t len)
{
    struct err err = {0};
    json_t *request = dialect_parse(text, len, &err);
    bool good = request;

    assert_true(good || err.kind == ERR_USER);
    json_decref(request);
    return good;
}

/* A request with `more` in it. */
static bool may(const char *more)
{
    CLEANUP(mem) char *text = xasprintf("{\"model\": \"small\", %s}", more);

    return passes(text, strlen(text));
}

static void test_wishes(void **state)
{
    static const char *const good[] = {
        "\"a\": 1",
        "\"models\": [], \"background\": false, \"mcp_servers\": null",
        "\"service_tier\": \"auto\"",
        ("\"tools\": [{\"type\": \"function\", \"function\": {\"name\": "
         "\"web_search\"}}, {\"name\": \"f\", \"input_schema\": {}}, "
         "{\"type\": "
         "\"bash_20250124\", \"name\": \"bash\"}]"),
        "\"messages\": [{\"role\": \"user\", \"content\": \"image_url\"}, "
        "{\"content\": [{\"type\": \"image_url\", \"image_url\": {\"url\": "
        "\"data:image/png;base64,AA==\"}}, {\"type\": \"image\", \"source\": "
        "{\"type\": \"base64\", \"data\": \"AA==\"}}]}]",
        /* What a tool is called with is the client's. */
        "\"messages\": [{\"content\": [{\"type\": \"tool_use\", \"input\": "
        "{\"source\": {\"url\": \"https://x.example\"}}}]}]",
        "\"input\": \"https://x.example/\"",
    };
    static const char *const bad[] = {
        "\"models\": [\"huge\"]",
        "\"fallbacks\": [\"huge\"]",
        "\"api_base\": \"https://x.example\"",
        "\"background\": true",
        "\"mcp_servers\": [{\"url\": \"https://x.example\"}]",
        "\"web_search_options\": {}",
        "\"plugins\": [{\"id\": \"web\"}]",
        "\"service_tier\": \"priority\"",
        "\"speed\": \"fast\"",
        "\"tools\": [{\"type\": \"function\"}, {\"type\": "
        "\"web_search_20250305\"}]",
        "\"tools\": [{\"type\": \"mcp\", \"server_url\": \"https://x\"}]",
        "\"messages\": [{\"content\": [{\"type\": \"image_url\", "
        "\"image_url\": {\"url\": \"https://x.example/?stolen\"}}]}]",
        "\"messages\": [{\"content\": [{\"type\": \"tool_result\", "
        "\"content\": [{\"type\": \"image\", \"source\": {\"type\": \"url\", "
        "\"url\": \"http://x.example\"}}]}]}]",
        "\"input\": [{\"content\": [{\"type\": \"input_image\", "
        "\"image_url\": \"https://x.example\"}]}]",
        "\"input\": [{\"content\": [{\"type\": \"input_file\", \"file_url\": "
        "\"https://x.example\"}]}]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!may(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (may(bad[i]))
            fail_msg("let through: %s", bad[i]);
}

static void test_model(void **state)
{
    static const char nul[] = "{\"model\": \"small\\u0000huge\"}";

    (void)state;
    assert_false(passes(nul, strlen(nul)));
}

/* 16 MiB of these take a gigabyte. */
static void test_values(void **state)
{
    const size_t count = (size_t)1 << 20;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    (void)state;
    strbuf_adds(&text, "{\"model\": \"small\", \"a\": [[]");
    for (size_t i = 0; i < count; i++)
        strbuf_adds(&text, ",[]");
    strbuf_adds(&text, "]}");
    assert_false(passes(text.data, text.len));
    /* As many in a text are one value. */
    strbuf_cut(&text, 0);
    strbuf_adds(&text, "{\"model\": \"small\", \"a\": \"\\\"");
    for (size_t i = 0; i < count; i++)
        strbuf_adds(&text, ",[]");
    strbuf_adds(&text, "\"}");
    assert_true(passes(text.data, text.len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests_name("worker/gateway/relay_wish", tests, NULL,
                                       NULL);
}
