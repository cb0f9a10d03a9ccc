// SPDX-License-Identifier: Apache-2.0
#include "updater/config.h"

#include "tests/support/expect.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "updater/block_stack.h"
#include "updater/config_files.h"

static void a_device_of_files_is_loaded_from_one_file(void **state)
{
    struct error e;
    struct file_device d;
    char path[512];
    file_device_make(&d, *state, NULL, "signers=2\n");
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(config_load(d.conf, &c, &e));
    assert_string_equal(c->product, "vv-edge");
    assert_string_equal(c->slots[1].partitions[0].path,
                        temp_dir_path(path, sizeof path, *state, "slot-b"));
    assert_string_equal(c->reboot_command, "");
    assert_int_equal(c->trust_signers, 2);
}

static void drop_ins_of_the_file_are_read_on_top_of_it(void **state)
{
    struct error e;
    struct file_device d;
    char path[512];
    file_device_make(&d, *state, NULL, "");
    temp_dir_path(path, sizeof path, *state, "update.conf.d");
    assert_int_equal(mkdir(path, 0755), 0);
    file_device_write(path, "90.conf", "[bootloader]\nattempts=5\n");
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(config_load(d.conf, &c, &e));
    assert_int_equal(c->boot.attempts, 5);
}

// A device whose state directory has a directory for drop-ins, `state_conf`; there is no `none`.
static void make_with_drop_ins(struct file_device *d, const char *dir, char none[static 512],
                               char state_conf[static 512])
{
    file_device_make(d, dir, NULL, "");
    temp_dir_path(none, 512, dir, "none");
    temp_dir_path(state_conf, 512, dir, "state/conf.d");
    assert_int_equal(mkdir(state_conf, 0755), 0);
}

static void the_standard_places_are_read_without_a_path(void **state)
{
    struct error e;
    struct file_device d;
    char dir[512];
    char state_conf[512];
    make_with_drop_ins(&d, *state, dir, state_conf);
    file_device_write(state_conf, "fleet.conf", "[network]\nretries=77\n");
    struct config_places places = {dir, d.conf, dir, false, false};
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(config_load_at(NULL, &places, &block_view_system, &c, &e));
    assert_int_equal(c->http.retries, 77);
    // With a path of one's own, the state directory has no say.
    CLEANUP(cleanup_config) struct config *own = NULL;
    assert_ok(config_load_at(d.conf, &places, &block_view_system, &own, &e));
    assert_int_equal(own->http.retries, 5);
}

static void a_trial_is_decided_without_drop_ins_that_cannot_be_used(void **state)
{
    static const char *const bad[] = {"[network]\nretr", "[fleet]\ninterval=soon\n",
                                      "[trust]\nroots=/tmp\n"};
    struct error e;
    struct error left_out;
    struct file_device d;
    char dir[512];
    char state_conf[512];
    make_with_drop_ins(&d, *state, dir, state_conf);
    struct config_places places = {dir, d.conf, dir, false, false};
    file_device_write(state_conf, "a.conf", "[network]\nretries=77\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config *c = NULL;
        file_device_write(state_conf, "b.conf", bad[i]);
        assert_int_equal(config_load_at(NULL, &places, &block_view_system, &c, &e), ERR_CONFIG);
        assert_ok(config_load_for_trial_at(NULL, &places, &block_view_system, &c, &left_out, &e));
        assert_int_equal(left_out.code, ERR_CONFIG);
        assert_string_equal(left_out.msg, e.msg);
        assert_contains(left_out.msg, "b.conf");
        assert_int_equal(c->http.retries, 5);
        config_free(c);
    }
    CLEANUP(cleanup_config) struct config *whole = NULL;
    file_device_write(state_conf, "b.conf", "");
    assert_ok(config_load_for_trial_at(NULL, &places, &block_view_system, &whole, &left_out, &e));
    assert_int_equal(left_out.code, OK);
    assert_int_equal(whole->http.retries, 77);
}

static void what_is_wrong_elsewhere_is_wrong_in_a_trial_too(void **state)
{
    struct error e;
    struct error left_out;
    struct file_device d;
    struct config *c = NULL;
    char dir[512];
    file_device_make(&d, *state, NULL, "bogus=1\n");
    temp_dir_path(dir, sizeof dir, *state, "none");
    struct config_places places = {dir, d.conf, dir, false, false};
    assert_fails(ERR_CONFIG, "bogus",
                 config_load_for_trial_at(NULL, &places, &block_view_system, &c, &left_out, &e));
    assert_fails(ERR_CONFIG, "bogus", config_load_for_trial(d.conf, &c, &left_out, &e));
    assert_int_equal(left_out.code, OK);
    assert_null(c);
}

static void an_error_at_any_stage_leaves_nothing_behind(void **state)
{
    struct error e;
    struct file_device d;
    struct config *c = NULL;
    char path[512];
    file_device_make(&d, *state, NULL, "");
    assert_fails(ERR_CONFIG, "none.conf",
                 config_load(temp_dir_path(path, sizeof path, *state, "none.conf"), &c, &e));
    file_device_write(*state, "x.conf", "[device]\nproduct=p\n");
    assert_fails(ERR_CONFIG, "there must be two sections",
                 config_load(temp_dir_path(path, sizeof path, *state, "x.conf"), &c, &e));
    assert_int_equal(remove(temp_dir_path(path, sizeof path, *state, "slot-b")), 0);
    assert_fails(ERR_CONFIG, "slot-b: No such file", config_load(d.conf, &c, &e));
    assert_null(c);
}

static void the_same_file_for_both_slots_is_refused(void **state)
{
    struct error e;
    struct file_device d;
    struct config *c = NULL;
    char a[512];
    char b[512];
    file_device_make(&d, *state, NULL, "");
    temp_dir_path(a, sizeof a, *state, "slot-a");
    temp_dir_path(b, sizeof b, *state, "slot-b");
    assert_int_equal(remove(b), 0);
    assert_int_equal(symlink(a, b), 0);
    assert_fails(ERR_CONFIG, "is the same device or file as rootfs of [slot a]",
                 config_load(d.conf, &c, &e));
    assert_int_equal(remove(b), 0);
    assert_int_equal(link(a, b), 0);
    assert_fails(ERR_CONFIG, "is the same device or file", config_load(d.conf, &c, &e));
}

static void a_file_that_others_may_write_is_refused_for_root(void **state)
{
    struct error e;
    struct file_device d;
    struct config *c = NULL;
    if (geteuid() != 0) {
        skip();
    }
    file_device_make(&d, *state, NULL, "");
    assert_int_equal(chmod(d.conf, 0666), 0);
    assert_fails(ERR_CONFIG, "must belong to root", config_load(d.conf, &c, &e));
}

// Only what needs this device's own files is changed: the sample must stay loadable.
static void the_sample_configuration_is_a_good_one(void **state)
{
    static const char *const moves[][2] = {
        {"state_dir=/data/vv-update", "state_dir=."},
        {"/dev/disk/by-partlabel/rootfs-", "./slot-"},
    };
    struct error e;
    struct file_device d;
    char path[512];
    char line[512];
    file_device_make(&d, *state, NULL, "");
    FILE *in = fopen("docs/examples/update.conf", "re");
    if (in == NULL) {
        skip(); // not started from the root of the source
    }
    FILE *out = fopen(temp_dir_path(path, sizeof path, *state, "sample.conf"), "we");
    assert_non_null(out);
    while (fgets(line, sizeof line, in) != NULL) {
        for (size_t i = 0; i < 2; i++) {
            char *at = strstr(line, moves[i][0]);
            if (at != NULL) {
                char rest[512];
                snprintf(rest, sizeof rest, "%s", at + strlen(moves[i][0]));
                fprintf(out, "%.*s%s%s%s", (int)(strcspn(line, "=") + 1), line,
                        (const char *)*state, moves[i][1] + strcspn(moves[i][1], ".") + 1, rest);
                line[0] = '\0';
            }
        }
        fputs(line, out);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(config_load(path, &c, &e));
    assert_int_equal(c->check_count, 3);
    assert_int_equal(c->fleet.source, FLEET_DIR);
    assert_string_equal(c->fleet.dir, "/data/drop");
    assert_int_equal(c->gates.reboot_window.count, 2);
    assert_null(c->agent.group);
    assert_null(c->agent.metrics);
}

static void the_sample_checks_of_the_services_are_good_ones(void **state)
{
    struct error e;
    struct file_device d;
    char text[8192];
    FILE *in = fopen("docs/examples/vv-services.conf", "re");
    if (in == NULL) {
        skip(); // not started from the root of the source
    }
    size_t len = fread(text, 1, sizeof text - 1, in);
    text[len] = '\0';
    assert_int_equal(fclose(in), 0);
    file_device_make(&d, *state, NULL, text);
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(config_load(d.conf, &c, &e));
    assert_int_equal(c->check_count, 9);
    for (size_t i = 0; i < c->check_count; i++) {
        assert_ptr_equal(c->checks[i].network, &c->http);
    }
}

static void as_many_workers_as_configured_or_one_more_than_cpus_up_to_four(void **state)
{
    static const struct {
        unsigned workers, cpus, count;
    } cases[] = {
        {WORKERS_AUTO, 0, 0},
        {WORKERS_AUTO, 1, 0},
        {WORKERS_AUTO, 2, 3},
        {WORKERS_AUTO, 3, 4},
        {WORKERS_AUTO, 4, 4},
        {WORKERS_AUTO, 5, 4},
        {WORKERS_AUTO, 64, 4},
        {0, 4, 0},
        {1, 1, 1},
        {8, 2, 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct config c = {.workers = cases[i].workers};
        assert_int_equal(config_workers(&c, cases[i].cpus), cases[i].count);
    }
}

static void freeing_nothing_does_nothing(void **state)
{
    (void)state;
    config_free(NULL);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_device_of_files_is_loaded_from_one_file),
        WITH_DIR(drop_ins_of_the_file_are_read_on_top_of_it),
        WITH_DIR(the_standard_places_are_read_without_a_path),
        WITH_DIR(a_trial_is_decided_without_drop_ins_that_cannot_be_used),
        WITH_DIR(what_is_wrong_elsewhere_is_wrong_in_a_trial_too),
        WITH_DIR(an_error_at_any_stage_leaves_nothing_behind),
        WITH_DIR(the_same_file_for_both_slots_is_refused),
        WITH_DIR(a_file_that_others_may_write_is_refused_for_root),
        WITH_DIR(the_sample_configuration_is_a_good_one),
        WITH_DIR(the_sample_checks_of_the_services_are_good_ones),
        cmocka_unit_test(as_many_workers_as_configured_or_one_more_than_cpus_up_to_four),
        cmocka_unit_test(freeing_nothing_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
