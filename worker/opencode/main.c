/* worker/opencode/main.c - the program: `opencode` and `berth-review`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/reviewer.h"
#include "worker/opencode/shim.h"

#include <signal.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc ? argv[0] : "";

    (void)signal(SIGPIPE, SIG_IGN);
    return strcmp(name, "berth-review") == 0 ? reviewer_main()
                                             : shim_main(argc, argv);
}
