/* worker/logs/main.c - log-store: what a directory of logs does slowly. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/program.h"

int main(int argc, char **argv)
{
    return log_program(argc, argv, &log_store_dir);
}
