/* base/host_rule.c - names of hosts, and patterns that allow them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_rule.h"

#include <string.h>

#define LABEL_MAX 63

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* "7", "0x7f": what inet_aton() takes for a part of an address. */
static bool is_number(const char *label)
{
    size_t len = strlen(label);

    if (label[0] == '0' && label[1] == 'x')
        return strspn(label + 2, "0123456789abcdef") == len - 2;
    return strspn(label, "0123456789") == len;
}

static int check_labels(const char *name, struct err *err)
{
    const char *label = name;

    for (const char *c = name;; c++) {
        if (*c && *c != '.')
            continue;
        if (c == label || c - label > LABEL_MAX || *label == '-' ||
            c[-1] == '-')
            return err_set(err, ERR_USER,
                           "each part of a host's name has 1 to %d characters, "
                           "and no '-' at its ends",
                           LABEL_MAX);
        if (!*c)
            break;
        label = c + 1;
    }
    if (is_number(label))
        return err_set(err, ERR_USER,
                       "hosts go by name here, and this is an address");
    return 0;
}

int host_name_parse(const char *text, size_t len, char out[HOST_NAME_SIZE],
                    struct err *err)
{
    char name[HOST_NAME_SIZE];

    if (len && text[len - 1] == '.')
        len--;
    if (!len || len >= sizeof(name))
        return err_set(err, ERR_USER, "a host's name has 1 to %d characters",
                       HOST_NAME_SIZE - 1);
    for (size_t i = 0; i < len; i++) {
        name[i] = lower(text[i]);
        if (name[i] == ':' || name[i] == '[')
            return err_set(err, ERR_USER,
                           "hosts go by name here, and this is an address");
        if (!is_name_char(name[i]) && name[i] != '.')
            return err_set(err, ERR_USER,
                           "a host's name has letters, digits, '-', '_' and "
                           "'.' only (others are written xn--…)");
    }
    name[len] = '\0';
    if (check_labels(name, err) < 0)
        return -1;
    memcpy(out, name, len + 1);
    return 0;
}

int host_port_parse(const char *text, size_t len, uint16_t *out_port,
                    struct err *err)
{
    unsigned long port = 0;

    for (size_t i = 1; i < len && port <= UINT16_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            port = UINT16_MAX;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    if (len < 2 || text[0] != ':' || text[1] == '0' || !port ||
        port > UINT16_MAX)
        return err_set(err, ERR_USER, "a port is a number from 1 to %d",
                       UINT16_MAX);
    *out_port = (uint16_t)port;
    return 0;
}

int host_rule_parse(const char *text, struct host_rule *out_rule,
                    struct err *err)
{
    struct host_rule rule = {.below = strncmp(text, "*.", 2) == 0};
    const char *name = rule.below ? text + 2 : text;
    size_t len = strcspn(name, ":");

    if (strstr(name, "://"))
        return err_set(err, ERR_USER,
                       "a host stands alone, without http:// or a path");
    if (strchr(name, '*'))
        return err_set(err, ERR_USER,
                       "a '*' stands alone before the first dot, as in "
                       "*.example.com");
    if (name[len] && strchr(name + len + 1, ':'))
        return err_set(err, ERR_USER,
                       "hosts go by name here, and this is an address");
    if (host_name_parse(name, len, rule.name, err) < 0)
        return -1;
    if (name[len] &&
        host_port_parse(name + len, strlen(name + len), &rule.port, err) < 0)
        return -1;
    if (rule.below && !strchr(rule.name, '.'))
        return err_set(err, ERR_USER,
                       "'*' needs two names behind it, as in *.example.com");
    if (!rule.port && !strchr(rule.name, '.'))
        return err_set(err, ERR_USER,
                       "a host without a dot in its name needs its port, as "
                       "in %.63s:443",
                       rule.name);
    *out_rule = rule;
    return 0;
}

bool host_rule_allows(const struct host_rule *rule, const char *name,
                      uint16_t port)
{
    size_t len = strlen(name);
    size_t suffix = strlen(rule->name);

    if (rule->port ? port != rule->port : port != 80 && port != 443)
        return false;
    if (!rule->below)
        return strcmp(name, rule->name) == 0;
    return len > suffix + 1 && name[len - suffix - 1] == '.' &&
           strcmp(name + len - suffix, rule->name) == 0;
}
