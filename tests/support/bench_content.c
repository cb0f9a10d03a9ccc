// SPDX-License-Identifier: Apache-2.0
#include "tests/support/bench_content.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024 };

const uint32_t bench_even_cuts[] = {8 * KIB, 0};
const uint32_t bench_odd_cuts[] = {3001, 20000, 5, 4096, 777, 12288, 0};

struct bench_content bench_content_make(uint64_t seed)
{
    struct bench_content c = {.rootfs_len = 150 * KIB + 333, .boot_len = 3 * KIB + 1};
    c.rootfs = malloc(c.rootfs_len);
    c.boot = malloc(c.boot_len);
    assert_true(c.rootfs != NULL && c.boot != NULL);
    fill_text(c.rootfs, c.rootfs_len, seed);
    fill_random(c.rootfs + 16 * KIB, 16 * KIB, seed + 1);
    memset(c.rootfs + 40 * KIB, 0, 40 * KIB);
    memcpy(c.rootfs + 96 * KIB, c.rootfs, 16 * KIB);
    memcpy(c.rootfs + 128 * KIB, c.rootfs + 16 * KIB, 16 * KIB);
    fill_random(c.boot, c.boot_len, seed + 2);
    return c;
}

void bench_content_free(struct bench_content *c)
{
    free(c->rootfs);
    free(c->boot);
}

struct image_recipe bench_content_recipe(const struct bench_content *c, const char *version,
                                         uint64_t release_index, const uint32_t *cuts)
{
    struct image_recipe r = bench_recipe(version, release_index);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", c->rootfs, c->rootfs_len);
    image_recipe_add(&r, "boot", c->boot, c->boot_len);
    return r;
}

struct bench *bench_content_serve(const struct bench_content *c, const uint32_t *cuts)
{
    struct bench *b = bench_new(BENCH_ROOTFS_SIZE, BENCH_BOOT_SIZE);
    struct image_recipe r = bench_content_recipe(c, "2.0", 2, cuts);
    bench_serve(b, &r);
    return b;
}

void bench_content_expect_installed(struct bench *b, const struct bench_content *c)
{
    bench_expect_content(b, 0, c->rootfs, c->rootfs_len);
    bench_expect_content(b, 1, c->boot, c->boot_len);
    bench_expect_running_untouched(b);
    assert_string_equal(env_sim_stored(&b->env.sim, "BOOT_ORDER"), "B A");
    assert_string_equal(env_sim_stored(&b->env.sim, "vv_trial"), "b");
    assert_string_equal(env_sim_stored(&b->env.sim, "bootdelay"), "2");
    assert_int_equal(b->device.journal.step, STEP_TRIAL);
    assert_int_equal(b->device.journal.slots[SLOT_B].content, CONTENT_INSTALLED);
    assert_int_equal(b->device.journal.last.outcome, OUTCOME_ACTIVATED);
}
