// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_image.h"
#include "tests/sim/invariants.h"
#include "tests/sim/world.h"
#include "tests/support/expect.h"

#include <stdio.h>
#include <stdlib.h>

enum { VARS_MAX = 64, FLAG_OFF = 4, FLAG_FIRST = 247 };

// --- what a store left behind --------------------------------------------------------------------

static uint64_t hash_text(uint64_t hash, const char *text)
{
    // FNV-1a, and the NUL, so that names and values do not run together.
    do {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    } while (*text++ != '\0');
    return hash;
}

static bool has_foreign(const struct env_vars *vars)
{
    for (const char *const *var = sim_env_foreign; *var != NULL; var++) {
        char name[64];
        size_t len = strcspn(*var, "=");
        snprintf(name, sizeof name, "%.*s", (int)len, *var);
        const char *value = env_vars_get(vars, name);
        if (value == NULL || strcmp(value, *var + len + 1) != 0) {
            return false;
        }
    }
    return true;
}

bool world_env_hash(struct world *w, uint64_t *ret)
{
    struct error e;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    int current = sim_env_current(w->m.env.view);
    if (current < 0 ||
        env_image_parse(sim_env_copy(w->m.env.view, current), SIM_ENV_SIZE, &vars, &e) != OK) {
        return false;
    }
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < vars.count; i++) {
        hash = hash_text(hash_text(hash, vars.items[i].name), vars.items[i].value);
    }
    *ret = hash;
    return has_foreign(&vars);
}

static void remember(struct world *w)
{
    uint64_t hash;
    if (!world_env_hash(w, &hash)) {
        return;
    }
    for (size_t i = 0; i < w->known_envs; i++) {
        if (w->known_env[i] == hash) {
            return;
        }
    }
    assert_true(w->known_envs < KNOWN_ENV_MAX);
    w->known_env[w->known_envs++] = hash;
}

// --- the layer that checks -----------------------------------------------------------------------

static struct world_env *layer(struct bootenv *env)
{
    return (struct world_env *)env;
}

static enum err env_load(struct bootenv *env, struct error *e)
{
    struct world_env *l = layer(env);
    enum err err = bootenv_load(l->below, e);
    env->copies_good = l->below->copies_good;
    const char *trial = err == OK ? bootenv_get(l->below, "vv_trial") : NULL;
    snprintf(l->loaded_trial, sizeof l->loaded_trial, "%s", trial != NULL ? trial : "");
    return err;
}

static const char *env_get(const struct bootenv *env, const char *name)
{
    return bootenv_get(((const struct world_env *)env)->below, name);
}

static enum err env_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    return bootenv_set(layer(env)->below, name, value, e);
}

static void look_at_flip(struct world_env *l)
{
    const char *trial = bootenv_get(l->below, "vv_trial");
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        const char *name = l->world->config.slots[slot].name;
        if (trial != NULL && strcmp(trial, name) == 0 && strcmp(l->loaded_trial, name) != 0) {
            check_flip(l->world, slot);
        }
    }
}

static enum err env_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct world_env *l = layer(env);
    look_at_flip(l);
    l->below->both_copies = env->both_copies;
    enum err err = bootenv_commit(l->below, ret_stored, e);
    if (err != OK && l->world->sim.step == 11) {
        *ret_stored = false; // the boot script goes on, whatever saveenv says
        return bootenv_load(l->below, e);
    }
    if (err == OK && *ret_stored) {
        l->stores++;
        remember(l->world);
    }
    return err;
}

static void env_close(struct bootenv *env)
{
    bootenv_close(layer(env)->below);
}

static const struct bootenv_ops layer_ops = {
    .load = env_load,
    .get = env_get,
    .set = env_set,
    .commit = env_commit,
    .close = env_close,
};

// --- making --------------------------------------------------------------------------------------

// Foreign variables, and those of the contract as the board was delivered.
static void format(struct world *w)
{
    static const char *const order[] = {"BOOT_ORDER=A B", "BOOT_A_LEFT=3", "BOOT_B_LEFT=3", NULL};
    static const char *const bootcount[] = {"rpipart=2", NULL};
    const char *vars[VARS_MAX];
    size_t n = 0;
    for (const char *const *var = sim_env_foreign; *var != NULL && n < VARS_MAX / 2; var++) {
        vars[n++] = *var;
    }
    for (const char *const *var = w->shape.contract == CONTRACT_ORDER ? order : bootcount;
         *var != NULL; var++) {
        vars[n++] = *var;
    }
    vars[n] = NULL;
    sim_env_format(&w->m.env, vars);
    // The flags go round at 255: let them, in the middle of a life. No CRC covers them.
    static const uint8_t flags[SIM_ENV_COPIES] = {FLAG_FIRST + 1, FLAG_FIRST};
    for (size_t i = 0; i < SIM_ENV_COPIES; i++) {
        sim_disk_put(&w->m.env, i * SIM_ENV_STRIDE + FLAG_OFF, &flags[i], 1);
    }
}

void world_env_make(struct world *w)
{
    struct error e;
    w->env = (struct world_env){.base = {.ops = &layer_ops, .copies_total = 2}, .world = w};
    format(w);
    remember(w);
    if (w->shape.real_env) {
        w->real_env = calloc(1, sizeof *w->real_env);
        assert_non_null(w->real_env);
        assert_ok(sim_env_real_make(w->real_env, "/dev/shm", &w->m.env, &e));
        w->env.below = &w->real_env->base;
    } else {
        sim_env_init(&w->sim_env, &w->m.env);
        w->env.below = &w->sim_env.base;
    }
}

void world_env_free(struct world *w)
{
    if (w->real_env != NULL) {
        sim_env_real_free(w->real_env);
        free(w->real_env);
    } else {
        sim_env_free(&w->sim_env);
    }
}

void world_env_power_on(struct world *w)
{
    if (sim_env_lost(w->m.env.medium)) {
        sim_env_uboot_defaults(&w->m.env, sim_env_foreign);
        remember(w);
    }
}

void world_lose_env(struct world *w, unsigned copies)
{
    sim_env_destroy(&w->m.env, copies);
    w->m.truth.env_lost = w->m.truth.env_lost || sim_env_lost(w->m.env.medium);
}

bool world_boot_state(struct world *w, struct boot_state *ret)
{
    struct error e;
    struct sim before = world_look(w);
    bool readable = boot_state_read(&w->config.boot, w->env.below, ret, &e) == OK;
    w->sim = before;
    return readable;
}
