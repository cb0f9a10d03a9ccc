// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_fs.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "updater/state_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#define RECORD SIM_FS_DIR "/journal"
#define TEMP SIM_FS_DIR "/.journal.new"

enum { CUT_SEEDS = 3, OLD_LEN = 300, NEW_LEN = 5000, CALLS_MAX = 100 };

static uint8_t old_record[OLD_LEN], new_record[NEW_LEN];
static const struct file_part new_parts[] = {
    {new_record, 1000}, {new_record + 1000, 3999}, {new_record + 4999, 1}};

// What became of the record, over all cuts at all moments.
struct tally {
    unsigned states;
    unsigned missing, old, new, empty, zeros, prefix, half, other;
};

static struct sim sim;
static struct sim_fs fs, moment, after;

static bool is_zeros(const uint8_t *data, size_t len)
{
    return len > 0 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static void classify(struct tally *t, const struct sim_fs *cut)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    t->states++;
    if (!sim_fs_lookup(cut, "journal", &data, &len)) {
        t->missing++;
    } else if (len == OLD_LEN && memcmp(data, old_record, len) == 0) {
        t->old++;
    } else if (len == NEW_LEN && memcmp(data, new_record, len) == 0) {
        t->new ++;
    } else if (len == 0) {
        t->empty++;
    } else if (is_zeros(data, len)) {
        t->zeros++;
    } else if (len < NEW_LEN && memcmp(data, new_record, len) == 0) {
        t->prefix++;
    } else if (len == NEW_LEN && memcmp(data + len / 2, new_record + len / 2, len - len / 2) == 0) {
        t->half++;
    } else {
        t->other++;
    }
}

// Counts on in fates, the first piece fastest; false after the last combination.
static bool next_fates(uint8_t *fates, const struct sim_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (++fates[i] < pieces[i].fates) {
            return true;
        }
        fates[i] = 0;
    }
    return false;
}

// The power goes away now, in every way it can.
static void cut_in_all_ways(const struct sim_fs *now, struct tally *t)
{
    struct sim_piece pieces[SIM_PIECES_MAX];
    uint8_t fates[SIM_PIECES_MAX] = {0};
    size_t count = sim_fs_pieces(now, pieces, SIM_PIECES_MAX);
    do {
        for (uint64_t seed = 0; seed < CUT_SEEDS; seed++) {
            struct sim_piece none[SIM_PIECES_MAX];
            sim_fs_copy(&after, now);
            sim_fs_cut(&after, fates, seed);
            assert_int_equal(sim_fs_pieces(&after, none, SIM_PIECES_MAX), 0);
            classify(t, &after);
        }
    } while (next_fates(fates, pieces, count));
}

static void on_moment(struct sim *s, bool changed)
{
    (void)changed;
    sim_fs_copy(&moment, &fs);
    cut_in_all_ways(&moment, s->context);
}

static int set_up(void **state)
{
    (void)state;
    sim = (struct sim){0};
    sim_garbage(old_record, sizeof old_record, 1);
    sim_garbage(new_record, sizeof new_record, 2);
    sim_fs_init(&fs, &sim);
    sim_fs_init(&moment, &sim);
    sim_fs_init(&after, &sim);
    sim_fs_put(&fs, "journal", old_record, sizeof old_record);
    sim_fs_mount(&fs);
    return 0;
}

static void watch(struct tally *t)
{
    *t = (struct tally){0};
    sim.context = t;
    sim.on_moment = on_moment;
}

static unsigned damaged(const struct tally *t)
{
    return t->empty + t->zeros + t->prefix + t->half + t->other;
}

static enum err replace(struct error *e)
{
    return file_replace(RECORD, new_parts, 3, 0600, e);
}

static void write_file(const char *path, int flags, const void *data, size_t len)
{
    int fd = open(path, flags, 0600);
    assert_true(fd >= SIM_FS_FD_FIRST);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(close(fd), 0);
}

static void sync_path(const char *path, int flags)
{
    int fd = open(path, flags);
    assert_true(fd >= SIM_FS_FD_FIRST);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(close(fd), 0);
}

// --- the real code on it -------------------------------------------------------------------------

static void the_state_directory_works_on_it(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    bool same = false;
    assert_ok(state_dir_open(SIM_FS_DIR, &s, &e));
    assert_fails(ERR_IO, "slot-a", state_read(s, "slot-a", 100, &data, &len, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_ok(state_replace_parts(s, "slot-a", new_parts, 3, &e));
    assert_ok(state_read(s, "slot-a", NEW_LEN, &data, &len, &e));
    assert_int_equal(len, NEW_LEN);
    assert_memory_equal(data, new_record, NEW_LEN);
    assert_ok(state_holds(s, "slot-a", new_parts, 3, &same, &e));
    assert_true(same);
    assert_ok(state_holds(s, "slot-a", new_parts, 2, &same, &e));
    assert_false(same);
    assert_ok(state_try_replace(s, "journal", new_parts, 3, &e));
    assert_ok(state_check_writable(s, &e));
    assert_int_equal(fs.view.count, 2);
}

static void a_record_that_is_replaced_is_old_or_new_at_every_cut(void **state)
{
    (void)state;
    struct error e;
    struct tally t;
    watch(&t);
    assert_ok(replace(&e));
    assert_int_equal(t.states, t.old + t.new);
    assert_true(t.old > 0 && t.new > 0);
    assert_true(t.states > 300);
    // Afterwards it is the new one, and stays.
    watch(&t);
    cut_in_all_ways(&fs, &t);
    assert_int_equal(t.states, t.new);
}

static void a_first_record_is_missing_or_whole_at_every_cut(void **state)
{
    (void)state;
    struct error e;
    struct tally t;
    assert_true(sim_fs_remove(&fs, "journal"));
    watch(&t);
    assert_ok(replace(&e));
    assert_int_equal(t.states, t.missing + t.new);
    assert_true(t.missing > 0 && t.new > 0);
}

static void trying_a_replacement_never_touches_the_record(void **state)
{
    (void)state;
    struct error e;
    struct tally t;
    watch(&t);
    assert_ok(file_try_replace(RECORD, new_parts, 3, &e));
    cut_in_all_ways(&fs, &t);
    assert_int_equal(t.states, t.old);
}

// Each n-th call fails, and the power goes away at every moment of that too.
static void fail_each_call(int sys, bool short_writes, unsigned *ret_calls, unsigned *ret_ok)
{
    *ret_ok = 0;
    for (uint64_t n = 1; n < CALLS_MAX; n++) {
        struct error e = {0};
        struct tally t;
        set_up(NULL);
        sim.fail_seam = SIM_STATE;
        sim.fail_at = n;
        sim.fail_sys = sys;
        sim.fail_short = short_writes;
        watch(&t);
        enum err err = replace(&e);
        cut_in_all_ways(&fs, &t);
        assert_int_equal(t.states, t.old + t.new);
        assert_true(err == OK || e.code == ERR_IO);
        assert_int_equal(sim_fs_find(&fs, ".journal.new"), SIM_FS_NO_FILE);
        if (err == OK) {
            watch(&t);
            cut_in_all_ways(&fs, &t);
            assert_int_equal(t.states, t.new);
            *ret_ok += sim.failed;
        }
        if (!sim.failed) {
            assert_int_equal(err, OK);
            *ret_calls = (unsigned)n - 1;
            return;
        }
    }
    fail_msg("a replacement takes %d calls or more", CALLS_MAX);
}

static void a_replacement_with_a_failing_call_leaves_the_old_record_or_the_new_one(void **state)
{
    (void)state;
    unsigned calls;
    unsigned ok;
    // unlink, open, 3 writes, fchmod, fsync, rename, open and fsync of the directory.
    fail_each_call(EIO, false, &calls, &ok);
    assert_int_equal(calls, 10);
    assert_int_equal(ok, 1); // there is nothing to unlink
    fail_each_call(ENOSPC, false, &calls, &ok);
    assert_int_equal(ok, 1);
    fail_each_call(EINTR, false, &calls, &ok);
    assert_int_equal(ok, 4); // writes are repeated
}

static void a_short_write_is_gone_on_with(void **state)
{
    (void)state;
    unsigned calls;
    unsigned ok;
    fail_each_call(EIO, true, &calls, &ok);
    // There is nothing to unlink, and two of the three writes have more than one byte.
    assert_int_equal(ok, 3);
}

// --- what it must be able to show ----------------------------------------------------------------

static void without_an_fsync_of_the_file_a_cut_leaves_a_torn_record(void **state)
{
    (void)state;
    struct tally t;
    watch(&t);
    write_file(TEMP, O_WRONLY | O_CREAT | O_EXCL, new_record, NEW_LEN);
    assert_int_equal(rename(TEMP, RECORD), 0);
    sync_path(SIM_FS_DIR, O_RDONLY | O_DIRECTORY);
    assert_true(t.empty > 0 && t.zeros > 0 && t.prefix > 0 && t.half > 0 && t.other > 0);
    assert_int_equal(t.missing, 0);
    // The directory was synced, and still nothing is known of the data.
    watch(&t);
    cut_in_all_ways(&fs, &t);
    assert_true(damaged(&t) > 0 && t.new > 0 && t.old == 0);
}

static void without_an_fsync_of_the_directory_a_cut_brings_the_old_record_back(void **state)
{
    (void)state;
    struct tally t;
    write_file(TEMP, O_WRONLY | O_CREAT | O_EXCL, new_record, NEW_LEN);
    sync_path(TEMP, O_WRONLY);
    assert_int_equal(rename(TEMP, RECORD), 0);
    watch(&t);
    cut_in_all_ways(&fs, &t);
    assert_true(t.old > 0 && t.new > 0);
    assert_int_equal(damaged(&t), 0);
}

static void a_record_written_in_place_is_damaged_by_a_cut(void **state)
{
    (void)state;
    struct tally t;
    watch(&t);
    write_file(RECORD, O_WRONLY | O_TRUNC, new_record, NEW_LEN);
    sync_path(RECORD, O_WRONLY);
    assert_true(t.old > 0 && t.empty > 0 && t.zeros > 0 && t.prefix > 0 && t.new > 0);
    watch(&t);
    cut_in_all_ways(&fs, &t);
    assert_int_equal(t.states, t.new);
}

static void a_record_removed_first_is_missing_after_a_cut(void **state)
{
    (void)state;
    struct tally t;
    watch(&t);
    write_file(TEMP, O_WRONLY | O_CREAT | O_EXCL, new_record, NEW_LEN);
    sync_path(TEMP, O_WRONLY);
    assert_int_equal(unlink(RECORD), 0);
    assert_int_equal(rename(TEMP, RECORD), 0);
    sync_path(SIM_FS_DIR, O_RDONLY | O_DIRECTORY);
    assert_true(t.missing > 0);
}

static void operations_on_names_reach_the_medium_in_their_order(void **state)
{
    (void)state;
    struct sim_piece piece[SIM_PIECES_MAX];
    const char *const expected[] = {"", "a", "ab", "b", "c", ""};
    sim_fs_remove(&fs, "journal");
    assert_true(open(SIM_FS_DIR "/a", O_WRONLY | O_CREAT, 0600) >= 0);
    assert_true(open(SIM_FS_DIR "/b", O_WRONLY | O_CREAT, 0600) >= 0);
    assert_int_equal(rename(SIM_FS_DIR "/a", SIM_FS_DIR "/b"), 0);
    assert_int_equal(rename(SIM_FS_DIR "/b", SIM_FS_DIR "/c"), 0);
    assert_int_equal(unlink(SIM_FS_DIR "/c"), 0);
    assert_int_equal(sim_fs_pieces(&fs, piece, SIM_PIECES_MAX), 1);
    assert_int_equal(piece[0].fates, 6);
    assert_int_equal(piece[0].newest, 5);
    for (uint8_t fate = 0; fate < piece[0].fates; fate++) {
        char found[4] = "";
        sim_fs_copy(&after, &fs);
        sim_fs_cut(&after, &fate, 0);
        for (size_t i = 0; i < after.view.count; i++) {
            strcat(found, after.view.names[i].name);
        }
        assert_string_equal(found, expected[fate]);
    }
}

static void a_failed_fsync_leaves_data_in_doubt_that_the_next_one_does_not_save(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t n = 3; n < 30; n++) {
        struct tally t = {0};
        struct error e;
        CLEANUP(cleanup_free) uint8_t *data = NULL;
        size_t len = 0;
        set_up(NULL);
        sim.fail_seam = SIM_STATE;
        sim.fail_at = n;
        sim.fail_sys = EIO;
        int fd = open(RECORD, O_WRONLY | O_TRUNC);
        for (uint64_t i = 2; i < n - 1; i++) {
            assert_int_equal(fchmod(fd, 0600), 0);
        }
        assert_int_equal(write(fd, new_record, NEW_LEN - 1), NEW_LEN - 1);
        assert_int_equal(fsync(fd), -1);
        assert_int_equal(errno, EIO);
        assert_int_equal(fsync(fd), 0);
        // Only what is written from now on is written by the next one.
        assert_int_equal(write(fd, new_record + NEW_LEN - 1, 1), 1);
        assert_int_equal(fsync(fd), 0);
        assert_ok(file_read(RECORD, NEW_LEN, &data, &len, &e));
        assert_int_equal(len, NEW_LEN);
        assert_memory_equal(data, new_record, len);
        sim_fs_settle(&fs);
        classify(&t, &fs);
        lost += t.new == 0;
    }
    assert_true(lost > 10 && lost < 27);
}

static void a_failed_fsync_of_the_directory_leaves_the_choice_to_a_cut(void **state)
{
    (void)state;
    struct error e;
    struct tally t;
    sim.fail_seam = SIM_STATE;
    sim.fail_at = 10;
    sim.fail_sys = EIO;
    assert_fails(ERR_IO, "sync the directory", replace(&e));
    watch(&t);
    cut_in_all_ways(&fs, &t);
    assert_true(t.old > 0 && t.new > 0);
    sim_fs_settle(&fs);
    classify(&t, &fs);
    assert_int_equal(t.states, t.old + t.new);
}

static void
a_temporary_file_that_was_left_is_there_after_a_cut_until_the_next_replacement(void **state)
{
    (void)state;
    struct error e;
    struct tally t;
    uint8_t nothing_more = 0;
    const uint8_t *data;
    size_t len;
    write_file(TEMP, O_WRONLY | O_CREAT | O_EXCL, new_record, 700);
    sync_path(TEMP, O_WRONLY);
    sync_path(SIM_FS_DIR, O_RDONLY | O_DIRECTORY);
    int fd = open(TEMP, O_RDONLY);
    sim_fs_cut(&fs, &nothing_more, 0);
    assert_int_equal(close(fd), -1);
    assert_true(sim_fs_lookup(&fs, ".journal.new", &data, &len));
    assert_int_equal(len, 700);
    watch(&t);
    assert_ok(replace(&e));
    assert_int_equal(t.states, t.old + t.new);
    assert_false(sim_fs_lookup(&fs, ".journal.new", &data, &len));
}

// --- for the driver ------------------------------------------------------------------------------

static void a_copy_goes_its_own_way(void **state)
{
    (void)state;
    struct error e;
    sim_fs_copy(&moment, &fs);
    assert_true(sim_fs_equal(&moment, &fs));
    assert_ok(replace(&e));
    assert_false(sim_fs_equal(&moment, &fs));
    sim_fs_mount(&moment);
    assert_ok(replace(&e));
    assert_true(sim_fs_equal(&moment, &fs));
    // Not on the medium is not there.
    write_file(RECORD, O_WRONLY | O_APPEND, "x", 1);
    assert_true(sim_fs_equal(&moment, &fs));
    sim_fs_settle(&moment);
    assert_false(sim_fs_equal(&moment, &fs));
    assert_true(sim_fs_remove(&fs, "journal"));
    assert_false(sim_fs_equal(&moment, &fs));
    assert_false(sim_fs_equal(&fs, &moment));
}

static void a_record_can_be_lost_and_damaged_for_good(void **state)
{
    (void)state;
    const uint8_t *data;
    size_t len;
    unsigned shorter = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct tally t = {0};
        set_up(NULL);
        assert_true(sim_fs_spoil(&fs, "journal", seed));
        cut_in_all_ways(&fs, &t);
        assert_int_equal(t.states, t.other);
        assert_true(sim_fs_lookup(&fs, "journal", &data, &len));
        shorter += len < OLD_LEN;
    }
    assert_true(shorter > 0 && shorter < 20);
    sim_fs_put(&fs, "slot-a", "", 0);
    assert_true(sim_fs_spoil(&fs, "slot-a", 1));
    assert_true(sim_fs_lookup(&fs, "slot-a", &data, &len) && len > 0);
    assert_true(sim_fs_remove(&fs, "slot-a"));
    assert_false(sim_fs_remove(&fs, "slot-a"));
    assert_false(sim_fs_spoil(&fs, "slot-a", 1));
    assert_false(sim_fs_lookup(&fs, "slot-a", &data, &len));
    assert_int_equal(sim.calls[SIM_STATE], 0);
}

#define FRESH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(the_state_directory_works_on_it),
        FRESH(a_record_that_is_replaced_is_old_or_new_at_every_cut),
        FRESH(a_first_record_is_missing_or_whole_at_every_cut),
        FRESH(trying_a_replacement_never_touches_the_record),
        FRESH(a_replacement_with_a_failing_call_leaves_the_old_record_or_the_new_one),
        FRESH(a_short_write_is_gone_on_with),
        FRESH(without_an_fsync_of_the_file_a_cut_leaves_a_torn_record),
        FRESH(without_an_fsync_of_the_directory_a_cut_brings_the_old_record_back),
        FRESH(a_record_written_in_place_is_damaged_by_a_cut),
        FRESH(a_record_removed_first_is_missing_after_a_cut),
        FRESH(operations_on_names_reach_the_medium_in_their_order),
        FRESH(a_failed_fsync_leaves_data_in_doubt_that_the_next_one_does_not_save),
        FRESH(a_failed_fsync_of_the_directory_leaves_the_choice_to_a_cut),
        FRESH(a_temporary_file_that_was_left_is_there_after_a_cut_until_the_next_replacement),
        FRESH(a_copy_goes_its_own_way),
        FRESH(a_record_can_be_lost_and_damaged_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
