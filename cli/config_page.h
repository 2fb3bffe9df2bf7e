/* cli/config_page.h - docs/configuration.md, from the table of settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CONFIG_PAGE_H
#define CLI_CONFIG_PAGE_H

#include "base/strbuf.h"

/** Add the page, as it is committed. */
void config_page(struct strbuf *out);

#endif
