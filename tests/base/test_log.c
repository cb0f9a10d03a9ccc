// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/json.h"
#include "tests/support/expect.h"

// A log into memory. `text` is whole after every message, because each is flushed.
struct memory_log {
    struct log log;
    char *text;
    size_t len;
};

static int setup(void **state)
{
    struct memory_log *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return -1;
    }
    m->log = (struct log){.stream = open_memstream(&m->text, &m->len), .program = "vv-update"};
    *state = m;
    return m->log.stream == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct memory_log *m = *state;
    fclose(m->log.stream);
    free(m->text);
    free(m);
    return 0;
}

// The message of the one JSON line in `text`.
static void assert_json(const char *text, const char *level, const char *message)
{
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(json_parse(text, strlen(text), &root, &e));
    const char *got = NULL;
    assert_ok(json_get_string(root, "event", &got, &e));
    assert_string_equal(got, "log");
    assert_ok(json_get_string(root, "level", &got, &e));
    assert_string_equal(got, level);
    assert_ok(json_get_string(root, "message", &got, &e));
    assert_string_equal(got, message);
}

static void each_level_has_its_word_in_text(void **state)
{
    struct memory_log *m = *state;
    log_error(&m->log, "slot %s", "b");
    log_warn(&m->log, "clock is not set");
    log_info(&m->log, "%d chunks", 3);
    assert_string_equal(m->text, "vv-update: error: slot b\n"
                                 "vv-update: warning: clock is not set\n"
                                 "vv-update: 3 chunks\n");
}

static void json_is_one_object_a_line_in_a_fixed_order(void **state)
{
    struct memory_log *m = *state;
    m->log.json = true;
    log_error(&m->log, "a");
    log_warn(&m->log, "b");
    log_info(&m->log, "c");
    assert_string_equal(m->text, "{\"event\":\"log\",\"level\":\"error\",\"message\":\"a\"}\n"
                                 "{\"event\":\"log\",\"level\":\"warn\",\"message\":\"b\"}\n"
                                 "{\"event\":\"log\",\"level\":\"info\",\"message\":\"c\"}\n");
}

static void quotes_and_backslashes_are_escaped_in_json(void **state)
{
    struct memory_log *m = *state;
    m->log.json = true;
    log_info(&m->log, "file \"%s\"", "C:\\x");
    assert_json(m->text, "info", "file \"C:\\x\"");
}

static void bytes_that_are_not_utf_8_are_replaced_in_json(void **state)
{
    struct memory_log *m = *state;
    m->log.json = true;
    log_info(&m->log, "header \xff\xc3 end");
    assert_json(m->text, "info", "header ?? end");
}

static void utf_8_is_kept(void **state)
{
    struct memory_log *m = *state;
    log_info(&m->log, "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(m->text, "vv-update: gr\xc3\xbc\xc3\x9f\n");
    m->log.json = true;
    size_t before = m->len;
    log_info(&m->log, "gr\xc3\xbc\xc3\x9f");
    assert_json(m->text + before, "info", "gr\xc3\xbc\xc3\x9f");
}

static void a_message_cannot_start_a_line_or_steer_the_terminal(void **state)
{
    struct memory_log *m = *state;
    log_warn(&m->log, "%s", "a\nvv-update: error: forged\r\x1b[2J\x7f\t.");
    assert_string_equal(m->text, "vv-update: warning: a vv-update: error: forged??[2J? .\n");
    log_warn(&m->log, "%s",
             "\xc2\x80\xc2\x9b"
             "1m\xc2\xa0\xc2");
    assert_contains(m->text, "warning: ????1m\xc2\xa0\xc2\n");
}

static void a_very_long_message_is_cut_and_stays_one_line(void **state)
{
    struct memory_log *m = *state;
    char text[10000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_error(&m->log, "%s", text);
    assert_in_range(m->len, 1000, 4096);
    assert_ptr_equal(strchr(m->text, '\n'), m->text + m->len - 1);
}

static void a_message_cut_inside_a_character_is_still_json(void **state)
{
    struct memory_log *m = *state;
    m->log.json = true;
    char text[10000];
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] = i % 2 == 0 ? '\xc3' : '\xbc';
    }
    text[sizeof text - 1] = '\0';
    log_error(&m->log, "%s", text);
    struct error e;
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(json_parse(m->text, m->len, &root, &e));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_level_has_its_word_in_text),
        T(json_is_one_object_a_line_in_a_fixed_order),
        T(quotes_and_backslashes_are_escaped_in_json),
        T(bytes_that_are_not_utf_8_are_replaced_in_json),
        T(utf_8_is_kept),
        T(a_message_cannot_start_a_line_or_steer_the_terminal),
        T(a_very_long_message_is_cut_and_stays_one_line),
        T(a_message_cut_inside_a_character_is_still_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
