/* worker/checkout/text.c - a stranger's bytes made fit for JSON and people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/text.h"

#include "base/utf8.h"

#include <string.h>

void text_clean(char *s)
{
    size_t left = strlen(s);

    while (left) {
        uint32_t c = 0;
        size_t n = utf8_decode(s, left, &c);

        if (n == 0) {
            *s = '?';
            n = 1;
        } else if (utf8_is_control(c)) {
            memset(s, ' ', n);
        }
        s += n;
        left -= n;
    }
}
