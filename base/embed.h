/* base/embed.h - files of the source tree inside the program. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

/**
 * Define `const char NAME[]`, a NUL-terminated copy of the file PATH (relative
 * to the top of the tree, where the compiler runs). The Makefile names the
 * dependency: the compiler does not see it.
 */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define EMBED(name, path) EMBED_FILES(name, EMBED_FILE(path))

/** The same for several files, one behind the other: EMBED_FILE(a) …(b). */
#define EMBED_FILES(name, files)                                               \
    extern const char name[];                                                  \
    __asm__(".section .rodata\n"                                               \
            ".balign 16\n"                                                     \
            ".global " #name "\n" #name ":\n" files ".byte 0\n"                \
            ".previous\n")
#define EMBED_FILE(path) ".incbin \"" path "\"\n"
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
