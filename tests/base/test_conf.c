// SPDX-License-Identifier: Apache-2.0
#include "base/conf.h"

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

static enum err add(struct conf *c, const char *file, const char *text, struct error *e)
{
    return conf_add_text(c, file, text, strlen(text), e);
}

static void assert_value(struct conf *c, const char *section, const char *key, const char *want)
{
    const struct conf_entry *entry = conf_find(c, section, key);
    assert_non_null(entry);
    assert_string_equal(entry->value, want);
}

// `text` alone is refused with a sentence that contains `why`.
static void refuse(const char *text, const char *why)
{
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_fails(ERR_CONFIG, why, add(&c, "x.conf", text, &e));
}

static void keys_are_found_in_their_sections(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf",
                  "[device]\nproduct=box\n\n[slot a]\nrootfs=/dev/a\n[slot b]\nrootfs=/dev/b\n",
                  &e));
    assert_value(&c, "device", "product", "box");
    assert_value(&c, "slot a", "rootfs", "/dev/a");
    assert_value(&c, "slot b", "rootfs", "/dev/b");
    assert_null(conf_find(&c, "device", "rootfs"));
    assert_null(conf_find(&c, "slot", "rootfs"));
    assert_null(conf_find(&c, "slot a", "product"));
    assert_int_equal(c.count, 3);
}

static void every_entry_knows_file_and_line(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    char name[] = "x.conf";
    assert_ok(add(&c, name, "# comment\n\n[device]\n\nproduct=box", &e));
    // The name is the conf's own copy.
    name[0] = 'y';
    const struct conf_entry *entry = conf_find(&c, "device", "product");
    assert_non_null(entry);
    assert_string_equal(entry->file, "x.conf");
    assert_int_equal(entry->line, 5);
}

static void white_space_is_trimmed_and_kept_inside(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf",
                  "  [device] \t\n \tproduct \t=  a  b\tc \t\nempty=\nblank=  \n \t \neq==a=b=\n",
                  &e));
    assert_value(&c, "device", "product", "a  b\tc");
    assert_value(&c, "device", "empty", "");
    assert_value(&c, "device", "blank", "");
    assert_value(&c, "device", "eq", "=a=b=");
}

static void comments_stand_at_the_start_of_a_line_only(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "#a=1\n;b=2\n[s]\n# [t]\nkey=a;b #c\n", &e));
    assert_int_equal(c.count, 1);
    assert_value(&c, "s", "key", "a;b #c");
    refuse("[s]\n # not a comment\n", "x.conf:2: neither");
    refuse("[s]\n #key=1\n", "x.conf:2: '#key' cannot be a key");
}

static void an_empty_file_is_an_empty_configuration(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "", &e));
    assert_ok(add(&c, "y.conf", "\n\n", &e));
    assert_int_equal(c.count, 0);
    assert_ok(conf_check_unused(&c, &e));
}

static void a_line_of_no_known_form_is_refused(void **state)
{
    (void)state;
    refuse("[s]\nkey\n", "x.conf:2: neither a [section], a key=value nor a comment");
    refuse("[s]\nkey: value\n", "x.conf:2: neither");
    refuse("hello", "x.conf:1: neither");
}

static void a_key_outside_a_section_is_refused(void **state)
{
    (void)state;
    refuse("\nkey=1\n[s]\n", "x.conf:2: key: stands before the first [section]");
}

static void an_empty_or_odd_key_is_refused(void **state)
{
    (void)state;
    refuse("[s]\n=1\n", "x.conf:2: no key before the '='");
    refuse("[s]\n \t =1\n", "x.conf:2: no key");
    refuse("[s]\na b=1\n", "'a b' cannot be a key");
    refuse("\xef\xbb\xbf[s]\na=1\n", "x.conf:1");
    refuse("[s]\n\"a\"=1\n", "cannot be a key");
    refuse("[s]\n"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1\n",
           "cannot be a key");
}

static void a_heading_of_bad_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",      "[ ]",     "[a  b]", "[ a]",  "[a ]",
                                      "[a b c]", "[a\tb]",  "[a/b]",  "[[a]]", "[a \"b\"]",
                                      "[a b/c]", "[a [b]]", "[a=b]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse(bad[i], "x.conf:1: [");
    }
    refuse("[s]\n[", "x.conf:2: a section heading must end with ']'");
    refuse("[a\nb=1\n", "x.conf:1: a section heading must end with ']'");
    refuse("[a] # comment\n", "x.conf:1: a section heading must end with ']'");
    refuse("[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]", "neither of");
}

static void a_section_that_stands_twice_in_a_file_is_refused(void **state)
{
    (void)state;
    refuse("[s]\na=1\n[t]\n[s]\nb=1\n", "x.conf:4: section [s] stands twice");
}

static void a_key_that_stands_twice_in_a_section_is_refused(void **state)
{
    (void)state;
    refuse("[s]\na=1\nb=1\na=1\n", "x.conf:4: a: stands twice in [s], first in line 2");
}

static void the_same_key_in_two_sections_is_two_keys(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "[s]\na=1\n[s a]\na=2\n[t]\na=3\n", &e));
    assert_value(&c, "s", "a", "1");
    assert_value(&c, "s a", "a", "2");
    assert_value(&c, "t", "a", "3");
}

static void a_later_file_replaces_value_and_origin(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "a.conf", "[s]\na=1\nb=2\n", &e));
    assert_value(&c, "s", "a", "1");
    assert_ok(add(&c, "b.conf", "\n[t]\nz=1\n[s]\na=3\n", &e));
    assert_int_equal(c.count, 3);
    const struct conf_entry *entry = conf_find(&c, "s", "a");
    assert_non_null(entry);
    assert_string_equal(entry->value, "3");
    assert_string_equal(entry->file, "b.conf");
    assert_int_equal(entry->line, 5);
    assert_value(&c, "s", "b", "2");
}

static void the_same_file_read_again_is_a_later_file(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "a.conf", "[s]\na=1\n", &e));
    assert_ok(add(&c, "a.conf", "[s]\na=2\n", &e));
    assert_value(&c, "s", "a", "2");
    assert_fails(ERR_CONFIG, "a.conf:3: a: stands twice", add(&c, "a.conf", "[s]\na=3\na=4\n", &e));
}

static void control_characters_and_nul_are_refused(void **state)
{
    (void)state;
    struct error e;
    refuse("[s]\r\n", "x.conf:1: control character 0x0d in column 4");
    refuse("[s]\na=\x1b[0m\n", "x.conf:2: control character 0x1b in column 3");
    refuse("[s]\n# \x7f\n", "x.conf:2: control character 0x7f");
    CLEANUP(conf_clear) struct conf c = {0};
    static const char nul[] = "[s]\na=b\0c\n";
    assert_fails(ERR_CONFIG, "x.conf:2: control character 0x00 in column 4",
                 conf_add_text(&c, "x.conf", nul, sizeof nul - 1, &e));
}

static void a_line_of_4096_bytes_is_the_longest(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_free) char *text = malloc(5000);
    assert_non_null(text);
    char *p = stpcpy(text, "[s]\na=");
    memset(p, 'x', 4094);
    stpcpy(p + 4094, "\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", text, &e));
    stpcpy(p + 4094, "x\n");
    refuse(text, "x.conf:2: longer than 4096 bytes");
}

static enum err replace(const char *path, const char *text, size_t len, unsigned mode,
                        struct error *e)
{
    const struct file_part part = {text, len};
    return file_replace(path, &part, 1, mode, e);
}

static void a_file_of_256_kib_is_the_largest(void **state)
{
    struct error e;
    size_t max = 256 * 1024;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "big.conf");
    CLEANUP(cleanup_free) char *text = malloc(max + 1);
    assert_non_null(text);
    memset(text, '\n', max + 1);
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(replace(path, text, max, 0600, &e));
    assert_ok(conf_add_file(&c, path, false, &e));
    assert_ok(replace(path, text, max + 1, 0600, &e));
    assert_fails(ERR_CONFIG, "larger than 262144 bytes", conf_add_file(&c, path, false, &e));
    assert_contains(e.msg, path);
}

static void an_entry_nobody_used_is_refused(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "[s]\na=1\nb=2\n", &e));
    assert_non_null(conf_find(&c, "s", "a"));
    assert_fails(ERR_CONFIG, "x.conf:3: b: unknown key in [s]", conf_check_unused(&c, &e));
    assert_non_null(conf_find(&c, "s", "b"));
    assert_ok(conf_check_unused(&c, &e));
}

static void a_complaint_names_file_line_and_key(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "[s]\nsize=1Q\n", &e));
    const struct conf_entry *entry = conf_find(&c, "s", "size");
    assert_non_null(entry);
    assert_int_equal(conf_fail(&e, entry, "'%s' is not a size", entry->value), ERR_CONFIG);
    assert_string_equal(e.msg, "x.conf:2: size: '1Q' is not a size");
}

static void a_cleared_configuration_is_empty_and_may_be_used_again(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(add(&c, "x.conf", "[s]\na=1\n", &e));
    conf_clear(&c);
    assert_int_equal(c.count, 0);
    assert_null(conf_find(&c, "s", "a"));
    conf_clear(&c);
    assert_ok(add(&c, "x.conf", "[s]\na=1\n", &e));
    assert_value(&c, "s", "a", "1");
}

// DIR/NAME with `text` in it.
static void put(const char *dir, const char *name, const char *text)
{
    struct error e;
    char path[512];
    temp_dir_path(path, sizeof path, dir, name);
    assert_ok(replace(path, text, strlen(text), 0644, &e));
}

static void a_file_is_read_with_its_path_as_origin(void **state)
{
    struct error e;
    char path[256];
    put(*state, "update.conf", "[s]\na=1\n");
    temp_dir_path(path, sizeof path, *state, "update.conf");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(conf_add_file(&c, path, false, &e));
    const struct conf_entry *entry = conf_find(&c, "s", "a");
    assert_non_null(entry);
    assert_string_equal(entry->file, path);
}

static void a_missing_file_is_told_by_errno(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "absent.conf");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_fails(ERR_CONFIG, path, conf_add_file(&c, path, false, &e));
    assert_int_equal(e.sys, ENOENT);
}

static void anything_but_a_regular_file_is_refused(void **state)
{
    struct error e;
    char path[256];
    CLEANUP(conf_clear) struct conf c = {0};
    assert_fails(ERR_CONFIG, "not a regular file", conf_add_file(&c, *state, false, &e));
    temp_dir_path(path, sizeof path, *state, "fifo.conf");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(ERR_CONFIG, "not a regular file", conf_add_file(&c, path, false, &e));
}

static void a_file_others_may_write_is_refused_when_asked(void **state)
{
    struct error e;
    char path[256];
    put(*state, "x.conf", "[s]\na=1\n");
    temp_dir_path(path, sizeof path, *state, "x.conf");
    CLEANUP(conf_clear) struct conf c = {0};
    static const mode_t open_modes[] = {0620, 0602, 0666};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_fails(ERR_CONFIG, "must belong to root", conf_add_file(&c, path, true, &e));
        assert_contains(e.msg, path);
        assert_ok(conf_add_file(&c, path, false, &e));
    }
}

static void a_file_of_another_owner_is_refused_when_asked(void **state)
{
    struct error e;
    char path[256];
    put(*state, "x.conf", "[s]\na=1\n");
    temp_dir_path(path, sizeof path, *state, "x.conf");
    CLEANUP(conf_clear) struct conf c = {0};
    if (geteuid() == 0) {
        assert_ok(conf_add_file(&c, path, true, &e));
        assert_int_equal(chown(path, 1000, 0), 0);
    }
    assert_fails(ERR_CONFIG, "must belong to root", conf_add_file(&c, path, true, &e));
    assert_ok(conf_add_file(&c, path, false, &e));
}

static void a_directory_is_read_in_byte_order_of_names(void **state)
{
    struct error e;
    put(*state, "a.conf", "[s]\nlast=a\n");
    put(*state, "B.conf", "[s]\nlast=B\n");
    put(*state, "10-x.conf", "[s]\nlast=10\n");
    put(*state, "9-x.conf", "[s]\nlast=9\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(conf_add_dir(&c, *state, NULL, false, &e));
    assert_value(&c, "s", "last", "a");
    assert_int_equal(c.file_count, 4);
    static const char *const order[] = {"/10-x.conf", "/9-x.conf", "/B.conf", "/a.conf"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(strrchr(c.files[i], '/'), order[i]);
    }
}

static void only_names_that_end_in_conf_are_read(void **state)
{
    struct error e;
    put(*state, "a.conf.bak", "broken");
    put(*state, "README", "broken");
    put(*state, ".hidden.conf", "broken");
    put(*state, ".conf", "broken");
    put(*state, "xconf", "broken");
    put(*state, "good.conf", "[s]\na=1\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(conf_add_dir(&c, *state, NULL, false, &e));
    assert_int_equal(c.file_count, 1);
    assert_value(&c, "s", "a", "1");
}

static void a_masked_name_is_left_to_the_other_directory(void **state)
{
    struct error e;
    char lib[256];
    char etc[256];
    temp_dir_path(lib, sizeof lib, *state, "lib");
    temp_dir_path(etc, sizeof etc, *state, "etc");
    assert_int_equal(mkdir(lib, 0700), 0);
    assert_int_equal(mkdir(etc, 0700), 0);
    put(lib, "10-a.conf", "[s]\na=lib\nonly=lib\n");
    put(lib, "20-b.conf", "[s]\nb=lib\n");
    put(etc, "10-a.conf", "[s]\na=etc\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(conf_add_dir(&c, lib, etc, false, &e));
    assert_ok(conf_add_dir(&c, etc, NULL, false, &e));
    assert_value(&c, "s", "a", "etc");
    assert_value(&c, "s", "b", "lib");
    assert_null(conf_find(&c, "s", "only"));
}

static void a_missing_directory_is_empty_and_a_file_is_none(void **state)
{
    struct error e;
    char path[256];
    temp_dir_path(path, sizeof path, *state, "absent");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(conf_add_dir(&c, path, path, true, &e));
    assert_int_equal(c.file_count, 0);
    put(*state, "file", "");
    temp_dir_path(path, sizeof path, *state, "file");
    assert_fails(ERR_CONFIG, path, conf_add_dir(&c, path, NULL, false, &e));
}

static void one_bad_file_in_a_directory_is_named(void **state)
{
    struct error e;
    put(*state, "10-good.conf", "[s]\na=1\n");
    put(*state, "20-bad.conf", "[s]\nnonsense\n");
    put(*state, "30-good.conf", "[s]\na=2\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_fails(ERR_CONFIG, "20-bad.conf:2:", conf_add_dir(&c, *state, NULL, false, &e));
    assert_value(&c, "s", "a", "1");
}

int main(void)
{
#define D(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_in_their_sections),
        cmocka_unit_test(every_entry_knows_file_and_line),
        cmocka_unit_test(white_space_is_trimmed_and_kept_inside),
        cmocka_unit_test(comments_stand_at_the_start_of_a_line_only),
        cmocka_unit_test(an_empty_file_is_an_empty_configuration),
        cmocka_unit_test(a_line_of_no_known_form_is_refused),
        cmocka_unit_test(a_key_outside_a_section_is_refused),
        cmocka_unit_test(an_empty_or_odd_key_is_refused),
        cmocka_unit_test(a_heading_of_bad_form_is_refused),
        cmocka_unit_test(a_section_that_stands_twice_in_a_file_is_refused),
        cmocka_unit_test(a_key_that_stands_twice_in_a_section_is_refused),
        cmocka_unit_test(the_same_key_in_two_sections_is_two_keys),
        cmocka_unit_test(a_later_file_replaces_value_and_origin),
        cmocka_unit_test(the_same_file_read_again_is_a_later_file),
        cmocka_unit_test(control_characters_and_nul_are_refused),
        cmocka_unit_test(a_line_of_4096_bytes_is_the_longest),
        D(a_file_of_256_kib_is_the_largest),
        cmocka_unit_test(an_entry_nobody_used_is_refused),
        cmocka_unit_test(a_complaint_names_file_line_and_key),
        cmocka_unit_test(a_cleared_configuration_is_empty_and_may_be_used_again),
        D(a_file_is_read_with_its_path_as_origin),
        D(a_missing_file_is_told_by_errno),
        D(anything_but_a_regular_file_is_refused),
        D(a_file_others_may_write_is_refused_when_asked),
        D(a_file_of_another_owner_is_refused_when_asked),
        D(a_directory_is_read_in_byte_order_of_names),
        D(only_names_that_end_in_conf_are_read),
        D(a_masked_name_is_left_to_the_other_directory),
        D(a_missing_directory_is_empty_and_a_file_is_none),
        D(one_bad_file_in_a_directory_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
