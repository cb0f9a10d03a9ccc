// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/file_release.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"

#include <sys/stat.h>

struct stage {
    char *dir;
    struct file_device device;
    struct file_release release;
};

// Release 2.0 is in slot b, not activated.
static int make(void **state)
{
    void *dir = NULL;
    char image[512];
    struct verb_run r;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(temp_dir_make(&dir), 0);
    s->dir = dir;
    file_device_make(&s->device, s->dir, NULL, NULL);
    file_release_prepare(&s->release, &s->device);
    file_release_write(&s->release, "edge.vvi", "2.0", 2, image, sizeof image);
    verb_run(&r, verb_install,
             (const char *[]){"-c", s->device.conf, image, "--no-activate", NULL});
    assert_int_equal(r.err, OK);
    verb_run_clear(&r);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    void *dir = s->dir;
    file_release_clear(&s->release);
    free(s);
    return temp_dir_remove(&dir);
}

static void the_installed_slot_is_activated_and_told_in_a_sentence(void **state)
{
    struct stage *s = *state;
    // Twice: the second time there is nothing to do, and it says the same.
    for (int i = 0; i < 2; i++) {
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_activate, (const char *[]){"-c", s->device.conf, NULL});
        assert_int_equal(r.err, OK);
        assert_string_equal(r.out, "Slot b with 2.0 (release 2) boots next, on trial.\n");
    }
}

static void with_json_it_is_one_object(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_activate, (const char *[]){"-c", s->device.conf, "--json", NULL});
    assert_int_equal(r.err, OK);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "activated");
    assert_string_equal(json_string_value(json_object_get(root, "slot")), "b");
    assert_string_equal(json_string_value(json_object_get(root, "version")), "2.0");
    assert_int_equal(json_integer_value(json_object_get(root, "release_index")), 2);
    assert_true(json_is_true(json_object_get(root, "activated")));
}

static void the_reboot_command_runs_when_asked_for(void **state)
{
    struct stage *s = *state;
    char path[600];
    char text[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s.d", s->device.conf);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof text, "[device]\nreboot_command=touch %s/rebooted\n", s->dir);
    file_device_write(path, "50-reboot.conf", text);
    const char *marker = temp_dir_path(path, sizeof path, s->dir, "rebooted");
    for (int asked = 0; asked < 2; asked++) {
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_activate,
                 (const char *[]){"-c", s->device.conf, asked ? "--reboot" : NULL, NULL});
        assert_int_equal(r.err, OK);
        assert_int_equal(stat(marker, &st) == 0, asked);
    }
}

// The running slot was given up, and was not left yet.
static int make_given_up(void **state)
{
    static const char *const vars[] = {"BOOT_ORDER=B", "BOOT_A_LEFT=0", "BOOT_B_LEFT=3", NULL};
    void *dir = NULL;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(temp_dir_make(&dir), 0);
    s->dir = dir;
    file_device_make(&s->device, s->dir, vars, NULL);
    file_release_prepare(&s->release, &s->device);
    *state = s;
    return 0;
}

static void a_slot_that_boots_next_already_is_not_said_to_be_on_trial(void **state)
{
    struct stage *s = *state;
    for (int json = 0; json < 2; json++) {
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, verb_activate,
                 (const char *[]){"-c", s->device.conf, json ? "--json" : NULL, NULL});
        assert_int_equal(r.err, OK);
        assert_string_equal(
            r.out, json ? "{\"result\":\"nothing_to_do\",\"slot\":\"b\",\"version\":null,"
                          "\"release_index\":null,\"activated\":false}\n"
                        : "Nothing to do: slot b boots next already, the running slot a was given "
                          "up.\n");
    }
}

static void a_slot_that_was_changed_is_refused(void **state)
{
    struct stage *s = *state;
    char path[512];
    FILE *f = fopen(temp_dir_path(path, sizeof path, s->dir, "slot-b"), "r+e");
    assert_non_null(f);
    assert_int_equal(fseek(f, 30000, SEEK_SET), 0);
    assert_int_not_equal(fputc(1, f), EOF);
    assert_int_equal(fclose(f), 0);
    CLEANUP(verb_run_clear) struct verb_run r;
    verb_run(&r, verb_activate, (const char *[]){"-c", s->device.conf, NULL});
    assert_int_equal(r.err, ERR_NOT_NOW);
    assert_contains(r.log, "slot b holds no verified release");
    assert_int_equal(r.out_len, 0);
}

#define verb_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        verb_test(the_installed_slot_is_activated_and_told_in_a_sentence),
        verb_test(with_json_it_is_one_object),
        verb_test(the_reboot_command_runs_when_asked_for),
        cmocka_unit_test_setup_teardown(a_slot_that_boots_next_already_is_not_said_to_be_on_trial,
                                        make_given_up, clear),
        verb_test(a_slot_that_was_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
