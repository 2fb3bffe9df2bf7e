/* worker/gateway/harden.c - give up what a gateway does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/harden.h"

#include "base/confine_network.h"

#include <openssl/x509.h>
#include <stdlib.h>

#define MEMORY_MAX ((uint64_t)1 << 30)

int harden(uid_t uid, struct err *err)
{
    return confine_network(uid, MEMORY_MAX, false, err);
}

/* The library's directory of certificates is one of links into those that are
 * always read. */
int harden_rest(struct err *err)
{
    CLEANUP(strv) struct strv reads = {0};
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *dir = getenv(X509_get_default_cert_dir_env());

    strv_add(&reads, file && *file ? file : X509_get_default_cert_file());
    strv_add(&reads, dir && *dir ? dir : X509_get_default_cert_dir());
    return confine_network_rest(&reads, false, err);
}
