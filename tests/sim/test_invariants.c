// SPDX-License-Identifier: Apache-2.0
// A checker that never finds anything proves nothing: here each invariant is violated by hand.
#include "tests/sim/invariants.h"

#include "tests/sim/life.h"
#include "tests/support/expect.h"
#include "updater/heads.h"

#include <stdlib.h>

struct scene {
    struct sim_kit *kit;
    struct findings findings;
    struct world *world;
};

static int make_kit(void **state)
{
    static const uint32_t cuts[] = {1024, 0};
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->kit = sim_kit_make(cuts, 0);
    *state = s;
    return 0;
}

static int free_kit(void **state)
{
    struct scene *s = *state;
    sim_kit_free(s->kit);
    free(s);
    return 0;
}

// 1.0 in slot b, confirmed and running; the factory's system in slot a.
static int make(void **state)
{
    static const struct life after_first_update = {
        .name = "after",
        .setup = {{.op = OP_BOOT},
                  {.op = OP_INSTALL, .release = 1},
                  {.op = OP_BOOT},
                  {.op = OP_CONFIRM}},
        .ends_with = 1u << 1,
    };
    struct scene *s = *state;
    const struct world_shape shape = {.contract = CONTRACT_ORDER, .sector_bytes = 512};
    s->findings = (struct findings){.shown = FINDINGS_SHOWN}; // nothing is printed
    s->world = life_begin(&after_first_update, &shape, s->kit, &s->findings);
    assert_false(s->findings.found);
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    world_free(s->world);
    return 0;
}

// That invariant was violated so often since the last time, and no other one.
static void expect_only(struct scene *s, int invariant, uint64_t times)
{
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        uint64_t wanted = i == invariant ? times : 0;
        if (s->findings.violations[i] != wanted) {
            fail_msg("I%d: %u violations, expected %u", i, (unsigned)s->findings.violations[i],
                     (unsigned)wanted);
        }
    }
    assert_int_equal(s->findings.found, times > 0 ? 1u << invariant : 0);
    s->findings = (struct findings){.shown = FINDINGS_SHOWN};
}

static void flip(struct world *w, int slot, size_t part, size_t off)
{
    struct sim_disk *d = &w->m.slots[slot][part];
    uint8_t byte = d->medium[off] ^ 1;
    sim_disk_put(d, off, &byte, 1);
}

// Through the layer that remembers what was stored, or behind its back.
static void set_variable(struct bootenv *env, const char *name, const char *value)
{
    struct error e;
    bool stored;
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, name, value, &e));
    assert_ok(bootenv_commit(env, &stored, &e));
}

static void put_journal(struct world *w, struct journal *j)
{
    struct error e;
    assert_ok(journal_save(w->device.state, j, &e));
}

// --- one by one ----------------------------------------------------------------------------------

static void a_whole_device_violates_nothing(void **state)
{
    struct scene *s = *state;
    check_media(s->world);
    check_boot(s->world);
    check_process(s->world, 1, true);
    expect_only(s, 0, 0);
}

static void i1_nothing_boots_or_what_is_not_whole(void **state)
{
    struct scene *s = *state;
    s->world->m.truth.running = SLOT_NONE;
    check_boot(s->world);
    expect_only(s, 1, 1);
    s->world->m.truth.running = 1;
    flip(s->world, 1, 0, 20000);
    check_boot(s->world);
    expect_only(s, 1, 1);
}

static void i2_a_slot_that_can_be_mounted_or_is_named_is_not_whole(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    flip(w, 0, 1, 3000);
    check_media(w); // its superblock stands, and BOOT_ORDER names it
    expect_only(s, 2, 2);
    flip(w, 0, 0, s->kit->superblock_off[0]);
    check_media(w);
    expect_only(s, 2, 1);
    w->m.truth.env_copy_lost = true; // an older copy may name it
    check_media(w);
    expect_only(s, 2, 0);
    flip(w, 0, 0, s->kit->superblock_off[0]);
    check_media(w); // and still it must not be mounted
    expect_only(s, 2, 1);
}

static void i2_two_partitions_of_two_releases_are_not_one(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    sim_disk_put(&w->m.slots[0][1], 0, s->kit->releases[2].content[1], sim_shapes[1].size_bytes);
    check_media(w);
    expect_only(s, 2, 2);
}

static void i3_no_copy_is_valid_or_not_what_one_store_has_left(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    set_variable(w->env.below, "BOOT_A_LEFT", "2"); // nobody decided that
    check_media(w);
    expect_only(s, 3, 1);
    set_variable(w->env.below, "BOOT_A_LEFT", "3");
    check_media(w);
    expect_only(s, 3, 0);
    set_variable(&w->env.base, "bootcmd", "reset"); // one that is not ours
    check_media(w);
    expect_only(s, 3, 1);
    sim_env_destroy(&w->m.env, 3);
    check_media(w);
    expect_only(s, 3, 1);
    w->m.truth.env_lost = true; // known to be
    check_media(w);
    expect_only(s, 3, 0);
}

static void i3_more_stores_than_decisions(void **state)
{
    struct scene *s = *state;
    s->world->env.stores = 2;
    check_process(s->world, 2, true);
    expect_only(s, 3, 0);
    check_process(s->world, 1, true);
    expect_only(s, 3, 1);
}

static void i4_a_mark_claims_a_chunk_that_is_not_there(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    struct journal j;
    assert_true(world_journal(w, &j));
    w->m.truth.env_copy_lost = true; // so that slot b may still be named
    j.step = STEP_INSTALLING;
    j.slot = 1;
    j.slots[1].content = CONTENT_PARTIAL;
    memcpy(j.release.manifest_sha256, s->kit->releases[1].manifest_sha256, SHA256_SIZE);
    j.next_chunk = 10; // what stands there is just that release
    put_journal(w, &j);
    check_media(w);
    expect_only(s, 4, 0);
    uint64_t off;
    struct sim_disk *rootfs = &w->m.slots[1][0];
    (void)chunk_table_get(s->kit->releases[1].image->table, 9, &off);
    sim_disk_put(rootfs, 0, (const uint8_t[HEAD_SIZE]){0}, HEAD_SIZE); // held back
    flip(w, 1, 0, (size_t)off);
    check_media(w);
    expect_only(s, 4, 1);
    j.next_chunk = 9;
    put_journal(w, &j);
    check_media(w);
    expect_only(s, 4, 0);
    j.release.manifest_sha256[0] ^= 1;
    put_journal(w, &j);
    check_media(w);
    expect_only(s, 4, 1);
}

static void i4_the_journal_calls_a_slot_whole_that_is_not(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    struct journal j;
    w->m.truth.env_copy_lost = true; // so that slot b may still be named
    sim_disk_put(&w->m.slots[1][0], 0, (const uint8_t[HEAD_SIZE]){0}, HEAD_SIZE);
    check_media(w);
    expect_only(s, 4, 1);
    assert_true(world_journal(w, &j));
    j.slots[1].content = CONTENT_PARTIAL;
    put_journal(w, &j);
    check_media(w);
    expect_only(s, 4, 0);
}

static void i4_the_journal_cannot_know_what_was_put_there_by_other_means(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    world_replace(w);
    check_media(w);
    expect_only(s, 4, 0);
    w->m.truth.replaced = SLOT_NONE;
    check_media(w);
    expect_only(s, 4, 1);
}

// The world goes on to its end as a life that wishes for nothing.
static void i5_another_release_runs_in_the_end(void **state)
{
    struct scene *s = *state;
    struct life l = {.name = "still", .ends_with = 1u << 1};
    life_recover(s->world, &l);
    expect_only(s, 5, 0);
    l.ends_with = 1u << 2;
    life_recover(s->world, &l);
    expect_only(s, 5, 1);
}

static void i6_a_floor_is_above_what_was_confirmed(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    struct journal j;
    set_variable(&w->env.base, "vv_floor", "10");
    check_media(w); // 1.0 was confirmed, its floor is 0
    expect_only(s, 6, 1);
    w->m.truth.floor_max = 10;
    check_media(w);
    expect_only(s, 6, 0);
    assert_true(world_journal(w, &j));
    j.floor = 11;
    put_journal(w, &j);
    check_media(w);
    expect_only(s, 6, 1);
}

static void i7_the_running_slot_is_written_to(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    assert_int_equal(sim_disk_write(&w->m.slots[0][1], SIM_DISK, "x", 1, 0), 0);
    check_process(w, 1, true);
    expect_only(s, 7, 0);
    assert_int_equal(sim_disk_write(&w->m.slots[1][1], SIM_DISK, "x", 1, 0), 0);
    check_process(w, 1, true);
    expect_only(s, 7, 1);
}

static void i7_a_process_that_installs_nothing_writes_to_a_slot(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    assert_int_equal(sim_disk_write(&w->m.slots[0][1], SIM_DISK, "x", 1, 0), 0);
    check_process(w, 1, false);
    expect_only(s, 7, 1);
    w->m.slots[0][1].written_bytes = 0;
    w->m.slots[0][1].read_only = true;
    assert_int_equal(sim_disk_write(&w->m.slots[0][1], SIM_DISK, "x", 1, 0), 0);
    check_process(w, 1, true);
    expect_only(s, 7, 1);
}

static void i8_what_is_made_bootable_is_not_whole_or_was_not_read_back(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        memset(w->m.slots[1][p].read_back, 1, sizeof w->m.slots[1][p].read_back);
    }
    check_flip(w, 1);
    expect_only(s, 8, 0);
    w->m.slots[1][1].read_back[3] = false;
    check_flip(w, 1);
    expect_only(s, 8, 1);
    w->m.slots[1][1].read_back[3] = true;
    flip(w, 1, 0, 20000);
    check_flip(w, 1);
    expect_only(s, 8, 1);
    check_flip(w, 0); // what the factory wrote nobody can check
    expect_only(s, 8, 0);
}

// A flip that the layer above the environment sees.
static void i8_is_asked_when_the_trial_is_stored(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    struct error e;
    bool stored;
    flip(w, 0, 0, 20000);
    assert_ok(boot_decide(&w->config.boot, &w->env.base, DECIDE_ACTIVATE, 0, 0, &stored, &e));
    expect_only(s, 8, 1);
}

static void i9_what_must_go_well_fails_or_is_done_twice(void **state)
{
    struct scene *s = *state;
    struct world *w = s->world;
    struct error e;
    const struct life_step install = {.op = OP_INSTALL, .release = 1};
    assert_ok(life_step(w, &install, true, &e));
    expect_only(s, 9, 0);
    const struct life_step activate = {.op = OP_ACTIVATE};
    assert_int_not_equal(life_step(w, &activate, false, &e), OK); // the factory left no record
    expect_only(s, 9, 0);
    assert_int_not_equal(life_step(w, &activate, true, &e), OK);
    expect_only(s, 9, 1);
}

static void i10_what_was_in_place_is_written_again(void **state)
{
    static const uint8_t bytes[200];
    struct scene *s = *state;
    struct world *w = s->world;
    // 100 of them in the head, which is written in any case.
    assert_int_equal(sim_disk_write(&w->m.slots[0][0], SIM_DISK, bytes, sizeof bytes, 4096 - 100),
                     0);
    check_work(w, 100, false);
    expect_only(s, 10, 0);
    check_work(w, 99, false);
    expect_only(s, 10, 1);
}

static void i10_the_head_of_a_whole_slot_is_written_again(void **state)
{
    static const uint8_t head[512];
    struct scene *s = *state;
    struct world *w = s->world;
    check_work(w, 0, true);
    expect_only(s, 10, 0);
    assert_int_equal(sim_disk_write(&w->m.slots[0][0], SIM_DISK, head, sizeof head, 0), 0);
    check_work(w, 0, false);
    expect_only(s, 10, 0);
    check_work(w, 0, true);
    expect_only(s, 10, 1);
}

#define invariant_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        invariant_test(a_whole_device_violates_nothing),
        invariant_test(i1_nothing_boots_or_what_is_not_whole),
        invariant_test(i2_a_slot_that_can_be_mounted_or_is_named_is_not_whole),
        invariant_test(i2_two_partitions_of_two_releases_are_not_one),
        invariant_test(i3_no_copy_is_valid_or_not_what_one_store_has_left),
        invariant_test(i3_more_stores_than_decisions),
        invariant_test(i4_a_mark_claims_a_chunk_that_is_not_there),
        invariant_test(i4_the_journal_calls_a_slot_whole_that_is_not),
        invariant_test(i4_the_journal_cannot_know_what_was_put_there_by_other_means),
        invariant_test(i5_another_release_runs_in_the_end),
        invariant_test(i6_a_floor_is_above_what_was_confirmed),
        invariant_test(i7_the_running_slot_is_written_to),
        invariant_test(i7_a_process_that_installs_nothing_writes_to_a_slot),
        invariant_test(i8_what_is_made_bootable_is_not_whole_or_was_not_read_back),
        invariant_test(i8_is_asked_when_the_trial_is_stored),
        invariant_test(i9_what_must_go_well_fails_or_is_done_twice),
        invariant_test(i10_what_was_in_place_is_written_again),
        invariant_test(i10_the_head_of_a_whole_slot_is_written_again),
    };
    return cmocka_run_group_tests(tests, make_kit, free_kit);
}
