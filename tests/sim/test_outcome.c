// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/outcome.h"

#include "tests/sim/invariants.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>

enum { DAMAGES = 7, SEEDED = 200, MANY = 14, STATES_MAX = 729 };

// Sectors of slot b that were written and not synced, and a world to cut.
struct scene {
    struct sim_kit *kit;
    struct findings findings;
    struct world *world;
    struct media before;
    struct outcomes outcomes;
    size_t torn;
};

static int make(void **state)
{
    static const uint32_t cuts[] = {1024, 0};
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->kit = sim_kit_make(cuts, 0);
    const struct world_shape shape = {.contract = CONTRACT_ORDER, .sector_bytes = 512};
    s->world = world_new(&shape, s->kit, &s->findings);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    world_free(s->world);
    sim_kit_free(s->kit);
    free(s);
    return 0;
}

// --- scenes --------------------------------------------------------------------------------------

// The i-th torn sector, in the order of the pieces.
static struct sim_disk *disk_of(struct scene *s, size_t i, size_t *ret_off)
{
    size_t in_rootfs = (s->torn + 1) / 2;
    size_t part = i < in_rootfs ? 0 : 1;
    *ret_off = (3 + (part == 0 ? i : i - in_rootfs)) * SIM_SECTOR_MIN;
    return &s->world->m.slots[1][part];
}

static void write_sector(struct sim_disk *d, size_t off, char c)
{
    uint8_t bytes[SIM_SECTOR_MIN];
    memset(bytes, c, sizeof bytes);
    assert_int_equal(sim_disk_write(d, SIM_DISK, bytes, sizeof bytes, off), 0);
}

static void write_torn(struct scene *s, size_t i, char c)
{
    size_t off;
    struct sim_disk *d = disk_of(s, i, &off);
    write_sector(d, off, c);
}

static void settle(struct scene *s)
{
    struct media *m = &s->world->m;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            sim_disk_settle(&m->slots[i][p]);
        }
    }
    sim_disk_settle(&m->env);
    sim_fs_settle(&m->fs);
}

static void look_at_outcomes(struct scene *s)
{
    world_snapshot(s->world, &s->before);
    outcomes_find(&s->world->m, &s->outcomes);
}

// 'o' was there, and 'n' is under way.
static void tear(struct scene *s, size_t sectors)
{
    s->torn = sectors;
    settle(s);
    for (size_t i = 0; i < sectors; i++) {
        write_torn(s, i, 'o');
    }
    settle(s);
    for (size_t i = 0; i < sectors; i++) {
        write_torn(s, i, 'n');
    }
    look_at_outcomes(s);
    assert_int_equal(s->outcomes.pieces, sectors);
}

static void cut(struct scene *s, uint32_t index, uint64_t seed)
{
    world_restore(s->world, &s->before);
    outcome_apply(s->world, &s->outcomes, index, seed);
}

// What became of each torn sector: 'o', 'n', or '?'.
static void read_fates(struct scene *s, char ret[MANY + 1])
{
    for (size_t i = 0; i < s->torn; i++) {
        size_t off;
        const struct sim_disk *d = disk_of(s, i, &off);
        uint8_t old[SIM_SECTOR_MIN];
        uint8_t new[SIM_SECTOR_MIN];
        memset(old, 'o', sizeof old);
        memset(new, 'n', sizeof new);
        bool is_old = memcmp(d->medium + off, old, sizeof old) == 0;
        ret[i] = is_old ? 'o' : memcmp(d->medium + off, new, sizeof new) == 0 ? 'n' : '?';
    }
    ret[s->torn] = '\0';
}

static void expect_numbers(const struct scene *s, uint32_t all, uint32_t subsets)
{
    assert_int_equal(s->outcomes.all, all);
    assert_int_equal(s->outcomes.subsets, subsets);
    assert_int_equal(s->outcomes.damage, all > 0 ? all : subsets + SEEDED);
    assert_int_equal(s->outcomes.count, s->outcomes.damage + DAMAGES);
}

// --- numbers -------------------------------------------------------------------------------------

static void where_nothing_is_pending_there_is_one_outcome(void **state)
{
    struct scene *s = *state;
    tear(s, 0);
    expect_numbers(s, 1, 0);
    cut(s, 0, 1);
    assert_memory_equal(s->world->m.slots[1][0].medium, s->before.slots[1][0].medium,
                        sim_shapes[0].size_bytes);
}

static void of_few_pieces_all_combinations_are_tried_once(void **state)
{
    struct scene *s = *state;
    uint32_t all = 1;
    for (size_t sectors = 1; sectors <= 6; sectors++) {
        bool seen[STATES_MAX] = {false};
        all *= 3;
        tear(s, sectors);
        expect_numbers(s, all, 0);
        for (uint32_t index = 0; index < all; index++) {
            char fates[MANY + 1];
            uint32_t number = 0;
            cut(s, index, 1);
            read_fates(s, fates);
            for (size_t i = sectors; i-- > 0;) {
                number = number * 3 + (fates[i] == 'o' ? 0 : fates[i] == 'n' ? 1 : 2);
            }
            assert_false(seen[number]);
            seen[number] = true;
        }
    }
}

static void of_up_to_ten_pieces_all_subsets_are_tried(void **state)
{
    struct scene *s = *state;
    for (size_t sectors = 7; sectors <= 10; sectors++) {
        tear(s, sectors);
        expect_numbers(s, 0, 1u << sectors);
        for (uint32_t index = 0; index < 1u << sectors; index++) {
            char fates[MANY + 1];
            cut(s, index, 1);
            read_fates(s, fates);
            for (size_t i = 0; i < sectors; i++) {
                assert_int_equal(fates[i], (index >> i & 1) != 0 ? 'n' : 'o');
            }
        }
    }
}

static void of_more_pieces_only_the_extremes_are_tried(void **state)
{
    struct scene *s = *state;
    char fates[MANY + 1];
    tear(s, 11);
    expect_numbers(s, 0, 2);
    cut(s, 0, 1);
    read_fates(s, fates);
    assert_string_equal(fates, "ooooooooooo");
    cut(s, 1, 1);
    read_fates(s, fates);
    assert_string_equal(fates, "nnnnnnnnnnn");
}

static void versions_of_a_sector_and_the_state_directory_count_too(void **state)
{
    struct scene *s = *state;
    char path[128];
    tear(s, 1);
    write_torn(s, 0, 'm');
    look_at_outcomes(s);
    expect_numbers(s, 4, 0);
    // A name, and data behind it.
    temp_dir_path(path, sizeof path, SIM_FS_DIR, "probe");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "data", 4), 4);
    assert_int_equal(close(fd), 0);
    look_at_outcomes(s);
    struct sim_piece pieces[SIM_PIECES_MAX];
    size_t count = sim_fs_pieces(&s->world->m.fs, pieces, SIM_PIECES_MAX);
    assert_true(count > 0);
    assert_int_equal(s->outcomes.parts[SIM_DISKS], count);
    uint32_t all = 4;
    for (size_t i = 0; i < count; i++) {
        all *= pieces[i].fates;
    }
    expect_numbers(s, all, 0);
    bool kept = false;
    bool lost = false;
    for (uint32_t index = 0; index < all; index++) {
        const uint8_t *data;
        size_t len;
        cut(s, index, 1);
        bool there = sim_fs_lookup(&s->world->m.fs, "probe", &data, &len);
        kept = kept || there;
        lost = lost || !there;
    }
    assert_true(kept && lost);
}

// --- fates ---------------------------------------------------------------------------------------

static void every_piece_has_each_fate_somewhere(void **state)
{
    static const size_t sizes[] = {1, 3, 6, 8, 10, 11, MANY};
    struct scene *s = *state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        bool seen[MANY][3] = {{false}};
        tear(s, sizes[k]);
        for (uint32_t index = s->outcomes.subsets; index < s->outcomes.damage; index++) {
            char fates[MANY + 1];
            cut(s, index, 1);
            read_fates(s, fates);
            for (size_t i = 0; i < sizes[k]; i++) {
                seen[i][fates[i] == 'o' ? 0 : fates[i] == 'n' ? 1 : 2] = true;
            }
        }
        for (size_t i = 0; i < sizes[k]; i++) {
            assert_true(seen[i][0] && seen[i][1] && seen[i][2]);
        }
    }
}

static void the_same_number_and_seed_give_the_same_media(void **state)
{
    struct scene *s = *state;
    char fates[3][MANY + 1];
    tear(s, MANY);
    for (uint64_t i = 0; i < 3; i++) {
        cut(s, 50, i / 2);
        read_fates(s, fates[i]);
    }
    assert_string_equal(fates[0], fates[1]);
    assert_string_not_equal(fates[0], fates[2]);
}

static void a_cut_is_counted_and_nothing_runs(void **state)
{
    struct scene *s = *state;
    tear(s, 2);
    s->before.truth.running = 1;
    unsigned cuts = s->before.truth.cuts;
    cut(s, 0, 1);
    assert_int_equal(s->world->m.truth.cuts, cuts + 1);
    assert_int_equal(s->world->m.truth.running, SLOT_NONE);
    assert_false(s->world->m.truth.env_lost || s->world->m.truth.state_lost);
}

static void on_disks_that_lie_the_cut_falls_behind_any_sync(void **state)
{
    struct scene *s = *state;
    bool seen[5] = {false};
    struct sim_disk *d = &s->world->m.slots[1][0];
    tear(s, 0);
    d->lies = true;
    // Four syncs that were lied about, a sector ahead of each.
    for (size_t i = 0; i < 4; i++) {
        write_sector(d, (3 + i) * SIM_SECTOR_MIN, (char)('1' + i));
        assert_int_equal(sim_disk_sync(d, SIM_DISK), 0);
    }
    look_at_outcomes(s);
    for (uint64_t seed = 0; seed < 64; seed++) {
        cut(s, 0, seed); // of the epoch of the cut nothing is kept
        size_t kept = 0;
        while (kept < 4 && d->medium[(3 + kept) * SIM_SECTOR_MIN] == '1' + kept) {
            kept++;
        }
        for (size_t i = kept; i < 4; i++) {
            assert_int_not_equal(d->medium[(3 + i) * SIM_SECTOR_MIN], '1' + i);
        }
        seen[kept] = true;
    }
    d->lies = false;
    assert_true(seen[0] && seen[1] && seen[2] && seen[3] && seen[4]);
}

// --- damages -------------------------------------------------------------------------------------

static bool has_record(const struct scene *s, const char *name, bool *ret_same)
{
    const uint8_t *data;
    size_t len;
    bool there = sim_fs_lookup(&s->world->m.fs, name, &data, &len);
    *ret_same = there && len == 8 && memcmp(data, "a record", 8) == 0;
    return there;
}

static void every_damage_does_what_it_says_beside_the_cut(void **state)
{
    static const struct {
        size_t whole_copies;
        bool env_lost, copy_lost, state_lost;
        bool journal, journal_same, slots;
    } wanted[DAMAGES] = {
        {0, true, false, false, true, true, true},   // both copies of the environment
        {1, false, true, false, true, true, true},   // copy 0
        {1, false, true, false, true, true, true},   // copy 1
        {2, false, false, true, false, false, true}, // no journal
        {2, false, false, true, true, false, true},  // a spoilt one
        {2, false, false, true, false, false, false}, {0, true, false, true, false, false, false},
    };
    struct scene *s = *state;
    struct world *w = s->world;
    sim_fs_put(&w->m.fs, "journal", "a record", 8);
    sim_fs_put(&w->m.fs, "slot-a", "a record", 8);
    sim_fs_put(&w->m.fs, "slot-b", "a record", 8);
    tear(s, 4);
    for (uint32_t i = 0; i < DAMAGES; i++) {
        bool same;
        bool other;
        cut(s, s->outcomes.damage + i, 1);
        assert_int_equal(sim_env_whole_copies(w->m.env.medium), wanted[i].whole_copies);
        assert_int_equal(w->m.truth.env_lost, wanted[i].env_lost);
        assert_int_equal(outcome_loses_environment(&s->outcomes, s->outcomes.damage + i), i == 0);
        assert_int_equal(w->m.truth.env_copy_lost, wanted[i].copy_lost);
        assert_int_equal(w->m.truth.state_lost, wanted[i].state_lost);
        assert_int_equal(has_record(s, "journal", &same), wanted[i].journal);
        assert_int_equal(same, wanted[i].journal_same);
        assert_int_equal(has_record(s, "slot-a", &other), wanted[i].slots);
        assert_int_equal(has_record(s, "slot-b", &other), wanted[i].slots);
    }
    // Of one copy lost, the other one is what is left.
    cut(s, s->outcomes.damage + 1, 1);
    assert_int_equal(sim_env_current(w->m.env.medium), 1);
    cut(s, s->outcomes.damage + 2, 1);
    assert_int_equal(sim_env_current(w->m.env.medium), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_is_pending_there_is_one_outcome),
        cmocka_unit_test(of_few_pieces_all_combinations_are_tried_once),
        cmocka_unit_test(of_up_to_ten_pieces_all_subsets_are_tried),
        cmocka_unit_test(of_more_pieces_only_the_extremes_are_tried),
        cmocka_unit_test(versions_of_a_sector_and_the_state_directory_count_too),
        cmocka_unit_test(every_piece_has_each_fate_somewhere),
        cmocka_unit_test(the_same_number_and_seed_give_the_same_media),
        cmocka_unit_test(a_cut_is_counted_and_nothing_runs),
        cmocka_unit_test(on_disks_that_lie_the_cut_falls_behind_any_sync),
        cmocka_unit_test(every_damage_does_what_it_says_beside_the_cut),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
