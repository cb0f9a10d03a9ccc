// SPDX-License-Identifier: Apache-2.0
#include "tests/support/verb_run.h"

#include "tests/support/expect.h"

static const struct option_spec options[] = {
    {.name = "config", .letter = 'c', .value = "CONF", .help = ""},
    {.name = "json", .help = ""},
    {.name = "manifest", .value = "HEX", .help = ""}, // these five: of install
    {.name = "dry-run", .help = ""},
    {.name = "no-activate", .help = ""},
    {.name = "again", .help = ""},
    {.name = "reboot", .help = ""},
    {.name = "for", .value = "TIME", .help = ""}, // these four: of hold
    {.name = "phases", .value = "LIST", .help = ""},
    {.name = "owner", .value = "NAME", .help = ""},
    {.name = "lock", .help = ""},
    {.name = "seen", .value = "TEXT", .help = ""}, // of check
    {0},
};

enum { WORDS_MAX = 16 };

void verb_run(struct verb_run *r, enum err (*run)(void *, const struct parsed *, struct error *),
              const char *const *argv)
{
    const struct command commands[] = {{"verb", "[ARGUMENT]...", 0, 8, "", NULL, run}, {0}};
    const struct program program = {"vv-update", "", "0", options, commands};
    char words[WORDS_MAX][512] = {"vv-update", "verb"};
    char *list[WORDS_MAX + 1] = {words[0], words[1]};
    int count = 2;
    for (; *argv != NULL; argv++) {
        assert_true(count < WORDS_MAX);
        snprintf(words[count], sizeof words[0], "%s", *argv);
        list[count] = words[count];
        count++;
    }
    *r = (struct verb_run){0};
    r->app.out = open_memstream(&r->out, &r->out_len);
    r->app.log.stream = open_memstream(&r->log, &r->log_len);
    r->app.log.program = "vv-update";
    assert_non_null(r->app.out);
    assert_non_null(r->app.log.stream);
    struct parsed args;
    struct error e;
    assert_ok(command_parse(&program, count, list, r->app.out, &args, &e));
    r->app.log.json = app_json(&args);
    r->err = run(&r->app, &args, &r->e);
    if (r->err != OK) {
        assert_int_equal(r->e.code, r->err);
        app_report_error(&r->app, app_json(&args), &r->e);
    }
    fflush(r->app.out);
    fflush(r->app.log.stream);
}

void verb_run_clear(struct verb_run *r)
{
    if (r->app.out != NULL) {
        fclose(r->app.out);
        fclose(r->app.log.stream);
        free(r->out);
        free(r->log);
    }
}

json_t *verb_run_json(const struct verb_run *r)
{
    json_error_t je;
    json_t *root = json_loadb(r->out, r->out_len, JSON_REJECT_DUPLICATES, &je);
    if (root == NULL) {
        fail_msg("expected one JSON value, line %d: %s\n%s", je.line, je.text, r->out);
    }
    return root;
}
