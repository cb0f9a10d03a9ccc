// SPDX-License-Identifier: Apache-2.0
#include "tests/support/env_sim.h"

#include "tests/support/expect.h"

static enum err count_call(struct env_sim *sim, const char *what, struct error *e)
{
    sim->calls++;
    if (sim->calls == sim->fail_at) {
        return fail(e, ERR_IO, 0, "simulated failure of %s", what);
    }
    return OK;
}

static enum err sim_load(struct bootenv *env, struct error *e)
{
    struct env_sim *sim = (struct env_sim *)env;
    sim->loads++;
    sim->loaded = false;
    env_vars_clear(&sim->meant);
    enum err r = count_call(sim, "load", e);
    if (r == OK && sim->lost) {
        r = fail(e, ERR_IO, 0, "both copies of the boot environment are damaged");
    }
    if (r == OK) {
        r = env_vars_copy(&sim->medium, &sim->meant, e);
    }
    sim->loaded = r == OK;
    sim->base.copies_good = r == OK ? 2 : 0;
    return r;
}

static const char *sim_get(const struct bootenv *env, const char *name)
{
    const struct env_sim *sim = (const struct env_sim *)env;
    const char *value = env_vars_get(&sim->meant, name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static enum err sim_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    struct env_sim *sim = (struct env_sim *)env;
    assert_true(sim->loaded);
    enum err r = count_call(sim, "set", e);
    if (r != OK) {
        return r;
    }
    bool empty = value == NULL || *value == '\0';
    return env_vars_set(&sim->meant, name, empty ? NULL : value, e);
}

// The store goes to the copy that is not in force, which is in force then.
static void store(struct env_sim *sim)
{
    struct error e = {0};
    env_vars_clear(&sim->older);
    sim->older = sim->medium;
    sim->medium = (struct env_vars){0};
    assert_int_equal(env_vars_copy(&sim->meant, &sim->medium, &e), OK);
    sim->stores++;
}

static enum err sim_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct env_sim *sim = (struct env_sim *)env;
    assert_true(sim->loaded);
    bool differs = env_vars_difference(&sim->medium, &sim->meant) != NULL ||
                   (env->both_copies && env_vars_difference(&sim->older, &sim->meant) != NULL);
    enum err r = count_call(sim, "commit", e);
    if (differs && (r == OK || sim->cut == ENV_SIM_CUT_AFTER)) {
        store(sim);
    }
    if (r != OK) {
        sim->loaded = false;
        return r;
    }
    *ret_stored = differs;
    return OK;
}

static void sim_close(struct bootenv *env)
{
    struct env_sim *sim = (struct env_sim *)env;
    env_vars_clear(&sim->meant);
    sim->loaded = false;
}

static const struct bootenv_ops sim_ops = {
    .load = sim_load,
    .get = sim_get,
    .set = sim_set,
    .commit = sim_commit,
    .close = sim_close,
};

void env_sim_init(struct env_sim *sim)
{
    *sim = (struct env_sim){.base = {.ops = &sim_ops, .copies_total = 2}};
}

void env_sim_free(struct env_sim *sim)
{
    bootenv_close(&sim->base);
    env_vars_clear(&sim->medium);
    env_vars_clear(&sim->older);
}

void env_sim_put(struct env_sim *sim, const char *name, const char *value)
{
    struct error e = {0};
    assert_int_equal(env_vars_set(&sim->medium, name, value, &e), OK);
    assert_int_equal(env_vars_set(&sim->older, name, value, &e), OK);
}

const char *env_sim_stored(const struct env_sim *sim, const char *name)
{
    return env_vars_get(&sim->medium, name);
}
