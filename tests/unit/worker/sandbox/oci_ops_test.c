/* tests/unit/worker/sandbox/oci_ops_test.c - what is done with a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "worker/sandbox/snapshot.h"

static struct box shared;

static int open_shared(void **state)
{
    struct sandbox_spec spec = box_spec("ops");

    (void)box_setup(state);
    if (box_can())
        box_open(&shared, &spec);
    return 0;
}

static int close_shared(void **state)
{
    if (shared.sandbox)
        box_close(&shared);
    return box_teardown(state);
}

/* ---- commands --------------------------------------------------------- */

static void test_input(void **state UNUSED)
{
    struct box *b = &shared;
    CLEANUP(mem) char *data = xcalloc(1, 3 * MIB);
    const char *argv[4];
    struct sandbox_exec exec;

    NEED_ROOT();
    memset(data, 'x', 3 * MIB);
    exec = box_sh(b, argv, "sleep 0.3; wc -c");
    exec.input = data;
    exec.input_len = 3 * MIB;
    box_begin(b, &exec);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
    assert_string_equal(b->out.data, "3145728\n");
    /* Nobody reads it: the command ends all the same. */
    exec = box_sh(b, argv, "exec <&-; exit 5");
    exec.input = data;
    exec.input_len = 3 * MIB;
    box_begin(b, &exec);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
    assert_int_equal(b->end.code, 5);
    exec = box_sh(b, argv, "cat; echo end");
    exec.input = "";
    box_begin(b, &exec);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
    assert_string_equal(b->out.data, "end\n");
}

static void test_timeout(void **state UNUSED)
{
    struct box *b = &shared;
    const char *argv[4];
    struct sandbox_exec exec;
    int64_t before = clock_mono_ms();

    NEED_ROOT();
    exec = box_sh(b, argv, "trap '' TERM; setsid sleep 60 & sleep 60");
    exec.timeout_ms = 300;
    box_begin(b, &exec);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
    assert_true(b->end.timed_out);
    assert_int_equal(b->end.signal, SIGKILL);
    assert_in_range(clock_mono_ms() - before, 290, 5000);
    assert_true(box_none(b, "sleep"));
    exec = box_sh(b, argv, "exit 4");
    exec.timeout_ms = 20000;
    box_begin(b, &exec);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
    assert_false(b->end.timed_out);
    assert_int_equal(b->end.code, 4);
}

/* A service that runs while others come and go, and what becomes of it. */
static void test_background(void **state UNUSED)
{
    struct box *b = &shared;
    struct box service = *b;
    struct sandbox_command commands[4];
    const char *argv[4];
    struct sandbox_exec exec;
    struct err err = {0};
    uint32_t id;

    NEED_ROOT();
    service.out = service.both = (struct strbuf)STRBUF_INIT;
    exec = box_sh(&service, argv,
                  "setsid sh -c 'echo up; sleep 61; :' & sleep 62 & wait");
    service.over = false;
    assert_int_equal(box_driver->exec(b->sandbox, &exec, &id, &err), 0);
    while (!strstr(service.out.data, "up"))
        assert_false(box_wait(b, &service.over, 20));
    assert_int_equal(box_driver->commands(b->sandbox, commands, 4), 1);
    assert_int_equal(commands[0].id, id);
    assert_string_equal(commands[0].program, "sh");
    assert_true(clock_mono_ms() - commands[0].started_mono_ms < 20000);
    /* What another step leaves behind goes; the service stays, with its child
     * that has a session of its own. */
    assert_int_equal(box_run(b, "(setsid sleep 63 &) ; sleep 64 >/dev/null & "
                                "exit 3"),
                     3);
    assert_string_equal(box_says(b, "for i in $(seq 600); do [ $(pgrep -fx "
                                    "'sleep 6[0-9]' | wc -l) -gt 2 ] || break; "
                                    "sleep 0.05; done; "
                                    "pgrep -fx 'sleep 6[0-9]' | wc -l; "
                                    "pgrep -fx 'sleep 6[12]' | wc -l"),
                        "2\n2");
    assert_false(service.over);
    box_driver->kill(b->sandbox, id, SIGTERM);
    assert_true(box_wait(b, &service.over, BOX_LIMIT_MS));
    assert_int_equal(service.end.signal, SIGTERM);
    assert_int_equal(box_driver->commands(b->sandbox, commands, 4), 0);
    assert_true(box_none(b, "sleep"));
    box_driver->kill(b->sandbox, id, SIGTERM);
    assert_string_equal(box_says(b, "echo here"), "here");
    strbuf_clear(&service.out);
    strbuf_clear(&service.both);
}

/* More sessions below one another than anybody should look at for long. */
static void test_deep_family(void **state UNUSED)
{
    struct box *b = &shared;
    struct box service = *b;
    const char *argv[4];
    struct sandbox_exec exec;
    struct err err = {0};
    uint32_t id;
    int64_t before;

    NEED_ROOT();
    service.out = service.both = (struct strbuf)STRBUF_INIT;
    exec = box_sh(&service, argv,
                  "echo 'd() { [ $1 -gt 40 ] && sleep 60; setsid -w sh $0 "
                  "$(($1 + 1)); }; d $1' > deep; sh deep 1");
    service.over = false;
    assert_int_equal(box_driver->exec(b->sandbox, &exec, &id, &err), 0);
    assert_false(box_wait(b, &service.over, 1500));
    before = clock_mono_ms();
    assert_int_equal(box_run(b, "pgrep -x sleep"), 0);
    assert_int_equal(box_run(b, "pgrep -x sleep"), 0);
    assert_true(clock_mono_ms() - before < 2000);
    box_driver->kill(b->sandbox, id, SIGKILL);
    assert_true(box_wait(b, &service.over, BOX_LIMIT_MS));
    assert_true(box_none(b, "sleep"));
    strbuf_clear(&service.out);
    strbuf_clear(&service.both);
}

/* ---- files ------------------------------------------------------------ */

struct listing {
    bool done;
    char text[400];
    struct err err;
};

static void on_list(void *arg, const struct sandbox_entry *entries,
                    size_t count, const struct err *err)
{
    static const char letters[] = "fdlo";
    struct listing *l = arg;

    l->done = true;
    if (err)
        l->err = *err;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(l->text);

        (void)snprintf(l->text + len, sizeof(l->text) - len, "%c%o %s %llu\n",
                       letters[entries[i].type], entries[i].mode,
                       entries[i].name,
                       entries[i].type == SANDBOX_FILE
                           ? (unsigned long long)entries[i].size_bytes
                           : 0);
        assert_true(entries[i].changed_ms > INT64_C(1000000000000));
    }
}

static void list(struct listing *l, const char *path)
{
    struct err err = {0};

    memset(l, 0, sizeof(*l));
    assert_int_equal(box_driver->list(shared.sandbox, path, on_list, l, &err),
                     0);
    assert_true(box_wait(&shared, &l->done, BOX_LIMIT_MS));
}

static void test_list(void **state UNUSED)
{
    struct listing l;

    NEED_ROOT();
    assert_int_equal(box_run(&shared, "rm -rf l; mkdir -p l/dir; cd l; "
                                      "echo hi > b; chmod 600 b; "
                                      "ln -s nowhere a; mkfifo pipe"),
                     0);
    list(&l, "/workspace/l");
    assert_string_equal(l.text,
                        "l777 a 0\nf600 b 3\nd755 dir 0\no644 pipe 0\n");
    list(&l, "/workspace/none");
    assert_int_equal(l.err.kind, ERR_USER);
    assert_int_equal(box_run(&shared, "ln -s /etc l/etc; ln -s ../l l/in"), 0);
    list(&l, "/workspace/l/etc");
    assert_int_equal(l.err.kind, ERR_USER);
    assert_non_null(strstr(l.err.msg, "leads out"));
    list(&l, "/workspace/l/in/dir");
    assert_int_equal(l.err.kind, ERR_NONE);
    list(&l, "/etc");
    assert_int_equal(l.err.kind, ERR_NONE);
    assert_int_equal(box_run(&shared, "mkdir many; cd many; "
                                      "seq 10001 | xargs touch"),
                     0);
    list(&l, "/workspace/many");
    assert_non_null(strstr(l.err.msg, "too many"));
    assert_int_equal(box_run(&shared, "rm -rf l many"), 0);
}

static char *host_dir(const char *name)
{
    char *dir = xasprintf("%s-%s", box_state, name);

    assert_int_equal(mkdir(dir, 0700), 0);
    return dir;
}

static int get(struct sandbox_tree *tree)
{
    struct err err = {0};

    return box_done(
        &shared,
        box_driver->get_tree(shared.sandbox, tree, box_filed, &shared, &err),
        &err);
}

static char *host_says(const char *dir, const char *script)
{
    const char *argv[] = {"sh", "-c", script, "sh", dir, NULL};
    struct strbuf out = STRBUF_MAX(100000);
    struct err err = {0};

    if (proc_run(argv, 10000, &out, &err) < 0)
        fail_msg("%s", err.msg);
    return strbuf_take(&out);
}

static void test_get_tree(void **state UNUSED)
{
    static const char *const patterns[] = {"dist", "**/*.xml", NULL};
    CLEANUP(mem) char *dir = host_dir("get");
    CLEANUP(mem) char *found = NULL;
    CLEANUP(mem) char *all = NULL;
    struct sandbox_tree tree = {.path = "/workspace/t",
                                .host_dir = dir,
                                .patterns = patterns,
                                .max_bytes = MIB,
                                .max_entries = 10};
    struct err err;

    NEED_ROOT();
    assert_int_equal(box_run(&shared,
                             "mkdir -p t/dist/.x t/a/b t/.git; cd t; "
                             "echo 1 > dist/.x/1; echo 2 > dist/2; echo 3 > "
                             "a/b/r.xml; echo 4 > .git/h.xml; echo 5 > a/5; "
                             "ln -s /etc/passwd dist/l; ln -s /etc a/l.xml; "
                             "mkfifo dist/p"),
                     0);
    if (get(&tree) < 0)
        fail_msg("%s", shared.err.msg);
    found = host_says(dir, "cd \"$1\"; find . ! -type d | sort | tr '\\n' ' '");
    assert_string_equal(found, "./a/b/r.xml ./dist/.x/1 ./dist/2 ");
    assert_int_equal(tree_remove(dir, &err), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    tree.patterns = NULL;
    tree.max_entries = 100;
    assert_int_equal(get(&tree), 0);
    all = host_says(dir, "cd \"$1\"; find . | wc -l; readlink dist/l");
    assert_string_equal(all, "13\n/etc/passwd\n");
    assert_int_equal(tree_remove(dir, &err), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    tree.max_entries = 3;
    assert_int_equal(get(&tree), -1);
    assert_non_null(strstr(shared.err.msg, "too many files"));
    tree.max_entries = 100;
    tree.max_bytes = 5;
    assert_int_equal(tree_remove(dir, &err), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(get(&tree), -1);
    assert_non_null(strstr(shared.err.msg, "too large"));
    assert_int_equal(tree_remove(dir, &err), 0);
    assert_int_equal(box_run(&shared, "rm -rf t"), 0);
}

static const char racing[] =
    "exec python3 -c '\n"
    "import os, shutil\n"
    "os.chdir(\"race\")\n"
    "def anew():\n"
    "    for n in \"d\", \"real\":\n"
    "        if os.path.islink(n): os.unlink(n)\n"
    "        shutil.rmtree(n, True)\n"
    "    if not os.path.islink(\"link\"):\n"
    "        os.symlink(\"/tmp/outside\", \"link\")\n"
    "    os.mkdir(\"real\")\n"
    "    open(\"real/f\", \"w\").write(\"inside\\n\")\n"
    "    os.rename(\"real\", \"d\")\n"
    "anew()\n"
    "while True:\n"
    "    try:\n"
    "        os.rename(\"d\", \"real\"); os.rename(\"link\", \"d\")\n"
    "        os.rename(\"d\", \"link\"); os.rename(\"real\", \"d\")\n"
    "    except OSError:\n"
    "        try: anew()\n"
    "        except OSError: pass'";

/* Names are swapped for links all the while. Both names are the user's own:
 * what must not be is that /tmp, outside, is read or written. */
static void test_races(void **state UNUSED)
{
    struct box *b = &shared;
    struct box racer = *b;
    const char *argv[4];
    struct sandbox_exec exec;
    struct err err = {0};
    uint32_t id;
    unsigned reads = 0;

    NEED_ROOT();
    racer.out = racer.both = (struct strbuf)STRBUF_INIT;
    assert_int_equal(box_run(b, "mkdir -p race/real /tmp/outside; "
                                "echo inside > race/real/f; "
                                "echo outside > /tmp/outside/f; "
                                "ln -s /tmp/outside race/link"),
                     0);
    exec = box_sh(&racer, argv, racing);
    racer.over = false;
    assert_int_equal(box_driver->exec(b->sandbox, &exec, &id, &err), 0);
    (void)box_wait(b, &racer.over, 300);
    for (int i = 0; i < 150; i++) {
        if (box_read(b, "/workspace/race/d/f", 100) == 0) {
            assert_string_equal(b->file.data, "inside\n");
            reads++;
        }
        (void)box_write(b, "/workspace/race/d/planted", "x");
    }
    assert_false(racer.over);
    box_driver->kill(b->sandbox, id, SIGKILL);
    assert_true(box_wait(b, &racer.over, BOX_LIMIT_MS));
    /* Else it was no race. */
    assert_true(reads > 0);
    assert_string_equal(box_says(b, "ls /tmp/outside"), "f");
    assert_int_equal(box_run(b, "rm -rf race /tmp/outside"), 0);
    strbuf_clear(&racer.out);
    strbuf_clear(&racer.both);
}

struct ending {
    bool over;
    struct err err;
};

static void on_snapshot(void *arg, const struct err *err)
{
    struct ending *e = arg;

    e->over = true;
    if (err)
        e->err = *err;
}

static void test_snapshot(void **state UNUSED)
{
    struct box *b = &shared;
    CLEANUP(mem) char *dir = host_dir("snapshot");
    struct ending end = {0};
    struct snapshot_spec spec = {.driver = box_driver,
                                 .sandbox = b->sandbox,
                                 .host_dir = dir,
                                 .max_bytes = MIB,
                                 .max_entries = 1000,
                                 .on_end = on_snapshot,
                                 .arg = &end};
    struct snapshot *snapshot = NULL;
    struct err err = {0};

    NEED_ROOT();
    assert_int_equal(
        box_run(b, "rm -rf * .[a-z]*; mkdir -p a/b; echo one > a/b/f; chmod "
                   "750 a/b/f; touch -d @1600000000.5 a/b/f; ln -s a l"),
        0);
    assert_int_equal(snapshot_take(&spec, &snapshot, &err), 0);
    assert_true(box_wait(b, &end.over, BOX_LIMIT_MS));
    if (end.err.kind != ERR_NONE)
        fail_msg("%s", end.err.msg);
    snapshot_free(STEAL(snapshot));
    /* What is hard to remove, and deeper than any path may be long. */
    assert_int_equal(
        box_run(b, "echo two > a/b/f; mkdir -p x/y; touch x/y/z; chmod 0 x/y; "
                   "python3 -c '\n"
                   "import os\n"
                   "for i in range(3000):\n"
                   "    os.mkdir(\"deep\"); os.chdir(\"deep\")'"),
        0);
    end.over = false;
    assert_int_equal(snapshot_restore(&spec, &snapshot, &err), 0);
    assert_true(box_wait(b, &end.over, BOX_LIMIT_MS));
    if (end.err.kind != ERR_NONE)
        fail_msg("%s", end.err.msg);
    snapshot_free(STEAL(snapshot));
    assert_string_equal(
        box_says(b, "find . | sort | tr '\\n' ' '; cat a/b/f; "
                    "stat -c '%a %U %.2Y' a/b/f; readlink l"),
        ". ./a ./a/b ./a/b/f ./l one\n750 berth 1600000000.50\na");
    assert_int_equal(box_run(b, "rm -rf a l"), 0);
    assert_int_equal(tree_remove(dir, &err), 0);
}

static void test_pause(void **state UNUSED)
{
    struct box *b = &shared;
    const char *argv[4];
    struct sandbox_exec exec;
    struct err err = {0};
    int tries = 20;

    NEED_ROOT();
    exec = box_sh(b, argv, "while :; do echo tick; sleep 0.05; done");
    exec.timeout_ms = 100000;
    box_begin(b, &exec);
    while (b->total < 20)
        assert_false(box_wait(b, &b->over, 20));
    if (box_driver->pause(b->sandbox, true, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(box_driver->pause(b->sandbox, true, &err), 0);
    /* What was written before is still on its way. */
    do {
        b->total = 0;
        (void)box_wait(b, &b->over, 200);
    } while (b->total > 0 && tries-- > 0);
    assert_false(box_wait(b, &b->over, 500));
    assert_int_equal(b->total, 0);
    assert_int_equal(box_driver->pause(b->sandbox, false, &err), 0);
    while (!b->total)
        assert_false(box_wait(b, &b->over, 50));
    box_driver->kill_all(b->sandbox, SIGKILL);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
}

/* One that is paused can be destroyed all the same. */
static void test_destroy_paused(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("frozen");
    struct err err = {0};
    struct box b;
    int64_t before;

    NEED_ROOT();
    box_open(&b, &spec);
    assert_int_equal(box_driver->pause(b.sandbox, true, &err), 0);
    before = clock_mono_ms();
    box_close(&b);
    assert_true(clock_mono_ms() - before < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_deep_family),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_get_tree),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_destroy_paused),
    };

    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
