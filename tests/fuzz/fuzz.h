/* tests/fuzz/fuzz.h - what every fuzzer has. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is to hold of any input. */
UNUSED static void require(bool condition)
{
    if (!condition)
        abort();
}

/* With a NUL behind it; the caller's. */
UNUSED static char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = xmalloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
