/* cli/config_page.c - docs/configuration.md, from the table of settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config_page.h"

#include "cli/settings.h"

static const char head[] =
    "# Configuration\n"
    "\n"
    "This page is what `berth config --reference` prints.\n"
    "\n"
    "A value comes from the last of these that has it:\n"
    "\n"
    "1. its default;\n"
    "2. a YAML file: the one that `--config` names, else `$BERTH_CONFIG`, "
    "else\n"
    "   `/etc/berth/berth.yml` if it is there; none is fine. The part of a "
    "key\n"
    "   in front of the dot is a mapping: `lease.renew` is written\n"
    "   `lease: {renew: 20s}`;\n"
    "3. the environment: `BERTH_` and the key in capitals, `_` for the dot:\n"
    "   `BERTH_LEASE_RENEW=20s`. `BERTH_REDIS` is another name of\n"
    "   `BERTH_REDIS_URL`. An empty variable is not set. Lists are written\n"
    "   `a,b`, mappings `a=1,b=2`;\n"
    "4. `--set NAME=VALUE`, written as in the environment, and the options of\n"
    "   a command that stand for a key.\n"
    "\n"
    "`berth config` shows every value and where it is from; `berth config\n"
    "--check` says what is wrong, all of it; `berth validate --config FILE`\n"
    "looks at a file alone. A key that is not listed here is an error.\n"
    "`schemas/config.schema.json` says the same to editors.\n"
    "\n"
    "On SIGHUP the configuration is read again. Where it is invalid, all "
    "stays\n"
    "as it was; so do keys that need a restart, with a warning.\n"
    "\n"
    "Durations are whole days, hours, minutes and seconds (`90s`, `1h30m`,\n"
    "`7d`); sizes have a unit (`512MiB`, `2GB`).\n";

static const char tail[] =
    "\n"
    "### A schedule\n"
    "\n"
    "```yaml\n"
    "schedules:\n"
    "  - name: nightly\n"
    "    cron: \"@nightly\"\n"
    "    zone: Europe/Berlin\n"
    "    catch_up: one\n"
    "    jitter: 10m\n"
    "    job: {kind: test, repo: https://git.example.org/owner/name}\n"
    "```\n"
    "\n"
    "| key | default | what |\n"
    "|---|---|---|\n"
    "| `name` | required | small letters, digits and `-`, at most 40; no two "
    "are the same |\n"
    "| `cron` | required | the five fields of crontab(5), or `@hourly`, "
    "`@daily`, `@nightly` (3 o'clock), `@weekly`, `@monthly`, `@yearly` |\n"
    "| `zone` | `UTC` | the time zone, by its IANA name |\n"
    "| `catch_up` | `skip` | what becomes of times that no scheduler was there "
    "for: nothing (`skip`), the latest fires (`one`), each fires (`all`) |\n"
    "| `jitter` | none | each firing is this late at most, always by the same "
    "for a name; up to a day |\n"
    "| `job` | required | a job document ([jobs.md](jobs.md)) without `id`; "
    "its `not_before` and `deadline` are delays |\n";

void config_page(struct strbuf *out)
{
    strbuf_adds(out, head);
    config_reference(&settings_table, out);
    strbuf_adds(out, tail);
}
