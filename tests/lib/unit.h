/* tests/lib/unit.h - cmocka, with what it wants to be included before it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_UNIT_H
#define TESTS_LIB_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#endif
