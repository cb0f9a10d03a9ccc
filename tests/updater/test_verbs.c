// SPDX-License-Identifier: Apache-2.0
#include "updater/verbs.h"

#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"

static enum err open_and_close(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    enum err err = app_open_device(a, args, DEVICE_CHANGE, &d, e);
    if (err == OK) {
        assert_ptr_equal(d->log, &a->log);
        assert_ptr_equal(d->progress.stream, a->log.stream);
        fprintf(a->out, "running %d, %s, progress %d\n", d->running,
                app_json(args) ? "json" : "text", (int)d->progress.kind);
    }
    return err;
}

static void the_configuration_named_on_the_command_line_is_opened(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    file_device_run(&f, "b");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, open_and_close, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "running 1, text, progress 2\n");
    CLEANUP(verb_run_clear) struct verb_run json;
    verb_run(&json, open_and_close, (const char *[]){"--json", "--config", f.conf, NULL});
    assert_string_equal(json.out, "running 1, json, progress 3\n");
}

static void a_bad_configuration_or_device_is_an_error_of_the_verb(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, "bogus=1\n");
    CLEANUP(verb_run_clear) struct verb_run conf;
    verb_run(&conf, open_and_close, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(conf.err, ERR_CONFIG);
    assert_contains(conf.log, "vv-update: ");
    assert_contains(conf.log, ": bogus: [trust] has no such key; its keys are roots signers\n");
    assert_int_equal(conf.out_len, 0);
}

static void a_device_that_cannot_be_opened_gives_its_configuration_back(void **state)
{
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    file_device_write(*state, "cmdline", "quiet");
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, open_and_close, (const char *[]){"-c", f.conf, NULL});
    assert_int_equal(r.err, ERR_NOT_NOW);
}

static enum err refuse(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    a->error_told = args->arg_count > 0;
    return fail(e, ERR_TRUST, 0, "line one\nline \033[1mtwo\177 gr\374n");
}

static void an_error_is_one_line_without_control_characters(void **state)
{
    (void)state;
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, refuse, (const char *[]){NULL});
    assert_string_equal(r.log, "vv-update: error: line one line ?[1mtwo? gr\374n\n");
    assert_int_equal(r.out_len, 0);
}

static void with_json_an_error_is_an_object_too(void **state)
{
    (void)state;
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, refuse, (const char *[]){"--json", NULL});
    assert_contains(r.log, "\"level\":\"error\"");
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    const json_t *error = json_object_get(root, "error");
    assert_int_equal(json_integer_value(json_object_get(error, "code")), 5);
    assert_string_equal(json_string_value(json_object_get(error, "name")), "trust");
    assert_string_equal(json_string_value(json_object_get(error, "message")),
                        "line one\nline \033[1mtwo\177 gr?n");
}

static void an_error_that_was_told_in_json_is_not_told_twice(void **state)
{
    (void)state;
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, refuse, (const char *[]){"--json", "told", NULL});
    assert_contains(r.log, "line one");
    assert_int_equal(r.out_len, 0);
}

static void every_exit_status_has_a_word(void **state)
{
    static const struct {
        enum err code;
        const char *name;
    } words[] = {
        {OK, "ok"},
        {ERR_INTERNAL, "internal"},
        {ERR_USAGE, "usage"},
        {ERR_CONFIG, "config"},
        {ERR_NETWORK, "network"},
        {ERR_TRUST, "trust"},
        {ERR_FORMAT, "format"},
        {ERR_IO, "io"},
        {ERR_TOO_LARGE, "too_large"},
        {ERR_NOT_NOW, "not_now"},
        {ERR_HEALTH, "health"},
        {ERR_AGAIN, "again"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_string_equal(app_error_name(words[i].code), words[i].name);
    }
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_configuration_named_on_the_command_line_is_opened),
        WITH_DIR(a_bad_configuration_or_device_is_an_error_of_the_verb),
        WITH_DIR(a_device_that_cannot_be_opened_gives_its_configuration_back),
        cmocka_unit_test(an_error_is_one_line_without_control_characters),
        cmocka_unit_test(with_json_an_error_is_an_object_too),
        cmocka_unit_test(an_error_that_was_told_in_json_is_not_told_twice),
        cmocka_unit_test(every_exit_status_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
