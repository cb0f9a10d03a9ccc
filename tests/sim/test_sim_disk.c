// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_disk.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>

enum { SECTORS = 8 }; // 'a' all over

struct bed {
    struct sim sim;
    struct sim_disk disk, other;
    unsigned moments, changes;
};

static const uint32_t sector_sizes[] = {512, 4096};

enum { SIZES = sizeof sector_sizes / sizeof sector_sizes[0] };

static int make(void **state)
{
    *state = calloc(1, sizeof(struct bed));
    assert_non_null(*state);
    return 0;
}

static int clear(void **state)
{
    free(*state);
    return 0;
}

static void count_moment(struct sim *s, bool changed)
{
    struct bed *b = s->context;
    b->moments++;
    b->changes += changed;
}

static void blank(struct bed *b, struct sim_disk *d, const char *name, uint32_t sector_bytes)
{
    static uint8_t content[SIM_DISK_MAX];
    memset(content, 'a', sizeof content);
    sim_disk_init(d, &b->sim, name, sector_bytes, (size_t)SECTORS * sector_bytes);
    sim_disk_put(d, 0, content, d->size_bytes);
}

static struct sim_disk *begin(struct bed *b, uint32_t sector_bytes)
{
    b->sim = (struct sim){.on_moment = count_moment, .context = b};
    b->moments = b->changes = 0;
    blank(b, &b->disk, "disk", sector_bytes);
    return &b->disk;
}

static void fill(struct sim_disk *d, char c, size_t len, size_t off)
{
    static uint8_t buf[SIM_DISK_MAX];
    memset(buf, c, len);
    assert_int_equal(sim_disk_write(d, SIM_DISK, buf, len, off), 0);
}

static void sync_disk(struct sim_disk *d)
{
    assert_int_equal(sim_disk_sync(d, SIM_DISK), 0);
}

static bool is_all(const uint8_t *bytes, char c, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != (uint8_t)c) {
            return false;
        }
    }
    return true;
}

// What a sector of the medium holds; '?' is neither of what was ever written.
static char letter(const struct sim_disk *d, size_t sector)
{
    const uint8_t *at = d->medium + sector * d->sector_bytes;
    return is_all(at, (char)at[0], d->sector_bytes) ? (char)at[0] : '?';
}

static void expect_letters(const struct sim_disk *d, const char *wanted)
{
    for (size_t i = 0; i < SECTORS; i++) {
        if (letter(d, i) != wanted[i]) {
            fail_msg("sector %zu is '%c', expected '%c' of %s", i, letter(d, i), wanted[i], wanted);
        }
    }
}

static size_t pieces_of(const struct sim_disk *d, struct sim_piece pieces[SIM_PIECES_MAX])
{
    return sim_disk_pieces(d, pieces, SIM_PIECES_MAX);
}

static void a_read_gives_what_was_written_last_and_only_a_sync_makes_it_last(void **state)
{
    struct bed *b = *state;
    struct sim_piece pieces[SIM_PIECES_MAX];
    uint8_t buf[10];
    for (size_t i = 0; i < SIZES; i++) {
        struct sim_disk *d = begin(b, sector_sizes[i]);
        fill(d, 'b', 10, 5);
        assert_int_equal(sim_disk_read(d, SIM_DISK, buf, sizeof buf, 4), 0);
        assert_memory_equal(buf, "abbbbbbbbb", 10);
        expect_letters(d, "aaaaaaaa");
        assert_int_equal(pieces_of(d, pieces), 1);
        sync_disk(d);
        assert_memory_equal(d->medium + 4, "abbbbbbbbbba", 12);
        assert_int_equal(pieces_of(d, pieces), 0);
        assert_int_equal(d->written_bytes, 10);
    }
}

static void a_sector_that_is_written_in_part_keeps_its_other_bytes(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < SIZES; i++) {
        struct sim_disk *d = begin(b, sector_sizes[i]);
        size_t size = sector_sizes[i];
        struct sim_piece pieces[SIM_PIECES_MAX];
        // The last byte of one, all of the next, the first byte of a third.
        fill(d, 'b', size + 2, size - 1);
        assert_int_equal(pieces_of(d, pieces), 3);
        sim_disk_cut(d, (const uint8_t[]){1, 1, 1}, 1);
        expect_letters(d, "?b?aaaaa");
        assert_true(is_all(d->medium, 'a', size - 1));
        assert_true(is_all(d->medium + size - 1, 'b', size + 2));
        assert_true(is_all(d->medium + 2 * size + 1, 'a', size - 1));
    }
}

static void every_call_is_a_moment_and_a_change_is_another(void **state)
{
    struct bed *b = *state;
    struct sim_disk *d = begin(b, 512);
    uint8_t byte;
    assert_int_equal(sim_disk_read(d, SIM_DISK, &byte, 1, 0), 0);
    assert_int_equal(b->moments, 1);
    assert_int_equal(b->changes, 0);
    fill(d, 'b', 1, 0);
    assert_int_equal(b->moments, 3);
    assert_int_equal(b->changes, 1);
    sync_disk(d);
    assert_int_equal(b->changes, 2);
    sync_disk(d); // nothing is pending
    assert_int_equal(b->moments, 6);
    assert_int_equal(b->changes, 2);
    assert_int_equal(b->sim.calls[SIM_DISK], 4);
}

// --- torn writes ---------------------------------------------------------------------------------

static void each_sector_of_a_torn_write_has_its_own_fate(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < SIZES; i++) {
        for (unsigned outcome = 0; outcome < 27; outcome++) {
            struct sim_disk *d = begin(b, sector_sizes[i]);
            struct sim_piece pieces[SIM_PIECES_MAX];
            const uint8_t fates[] = {(uint8_t)(outcome % 3), (uint8_t)(outcome / 3 % 3),
                                     (uint8_t)(outcome / 9)};
            fill(d, 'b', (size_t)3 * sector_sizes[i], (size_t)2 * sector_sizes[i]);
            assert_int_equal(pieces_of(d, pieces), 3);
            char wanted[] = "aaaaaaaa";
            for (size_t k = 0; k < 3; k++) {
                assert_int_equal(pieces[k].fates, 3);
                assert_int_equal(pieces[k].newest, 1);
                wanted[2 + k] = "ab?"[fates[k]];
            }
            sim_disk_cut(d, fates, 7);
            expect_letters(d, wanted);
            assert_int_equal(pieces_of(d, pieces), 0);
            assert_memory_equal(d->view, d->medium, d->size_bytes);
        }
    }
}

static void a_sector_may_be_any_version_since_the_sync(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < SIZES; i++) {
        for (uint8_t fate = 0; fate < 5; fate++) {
            struct sim_disk *d = begin(b, sector_sizes[i]);
            struct sim_piece pieces[SIM_PIECES_MAX];
            size_t size = sector_sizes[i];
            fill(d, 'x', size, size);
            sync_disk(d); // no version any more
            fill(d, 'b', size, size);
            fill(d, 'o', size, 5 * size);
            fill(d, 'c', size, size);
            fill(d, 'd', size, size);
            assert_int_equal(pieces_of(d, pieces), 2);
            assert_int_equal(pieces[0].fates, 5);
            assert_int_equal(pieces[0].newest, 3);
            assert_int_equal(pieces[1].newest, 1);
            sim_disk_cut(d, (const uint8_t[]){fate, 0}, 7);
            char wanted[] = "a.aaaaaa";
            wanted[1] = "xbcd?"[fate];
            expect_letters(d, wanted);
        }
    }
}

static void garbage_is_the_same_for_the_same_seed_only(void **state)
{
    struct bed *b = *state;
    uint8_t found[3][512];
    for (size_t i = 0; i < 3; i++) {
        struct sim_disk *d = begin(b, 512);
        fill(d, 'b', 512, 0);
        sim_disk_cut(d, (const uint8_t[]){2}, i / 2);
        memcpy(found[i], d->medium, 512);
    }
    assert_memory_equal(found[0], found[1], 512);
    assert_memory_not_equal(found[0], found[2], 512);
}

static void a_reboot_without_a_cut_loses_nothing(void **state)
{
    struct sim_disk *d = begin(*state, 512);
    fill(d, 'b', 512, 0);
    fill(d, 'c', 512, 0);
    sim_disk_settle(d);
    expect_letters(d, "caaaaaaa");
    assert_int_equal(d->queued, 0);
}

// --- failing calls -------------------------------------------------------------------------------

static void order(struct bed *b, int sys, bool part)
{
    sim_reset(&b->sim);
    b->sim.fail_seam = SIM_DISK;
    b->sim.fail_at = 1;
    b->sim.fail_sys = sys;
    b->sim.fail_short = part;
}

static void a_failing_write_does_nothing_or_a_part(void **state)
{
    struct bed *b = *state;
    uint8_t buf[1024];
    memset(buf, 'b', sizeof buf);
    struct sim_disk *d = begin(b, 512);
    order(b, EIO, false);
    assert_int_equal(sim_disk_write(d, SIM_DISK, buf, sizeof buf, 0), EIO);
    assert_int_equal(d->queued, 0);
    assert_true(is_all(d->view, 'a', d->size_bytes));
    assert_true(b->sim.failed);
    order(b, ENOSPC, true);
    assert_int_equal(sim_disk_write(d, SIM_DISK, buf, sizeof buf, 0), ENOSPC);
    assert_int_equal(d->queued, 1);
    assert_int_equal(d->written_bytes, 512);
    assert_true(is_all(d->view, 'b', 512) && is_all(d->view + 512, 'a', 512));
    order(b, EIO, false);
    assert_int_equal(sim_disk_read(d, SIM_DISK, buf, 1, 0), EIO);
    assert_int_equal(sim_disk_read(d, SIM_DISK, buf, 1, 0), 0); // only that call
}

static void a_failing_sync_keeps_some_and_the_next_one_says_ok(void **state)
{
    struct bed *b = *state;
    unsigned kept = 0;
    for (uint64_t call = 1; call <= 20; call++) {
        struct sim_disk *d = begin(b, 512);
        struct sim_piece pieces[SIM_PIECES_MAX];
        fill(d, 'b', d->size_bytes, 0);
        b->sim.fail_seam = SIM_DISK;
        b->sim.calls[SIM_DISK] = call - 1;
        b->sim.fail_at = call;
        b->sim.fail_sys = EIO;
        assert_int_equal(sim_disk_sync(d, SIM_DISK), EIO);
        assert_int_equal(pieces_of(d, pieces), 0);
        assert_true(is_all(d->view, 'b', d->size_bytes)); // as a cache has it
        for (size_t i = 0; i < SECTORS; i++) {
            assert_true(letter(d, i) == 'a' || letter(d, i) == 'b');
            kept += letter(d, i) == 'b';
        }
        sync_disk(d);
        assert_memory_equal(d->view, d->medium, d->size_bytes);
    }
    assert_in_range(kept, 40, 120); // of 160
}

// --- disks that lie ------------------------------------------------------------------------------

static void a_disk_that_lies_says_ok_and_keeps_it_pending(void **state)
{
    struct bed *b = *state;
    struct sim_piece pieces[SIM_PIECES_MAX];
    struct sim_disk *d = begin(b, 512);
    d->lies = true;
    fill(d, 'b', 1024, 0);
    sync_disk(d);
    assert_int_equal(pieces_of(d, pieces), 2);
    assert_int_equal(pieces[0].fates, 3); // of the epoch that the cut falls in
    expect_letters(d, "aaaaaaaa");
    assert_int_equal(b->sim.epoch, 1);
    sim_disk_settle(d);
    expect_letters(d, "bbaaaaaa");
}

static void what_came_ahead_of_a_lied_about_sync_is_there_before_what_came_behind(void **state)
{
    struct bed *b = *state;
    static const char *const wanted[] = {"bbaaaaaa", "cbbaaaaa", "cddaaaaa", "cddaaaaa"};
    for (uint32_t epoch = 0; epoch < 4; epoch++) {
        struct sim_disk *d = begin(b, 512);
        d->lies = true;
        fill(d, 'b', 1024, 0);
        sync_disk(d);
        fill(d, 'b', 512, 1024);
        fill(d, 'c', 512, 0);
        sync_disk(d);
        fill(d, 'd', 1024, 512);
        b->sim.cut_epoch = epoch;
        sim_disk_cut(d, (const uint8_t[]){1, 1, 1}, 7);
        expect_letters(d, wanted[epoch]);
    }
    // In the epoch of the cut itself each sector has its own fate.
    struct sim_disk *d = begin(b, 512);
    d->lies = true;
    fill(d, 'b', 1024, 0);
    sync_disk(d);
    fill(d, 'c', 1024, 0);
    b->sim.cut_epoch = 1;
    sim_disk_cut(d, (const uint8_t[]){0, 2}, 7);
    expect_letters(d, "b?aaaaaa");
}

static void all_disks_that_lie_are_one_device(void **state)
{
    struct bed *b = *state;
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        struct sim_disk *d = begin(b, 512);
        blank(b, &b->other, "other", 512);
        d->lies = b->other.lies = true;
        fill(d, 'b', 512, 0);
        sync_disk(d);
        fill(&b->other, 'c', 512, 0);
        sync_disk(&b->other);
        b->sim.cut_epoch = epoch;
        sim_disk_cut(d, (const uint8_t[]){0}, 1);
        sim_disk_cut(&b->other, (const uint8_t[]){0}, 1);
        expect_letters(d, epoch > 0 ? "baaaaaaa" : "aaaaaaaa");
        expect_letters(&b->other, epoch > 1 ? "caaaaaaa" : "aaaaaaaa");
    }
}

static void the_cache_of_a_disk_that_lies_holds_only_so_much(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < SIZES; i++) {
        struct sim_disk *d = begin(b, sector_sizes[i]);
        struct sim_piece pieces[SIM_PIECES_MAX];
        size_t room = SIM_CACHE_BYTES / sector_sizes[i];
        d->lies = true;
        for (size_t k = 0; k < room; k++) {
            fill(d, 'b', 1, k % SECTORS * sector_sizes[i]);
        }
        assert_int_equal(d->queued, room);
        expect_letters(d, "aaaaaaaa");
        fill(d, 'c', sector_sizes[i], (size_t)7 * sector_sizes[i]);
        assert_int_equal(d->queued, room);
        expect_letters(d, "?aaaaaaa"); // the oldest has reached the medium
        assert_true(d->medium[0] == 'b' && d->medium[1] == 'a');
        sim_disk_settle(d); // what is left
        assert_int_equal(letter(d, 7), 'c');
        assert_int_equal(pieces_of(d, pieces), 0);
    }
}

static void read(struct sim_disk *d, size_t len, size_t off)
{
    static uint8_t buf[SIM_DISK_MAX];
    assert_int_equal(sim_disk_read(d, SIM_DISK, buf, len, off), 0);
}

static void a_mark_says_that_a_sector_was_read_from_the_medium_since_it_was_written(void **state)
{
    struct bed *b = *state;
    struct sim_disk *d = begin(b, 512);
    read(d, 513, 512); // one and a byte
    assert_false(d->read_back[0]);
    assert_true(d->read_back[1] && d->read_back[2]);
    assert_false(d->read_back[3]);
    fill(d, 'b', 1, 600);
    assert_false(d->read_back[1]);
    assert_true(d->read_back[2]);
    read(d, 512, 512); // it may come from a cache
    assert_false(d->read_back[1]);
    sync_disk(d);
    assert_false(d->read_back[1]);
    read(d, 512, 512);
    assert_true(d->read_back[1]);
    // Behind a sync that failed, reads are not the medium's.
    fill(d, 'c', 1, 600);
    order(b, EIO, false);
    assert_int_equal(sim_disk_sync(d, SIM_DISK), EIO);
    read(d, 512, 512);
    assert_false(d->read_back[1]);
    sync_disk(d);
    read(d, 512, 512);
    assert_true(d->read_back[1]);
    // A flipped bit is in one sector; those around it came as they are.
    fill(d, 'c', 1536, 512);
    sync_disk(d);
    order(b, EBADMSG, false);
    read(d, 1536, 512);
    assert_true(d->read_back[1] && !d->read_back[2] && d->read_back[3]);
    // Nobody can see through a disk that lies.
    d->lies = true;
    fill(d, 'd', 1, 600);
    read(d, 512, 512);
    assert_true(d->read_back[1]);
}

static void the_seam_reads_writes_zeroes_and_syncs_the_disk(void **state)
{
    struct bed *b = *state;
    struct error e;
    struct blk *blk;
    uint8_t buf[512];
    struct sim_disk *d = begin(b, 4096);
    assert_ok(sim_disk_open(d, BLK_READ_WRITE, &blk, &e));
    assert_int_equal(blk->size_bytes, d->size_bytes);
    memset(buf, 'b', sizeof buf);
    assert_ok(blk_pwrite(blk, buf, sizeof buf, 4096, &e));
    assert_ok(blk_zero_range(blk, 8192, 4096, &e));
    assert_ok(blk_sync(blk, &e));
    assert_ok(blk_pread(blk, buf, 1, 4096, &e));
    assert_int_equal(buf[0], 'b');
    assert_true(is_all(d->medium + 8192, '\0', 4096));
    assert_false(d->trespassed);
    order(b, EIO, false);
    assert_fails(ERR_IO, "disk: sync", blk_sync(blk, &e));
    blk_close(blk);
    order(b, EIO, false);
    assert_fails(ERR_IO, "disk: open", sim_disk_open(d, BLK_READ_WRITE, &blk, &e));
}

static void a_write_through_a_handle_for_reading_is_noted(void **state)
{
    struct bed *b = *state;
    struct error e;
    struct blk *blk;
    struct sim_disk *d = begin(b, 512);
    assert_ok(sim_disk_open(d, BLK_READ_ONLY, &blk, &e));
    assert_false(d->trespassed);
    assert_ok(blk_pwrite(blk, "b", 1, 0, &e));
    assert_true(d->trespassed);
    blk_close(blk);
}

static void a_copy_goes_its_own_way(void **state)
{
    struct bed *b = *state;
    struct sim_disk *d = begin(b, 512);
    sim_disk_init(&b->other, &b->sim, "other", 4096, 4096);
    fill(d, 'b', 512, 0);
    sim_disk_copy(&b->other, d);
    sim_disk_cut(d, (const uint8_t[]){0}, 1);
    expect_letters(d, "aaaaaaaa");
    assert_int_equal(b->other.sector_bytes, 512);
    assert_true(is_all(b->other.view, 'b', 512));
    sim_disk_cut(&b->other, (const uint8_t[]){1}, 1);
    expect_letters(&b->other, "baaaaaaa");
}

#define disk_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(a_read_gives_what_was_written_last_and_only_a_sync_makes_it_last),
        disk_test(a_sector_that_is_written_in_part_keeps_its_other_bytes),
        disk_test(every_call_is_a_moment_and_a_change_is_another),
        disk_test(each_sector_of_a_torn_write_has_its_own_fate),
        disk_test(a_sector_may_be_any_version_since_the_sync),
        disk_test(garbage_is_the_same_for_the_same_seed_only),
        disk_test(a_reboot_without_a_cut_loses_nothing),
        disk_test(a_failing_write_does_nothing_or_a_part),
        disk_test(a_failing_sync_keeps_some_and_the_next_one_says_ok),
        disk_test(a_disk_that_lies_says_ok_and_keeps_it_pending),
        disk_test(what_came_ahead_of_a_lied_about_sync_is_there_before_what_came_behind),
        disk_test(all_disks_that_lie_are_one_device),
        disk_test(the_cache_of_a_disk_that_lies_holds_only_so_much),
        disk_test(a_mark_says_that_a_sector_was_read_from_the_medium_since_it_was_written),
        disk_test(the_seam_reads_writes_zeroes_and_syncs_the_disk),
        disk_test(a_write_through_a_handle_for_reading_is_noted),
        disk_test(a_copy_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
