// SPDX-License-Identifier: Apache-2.0
#include "updater/device.h"

#include "base/version.h"
#include "tests/support/expect.h"
#include "tests/support/fast_clock.h"
#include "tests/support/file_device.h"
#include "tests/support/temp_dir.h"
#include "updater/fill.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_clock {
    struct clock base;
    uint64_t wall_s;
    bool synchronised;
};

static uint64_t test_wall_s(const struct clock *c, bool *ret_synchronised)
{
    const struct test_clock *t = (const struct test_clock *)c;
    *ret_synchronised = t->synchronised;
    return t->wall_s;
}

static const struct clock_ops test_clock_ops = {.wall_s = test_wall_s};

static const struct progress no_progress = {.kind = PROGRESS_NONE};

static enum err open_device(const struct file_device *f, enum device_mode mode, struct device **ret,
                            struct error *e)
{
    CLEANUP(cleanup_config) struct config *config = NULL;
    enum err err = config_load(f->conf, &config, e);
    assert_int_equal(err, OK);
    err = device_open(config, mode, NULL, &no_progress, &clock_system, ret, e);
    if (err == OK) {
        (void)TAKE_PTR(config);
    }
    return err;
}

static void a_device_is_opened_with_all_its_parts(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_CHANGE, &d, &e));
    assert_int_equal(d->running, 0);
    assert_non_null(d->hasher);
    assert_int_equal(d->journal.step, STEP_IDLE);
    assert_int_equal(d->sync_bytes, FILL_SYNC);
    assert_int_equal(d->deltas_worth_bytes, DELTAS_WORTH);
    assert_int_equal(d->lanes, d->config->connections);
    assert_true(d->lanes >= 1 && d->lanes <= PIPELINE_LANES_MAX);
    assert_true(d->workers <= PIPELINE_WORKERS_MAX);
    assert_true(d->lock_fd >= 0);
    assert_ok(bootenv_load(d->env, &e));
    assert_string_equal(bootenv_get(d->env, "BOOT_ORDER"), "A B");
    struct blk *blk = NULL;
    assert_ok(d->open_blk(d->config->slots[1].partitions[0].path, BLK_READ_ONLY, &blk, &e));
    assert_int_equal(blk->size_bytes, 1);
    blk_close(blk);
}

static void one_change_at_a_time_and_looking_beside_it(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *first = NULL;
    CLEANUP(cleanup_device) struct device *second = NULL;
    CLEANUP(cleanup_device) struct device *look = NULL;
    assert_ok(open_device(&f, DEVICE_CHANGE, &first, &e));
    assert_fails(ERR_AGAIN, "another update is under way",
                 open_device(&f, DEVICE_CHANGE, &second, &e));
    assert_null(second);
    assert_ok(open_device(&f, DEVICE_LOOK, &look, &e));
    assert_int_equal(look->lock_fd, -1);
    assert_ok(bootenv_load(look->env, &e));
    device_close(TAKE_PTR(first));
    assert_ok(open_device(&f, DEVICE_CHANGE, &second, &e));
}

static void each_part_that_is_missing_is_told(void **state)
{
    static const struct {
        const char *name;
        enum err want;
        const char *part;
    } parts[] = {
        {"fw_env.config", ERR_CONFIG, "fw_env.config"},
        {"cmdline", ERR_IO, "cmdline"},
    };
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[512];
        char aside[600];
        struct device *d = NULL;
        temp_dir_path(path, sizeof path, *state, parts[i].name);
        snprintf(aside, sizeof aside, "%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        assert_fails(parts[i].want, parts[i].part, open_device(&f, DEVICE_CHANGE, &d, &e));
        assert_null(d);
        assert_int_equal(rename(aside, path), 0);
    }
    struct device *d = NULL;
    file_device_write(*state, "cmdline", "quiet");
    assert_fails(ERR_NOT_NOW, "running slot unclear", open_device(&f, DEVICE_LOOK, &d, &e));
}

static void the_trust_store_is_loaded_when_it_is_needed_first(void **state)
{
    struct error e;
    struct file_device f;
    char path[512];
    char aside[600];
    struct image_trust trust;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    temp_dir_path(path, sizeof path, *state, "trust/release.pem");
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    assert_ok(open_device(&f, DEVICE_CHANGE, &d, &e));
    assert_fails(ERR_CONFIG, "trust", device_load_trust(d, &e));
    assert_fails(ERR_CONFIG, "trust", device_trust(d, &trust, &e));
    assert_null(d->trust);
    assert_int_equal(rename(aside, path), 0);
    assert_ok(device_load_trust(d, &e));
    const struct trust_store *first = d->trust;
    assert_non_null(first);
    assert_ok(device_trust(d, &trust, &e));
    assert_ptr_equal(d->trust, first);
    assert_ptr_equal(trust.store, first);
}

static void the_configuration_stays_with_the_caller_when_opening_fails(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_config) struct config *config = NULL;
    struct device *d = NULL;
    assert_ok(config_load(f.conf, &config, &e));
    file_device_write(*state, "cmdline", "quiet");
    assert_fails(ERR_NOT_NOW, "running slot unclear",
                 device_open(config, DEVICE_CHANGE, NULL, &no_progress, &clock_system, &d, &e));
    assert_string_equal(config->product, "vv-edge");
    file_device_run(&f, "b");
    assert_ok(device_open(config, DEVICE_CHANGE, NULL, &no_progress, &clock_system, &d, &e));
    (void)TAKE_PTR(config);
    assert_int_equal(d->running, 1);
    device_close(d);
}

static void a_damaged_journal_does_not_keep_the_device_closed(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    file_device_write(f.state, "journal", "garbage");
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    assert_true(d->journal.lost);
}

static void the_time_floor_is_the_latest_of_what_is_known(void **state)
{
    struct test_clock clock = {.base.ops = &test_clock_ops};
    struct device d = {.clock = &clock.base};
    (void)state;
    assert_int_equal(device_time_floor(&d), vv_build_time_s);
    clock.wall_s = vv_build_time_s + 1000;
    assert_int_equal(device_time_floor(&d), vv_build_time_s);
    clock.synchronised = true;
    assert_int_equal(device_time_floor(&d), vv_build_time_s + 1000);
    d.journal.time_floor_s = vv_build_time_s + 2000;
    assert_int_equal(device_time_floor(&d), vv_build_time_s + 2000);
    clock.wall_s = 5; // set wrong by hand
    d.journal.time_floor_s = 0;
    assert_int_equal(device_time_floor(&d), vv_build_time_s);
}

static void the_verifier_follows_the_configuration(void **state)
{
    struct error e;
    struct file_device f;
    struct test_clock clock = {.base.ops = &test_clock_ops};
    struct image_trust trust;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    d->clock = &clock.base;
    d->config->trust_signers = 3;
    d->journal.time_floor_s = vv_build_time_s + 5;
    assert_ok(device_trust(d, &trust, &e));
    assert_int_equal(trust.signers, 3);
    assert_int_equal(trust.time_floor, vv_build_time_s + 5);
}

static void there_are_two_slots(void **state)
{
    (void)state;
    assert_int_equal(other_slot(0), 1);
    assert_int_equal(other_slot(1), 0);
}

static void a_result_is_in_the_journal_of_the_next_run(void **state)
{
    struct error e;
    struct file_device f;
    struct release_id release = {.version = "2.0", .release_index = 20};
    char reason[1000];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_CHANGE, &d, &e));
    struct test_clock clock = {.base.ops = &test_clock_ops, .wall_s = 1234};
    d->clock = &clock.base;
    assert_ok(device_record_result(d, OUTCOME_FAILED, 1, &release, reason, &e));
    struct journal j;
    assert_ok(journal_load(d->state, &j, &e));
    assert_int_equal(j.last.outcome, OUTCOME_FAILED);
    assert_int_equal(j.last.slot, 1);
    assert_string_equal(j.last.release.version, "2.0");
    assert_int_equal(j.last.time_s, 1234);
    assert_int_equal(strlen(j.last.reason), sizeof j.last.reason - 1);
    // Without a release and a reason.
    assert_ok(device_record_result(d, OUTCOME_CONFIRMED, 0, NULL, NULL, &e));
    assert_ok(journal_load(d->state, &j, &e));
    assert_string_equal(j.last.release.version, "");
    assert_string_equal(j.last.reason, "");
}

static void the_reboot_command_is_run_by_a_shell(void **state)
{
    struct error e;
    struct file_device f;
    char path[512];
    char command[1100];
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    temp_dir_path(path, sizeof path, *state, "marker");
    snprintf(command, sizeof command, "test -d /proc && touch %s", path);
    d->config->reboot_command = command;
    assert_ok(d->reboot(d, &e));
    assert_int_equal(access(path, F_OK), 0);
}

static void what_the_reboot_command_prints_is_no_answer_of_ours(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    char path[512];
    struct stat st;
    temp_dir_path(path, sizeof path, *state, "out");
    CLEANUP(cleanup_close) int out = dup(STDOUT_FILENO);
    CLEANUP(cleanup_close) int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(out >= 0 && dup2(file, STDOUT_FILENO) == STDOUT_FILENO);
    d->config->reboot_command = "echo rebooting";
    enum err err = d->reboot(d, &e);
    assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(err, OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void an_empty_reboot_command_runs_nothing(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    assert_string_equal(d->config->reboot_command, "");
    assert_ok(d->reboot(d, &e));
}

static void a_reboot_command_that_fails_is_told(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    d->config->reboot_command = "exit 3";
    assert_fails(ERR_IO, "reboot_command 'exit 3' failed with exit status 3", d->reboot(d, &e));
    d->config->reboot_command = "kill -9 $$";
    assert_fails(ERR_IO, "was ended by signal 9", d->reboot(d, &e));
}

static void a_reboot_command_that_does_not_end_is_left_running_after_a_minute(void **state)
{
    struct error e;
    struct file_device f;
    char path[512];
    char command[600];
    struct fast_clock clock = fast_clock_make();
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_CHANGE, &d, &e));
    d->clock = &clock.base;
    // It ends when it is let: with the pipe that only we can write to.
    temp_dir_path(path, sizeof path, *state, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(command, sizeof command, "read -r line < %s; test \"$line\" = go", path);
    d->config->reboot_command = command;
    assert_fails(ERR_IO, "the reboot command does not end", d->reboot(d, &e));
    assert_contains(e.msg, "60 s");
    assert_in_range(clock.slept_ms, 50 * 1000, 61 * 1000);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "go\n", 3), 3);
    close(fd);
    int status = -1;
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_int_equal(status, 0); // it was not killed
}

static void what_is_ignored_here_is_not_ignored_by_the_reboot_command(void **state)
{
    struct error e;
    struct file_device f;
    file_device_make(&f, *state, NULL, NULL);
    CLEANUP(cleanup_device) struct device *d = NULL;
    assert_ok(open_device(&f, DEVICE_LOOK, &d, &e));
    // Bit 13 of SigIgn is SIGPIPE.
    d->config->reboot_command = "ign=$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status); "
                                "test $(( 0x$ign & 0x1000 )) = 0";
    assert_ok(d->reboot(d, &e));
}

static void closing_nothing_does_nothing(void **state)
{
    (void)state;
    device_close(NULL);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    signal(SIGPIPE, SIG_IGN); // as the program does
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_device_is_opened_with_all_its_parts),
        WITH_DIR(one_change_at_a_time_and_looking_beside_it),
        WITH_DIR(each_part_that_is_missing_is_told),
        WITH_DIR(the_trust_store_is_loaded_when_it_is_needed_first),
        WITH_DIR(the_configuration_stays_with_the_caller_when_opening_fails),
        WITH_DIR(a_damaged_journal_does_not_keep_the_device_closed),
        cmocka_unit_test(the_time_floor_is_the_latest_of_what_is_known),
        WITH_DIR(the_verifier_follows_the_configuration),
        cmocka_unit_test(there_are_two_slots),
        WITH_DIR(a_result_is_in_the_journal_of_the_next_run),
        WITH_DIR(the_reboot_command_is_run_by_a_shell),
        WITH_DIR(what_the_reboot_command_prints_is_no_answer_of_ours),
        WITH_DIR(an_empty_reboot_command_runs_nothing),
        WITH_DIR(a_reboot_command_that_fails_is_told),
        WITH_DIR(a_reboot_command_that_does_not_end_is_left_running_after_a_minute),
        WITH_DIR(what_is_ignored_here_is_not_ignored_by_the_reboot_command),
        cmocka_unit_test(closing_nothing_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
