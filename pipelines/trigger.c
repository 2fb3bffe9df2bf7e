/* pipelines/trigger.c - whether an event is one that somebody waits for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/trigger.h"

#include "base/glob.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void trigger_clear(struct trigger *trigger)
{
    free(trigger->forge);
    strv_clear(&trigger->pipelines);
    strv_clear(&trigger->repos);
    strv_clear(&trigger->branches);
    strv_clear(&trigger->tags);
    strv_clear(&trigger->paths);
    strv_clear(&trigger->labels);
    strv_clear(&trigger->authors);
}

void trigger_list_free(struct trigger_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        trigger_clear(&list->items[i]);
    free(list->items);
    free(list);
}

/* ---- patterns ----------------------------------------------------------- */

typedef bool match_fn(const char *pattern, const char *text);

/* A bracket is one: robots' names have them. Only the last star has to be
 * tried again: earlier ones met the least. */
static bool match_name(const char *p, const char *s)
{
    const char *star = NULL, *star_s = NULL;

    while (*s) {
        if (*p == '*') {
            star = ++p;
            star_s = s;
        } else if (tolower((unsigned char)*p) == tolower((unsigned char)*s)) {
            p++;
            s++;
        } else if (star) {
            p = star;
            s = ++star_s;
        } else {
            return false;
        }
    }
    return !p[strspn(p, "*")];
}

/* Whether the last pattern that fits is one without `!`. */
static bool fits(const struct strv *patterns, const char *text, match_fn *match)
{
    for (size_t i = patterns->count; i-- > 0;) {
        const char *pattern = patterns->items[i];
        bool away = *pattern == '!';

        if (match(pattern + away, text))
            return !away;
    }
    return !patterns->count;
}

static bool any_fits(const struct strv *patterns, const char *const *texts,
                     size_t count, match_fn *match)
{
    for (size_t i = 0; i < count; i++)
        if (fits(patterns, texts[i], match))
            return true;
    return !patterns->count;
}

/* ---- the verdict -------------------------------------------------------- */

#define OF_PEOPLE                                                              \
    (TRIGGER_OPENED | TRIGGER_UPDATED | TRIGGER_REOPENED | TRIGGER_READY |     \
     TRIGGER_LABELED)

/* Why the people behind a change, or what they said of it, do not fit. */
static const char *people_fault(const struct trigger *t,
                                const struct trigger_facts *facts)
{
    if (facts->is_draft && !t->drafts)
        return "a draft";
    if (facts->is_fork && !t->forks)
        return "from a fork";
    if (!fits(&t->authors, facts->author, match_name))
        return "another author";
    if (!any_fits(&t->labels, facts->labels, facts->label_count, match_name))
        return "no such label";
    return NULL;
}

/* Why all but the paths do not fit, or NULL. */
static const char *fault(const struct trigger *t,
                         const struct trigger_facts *facts)
{
    bool tag = facts->event == TRIGGER_TAG;

    if (!(t->events & facts->event))
        return "another event";
    if (t->forge && strcmp(t->forge, facts->forge) != 0)
        return "another host";
    if (!fits(&t->repos, facts->repo, glob_match_dots))
        return "another repository";
    if (tag && !fits(&t->tags, facts->tag, glob_match_dots))
        return "another tag";
    if (!tag && !fits(&t->branches, facts->branch, glob_match_dots))
        return "another branch";
    return facts->event & OF_PEOPLE ? people_fault(t, facts) : NULL;
}

enum trigger_verdict trigger_match(const struct trigger *trigger,
                                   const struct trigger_facts *facts,
                                   const char **out_why)
{
    const char *why = fault(trigger, facts);
    bool by_path = trigger->paths.count && facts->event != TRIGGER_TAG;

    if (!why && by_path && !facts->paths)
        return TRIGGER_NEEDS_PATHS;
    if (!why && by_path &&
        !any_fits(&trigger->paths, facts->paths, facts->path_count,
                  glob_match_dots))
        why = "no such path";
    if (why && out_why)
        *out_why = why;
    return why ? TRIGGER_NO : TRIGGER_YES;
}

/* ---- unless somebody says otherwise ------------------------------------- */

const struct trigger_list *trigger_defaults(void)
{
    static char anybody[] = "*", no_bot[] = "!*[bot]", test[] = "test";
    static char *authors[] = {anybody, no_bot, NULL};
    static char *pipelines[] = {test, NULL};
    static struct trigger items[] = {{.events = TRIGGER_CHANGE,
                                      .forks = true,
                                      .pipelines = {pipelines, 1},
                                      .authors = {authors, 2}}};
    static const struct trigger_list list = {items, ARRAY_LEN(items)};

    return &list;
}
