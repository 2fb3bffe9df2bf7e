/* tests/unit/base/frame_test.c - the codec between our processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/frame.h"
#include "base/mem.h"
#include "tests/lib/unit.h"

#include <string.h>

static void header_is_big_endian(void **state UNUSED)
{
    static const uint8_t wanted[FRAME_HEADER_SIZE] = {
        0, 1, 2, 3, 0xfe, 0xde, 0xad, 0xbe, 0xef};
    uint8_t out[FRAME_HEADER_SIZE];

    frame_put_header(out, 0xfe, 0xdeadbeef, 0x00010203);
    assert_memory_equal(out, wanted, sizeof(out));
}

static void parses_what_it_wrote(void **state UNUSED)
{
    uint8_t bytes[FRAME_HEADER_SIZE + 5 + 3];
    struct frame frame = {0};

    frame_put_header(bytes, 7, 42, 5);
    memcpy(bytes + FRAME_HEADER_SIZE, "helloXYZ", 8);
    for (size_t n = 0; n < FRAME_HEADER_SIZE + 5; n++)
        assert_int_equal(frame_parse(bytes, n, &frame), 0);
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &frame),
                     FRAME_HEADER_SIZE + 5);
    assert_int_equal(frame.type, 7);
    assert_int_equal(frame.id, 42);
    assert_int_equal(frame.len, 5);
    assert_ptr_equal(frame.data, bytes + FRAME_HEADER_SIZE);
    assert_memory_equal(frame.data, "hello", 5);
}

static void empty_payload(void **state UNUSED)
{
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct frame frame = {0};

    frame_put_header(bytes, 1, 0, 0);
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &frame),
                     FRAME_HEADER_SIZE);
    assert_int_equal(frame.len, 0);
}

static void too_large_is_an_error(void **state UNUSED)
{
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct frame frame = {0};

    frame_put_header(bytes, 1, 0, FRAME_MAX_PAYLOAD);
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &frame), 0);
    frame_put_header(bytes, 1, 0, FRAME_MAX_PAYLOAD + 1);
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &frame), -1);
    frame_put_header(bytes, 1, 0, UINT32_MAX);
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &frame), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_big_endian),
        cmocka_unit_test(parses_what_it_wrote),
        cmocka_unit_test(empty_payload),
        cmocka_unit_test(too_large_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
