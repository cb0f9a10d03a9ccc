// SPDX-License-Identifier: Apache-2.0
// Stores of both back ends, cut while they are pending: every outcome of every sector reads the
// same through both.
#include "tests/sim/sim_env.h"

#include "tests/sim/sim_env_pair.h"
#include "tests/support/expect.h"

enum { STORES = 12, GARBAGE = 2 };

static void keep_when_pending(struct sim *sim, bool changed)
{
    struct env_side *s = sim->context;
    if (changed && s->disk.queued > 0 && !s->was_torn) {
        s->was_torn = true;
        sim_disk_init(&s->torn, sim, "torn", s->disk.sector_bytes, SIM_ENV_MEDIUM_SIZE);
        sim_disk_copy(&s->torn, &s->disk);
    }
}

// The medium that such a cut leaves is read through both.
static void read_torn(struct env_pair *p, const struct sim_disk *pending, const uint8_t *fates,
                      uint64_t seed)
{
    for (int i = 0; i < 2; i++) {
        sim_disk_copy(&p->sides[i].disk, pending);
        sim_disk_cut(&p->sides[i].disk, fates, seed);
        bootenv_close(p->sides[i].env);
    }
    env_pair_assert_equal_media(p);
}

// Every outcome of every sector of the pending store. Returns how many there were.
static size_t tear(struct env_pair *p, const struct sim_disk *pending)
{
    CLEANUP(env_vars_clear) struct env_vars before = {0};
    CLEANUP(env_vars_clear) struct env_vars meant = {0};
    env_pair_parse(pending->medium, &before);
    env_pair_parse(pending->view, &meant);
    struct sim_piece pieces[SIM_PIECES_MAX];
    size_t count = sim_disk_pieces(pending, pieces, SIM_PIECES_MAX);
    assert_int_equal(count, pending->sector_bytes == 512 ? 2 : 1);
    uint8_t fates[SIM_ENV_SIZE / SIM_SECTOR_MIN] = {0};
    size_t states = 0;
    for (;;) {
        bool all_new = true;
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(pieces[i].fates, 3);
            all_new = all_new && fates[i] == pieces[i].newest;
        }
        for (uint64_t seed = 0; seed < GARBAGE; seed++, states++) {
            read_torn(p, pending, fates, seed);
            assert_int_equal(env_pair_load(p), OK);
            const struct env_vars *want = all_new ? &meant : &before;
            for (int i = 0; i < 2; i++) {
                assert_true(env_pair_says(p->sides[i].env, &meant, want));
                assert_true(env_pair_says(p->sides[i].env, &before, want));
            }
            env_pair_assert_next_store_repairs(p);
        }
        size_t i = 0;
        while (i < count && ++fates[i] == pieces[i].fates) {
            fates[i++] = 0;
        }
        if (i == count) {
            return states;
        }
    }
}

static void store_and_tear(struct env_pair *p, uint32_t sector_bytes, unsigned destroyed)
{
    env_pair_format(p, sector_bytes);
    env_pair_destroy(p, destroyed);
    for (int n = 0; n < STORES; n++) {
        char value[16];
        snprintf(value, sizeof value, "%d", n);
        bool stored;
        for (int i = 0; i < 2; i++) {
            p->sides[i].was_torn = false;
            p->sides[i].sim.on_moment = keep_when_pending;
        }
        assert_int_equal(env_pair_load(p), OK);
        assert_int_equal(env_pair_set(p, "BOOT_ORDER", n % 2 == 0 ? "A B" : "B"), OK);
        assert_int_equal(env_pair_set(p, "vv_trial", n % 3 == 0 ? NULL : value), OK);
        assert_int_equal(env_pair_commit(p, &stored), OK);
        assert_true(stored);
        p->sides[0].sim.on_moment = NULL;
        p->sides[1].sim.on_moment = NULL;
        static struct sim_disk after[2];
        for (int i = 0; i < 2; i++) {
            sim_disk_init(&after[i], &p->sides[i].sim, "after", sector_bytes, SIM_ENV_MEDIUM_SIZE);
            sim_disk_copy(&after[i], &p->sides[i].disk);
        }
        for (int i = 0; i < 2; i++) {
            assert_true(p->sides[i].was_torn);
            assert_int_equal(tear(p, &p->sides[i].torn), (sector_bytes == 512 ? 9 : 3) * GARBAGE);
        }
        for (int i = 0; i < 2; i++) {
            sim_disk_copy(&p->sides[i].disk, &after[i]);
        }
    }
}

static void a_torn_store_reads_as_the_old_or_the_new_one_through_both(void **state)
{
    struct env_pair *p = *state;
    store_and_tear(p, 512, 0);
    store_and_tear(p, 4096, 0);
}

static void with_one_copy_destroyed_a_torn_store_reads_so_too(void **state)
{
    struct env_pair *p = *state;
    for (unsigned copies = 1; copies <= 2; copies++) {
        store_and_tear(p, 512, copies);
        store_and_tear(p, 4096, copies);
    }
}

static void a_store_torn_over_a_lost_environment_is_never_read(void **state)
{
    struct env_pair *p = *state;
    env_pair_format(p, 512);
    for (int i = 0; i < 2; i++) {
        p->sides[i].sim.on_moment = keep_when_pending;
    }
    bool stored;
    assert_int_equal(env_pair_load(p), OK);
    assert_int_equal(env_pair_set(p, "BOOT_ORDER", "B"), OK);
    assert_int_equal(env_pair_commit(p, &stored), OK);
    for (int i = 0; i < 2; i++) {
        p->sides[i].sim.on_moment = NULL;
        static const uint8_t torn[] = {1, 2};
        struct sim_disk *pending = &p->sides[i].torn;
        for (int k = 0; k < 2; k++) {
            sim_disk_copy(&p->sides[k].disk, pending);
            sim_disk_cut(&p->sides[k].disk, torn, 1);
        }
        env_pair_destroy(p, 1);
        assert_int_equal(env_pair_load(p), ERR_IO);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_pair_make, env_pair_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_torn_store_reads_as_the_old_or_the_new_one_through_both),
        TEST(with_one_copy_destroyed_a_torn_store_reads_so_too),
        TEST(a_store_torn_over_a_lost_environment_is_never_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
