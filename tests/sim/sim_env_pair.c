// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_env_pair.h"

#include "bootloader/env_image.h"
#include "tests/support/expect.h"

#include <assert.h>

const char *const env_pair_names[] = {
    "BOOT_ORDER", "BOOT_A_LEFT", "vv_trial", "vv_floor", "upgrade_available",
    "bootcmd",    "empty",       "greeting", " blanks ", "zz_last",
    "zzz",        "bytes",       "A",
};

static_assert(sizeof env_pair_names / sizeof env_pair_names[0] == ENV_PAIR_NAMES, "as declared");

int env_pair_make(void **state)
{
    struct error e;
    struct env_pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    // The library syncs after every store, on a disk that takes its time.
    const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    sim_env_init(&p->sim_env, &p->sides[0].disk);
    assert_ok(sim_env_real_make(&p->real, dir, &p->sides[1].disk, &e));
    p->sides[0].env = &p->sim_env.base;
    p->sides[1].env = &p->real.base;
    *state = p;
    return 0;
}

int env_pair_remove(void **state)
{
    struct env_pair *p = *state;
    sim_env_free(&p->sim_env);
    sim_env_real_free(&p->real);
    free(p);
    return 0;
}

void env_pair_format(struct env_pair *p, uint32_t sector_bytes)
{
    for (int i = 0; i < 2; i++) {
        struct env_side *s = &p->sides[i];
        bootenv_close(s->env);
        s->sim = (struct sim){.context = s};
        sim_disk_init(&s->disk, &s->sim, "environment", sector_bytes, SIM_ENV_MEDIUM_SIZE);
        sim_env_format(&s->disk, sim_env_foreign);
        s->was_torn = false;
    }
}

void env_pair_parse(const uint8_t *medium, struct env_vars *ret)
{
    struct error e;
    int current = sim_env_current(medium);
    assert_true(current >= 0);
    assert_ok(env_image_parse(sim_env_copy(medium, current), SIM_ENV_SIZE, ret, &e));
}

// What the seam says of a variable that has this value.
static const char *seen(const char *value)
{
    return value == NULL || *value == '\0' ? NULL : value;
}

static bool equal_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool env_pair_says(const struct bootenv *env, const struct env_vars *names,
                   const struct env_vars *vars)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i].name;
        if (!equal_text(bootenv_get(env, name), seen(env_vars_get(vars, name)))) {
            return false;
        }
    }
    return true;
}

void env_pair_assert_equal_media(const struct env_pair *p)
{
    assert_memory_equal(p->sides[0].disk.medium, p->sides[1].disk.medium, SIM_ENV_MEDIUM_SIZE);
    assert_memory_equal(p->sides[0].disk.view, p->sides[1].disk.view, SIM_ENV_MEDIUM_SIZE);
}

static void assert_both_say_the_same(const struct env_pair *p)
{
    for (size_t i = 0; i < ENV_PAIR_NAMES; i++) {
        assert_true(equal_text(bootenv_get(p->sides[0].env, env_pair_names[i]),
                               bootenv_get(p->sides[1].env, env_pair_names[i])));
    }
}

enum err env_pair_load(struct env_pair *p)
{
    struct error e = {0};
    struct error e_real = {0};
    enum err r = bootenv_load(p->sides[0].env, &e);
    enum err r_real = bootenv_load(p->sides[1].env, &e_real);
    if (r != r_real) {
        print_error("simulated: %s\n     real: %s\n", e.msg, e_real.msg);
    }
    assert_int_equal(r, r_real);
    assert_int_equal(p->sides[0].env->copies_good, p->sides[1].env->copies_good);
    assert_int_equal(sim_env_current(p->sides[0].disk.view),
                     sim_env_current(p->sides[1].disk.view));
    assert_both_say_the_same(p);
    return r;
}

enum err env_pair_set(struct env_pair *p, const char *name, const char *value)
{
    struct error e;
    enum err r = bootenv_set(p->sides[0].env, name, value, &e);
    assert_int_equal(r, bootenv_set(p->sides[1].env, name, value, &e));
    assert_true(equal_text(bootenv_get(p->sides[0].env, name), bootenv_get(p->sides[1].env, name)));
    return r;
}

enum err env_pair_commit(struct env_pair *p, bool *ret_stored)
{
    struct error e = {0};
    struct error e_real = {0};
    bool stored = false;
    bool stored_real = false;
    enum err r = bootenv_commit(p->sides[0].env, &stored, &e);
    enum err r_real = bootenv_commit(p->sides[1].env, &stored_real, &e_real);
    if (r != r_real) {
        print_error("simulated: %s\n     real: %s\n", e.msg, e_real.msg);
    }
    assert_int_equal(r, r_real);
    assert_int_equal(stored, stored_real);
    assert_int_equal(p->sides[0].env->copies_good, p->sides[1].env->copies_good);
    assert_int_equal(p->sim_env.stores, p->real.stores);
    assert_both_say_the_same(p);
    *ret_stored = stored;
    return r;
}

void env_pair_assert_says_what_is_there(const struct env_pair *p)
{
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    env_pair_parse(p->sides[0].disk.view, &vars);
    assert_true(env_pair_says(p->sides[0].env, &vars, &vars));
    assert_true(env_pair_says(p->sides[1].env, &vars, &vars));
}

void env_pair_destroy(struct env_pair *p, unsigned copies)
{
    sim_env_destroy(&p->sides[0].disk, copies);
    sim_env_destroy(&p->sides[1].disk, copies);
}

void env_pair_assert_next_store_repairs(struct env_pair *p)
{
    bool stored;
    assert_int_equal(env_pair_set(p, "vv_floor", "4711"), OK);
    assert_int_equal(env_pair_commit(p, &stored), OK);
    assert_true(stored);
    env_pair_assert_equal_media(p);
    assert_int_equal(sim_env_whole_copies(p->sides[1].disk.medium), SIM_ENV_COPIES);
}
