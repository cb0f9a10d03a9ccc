// SPDX-License-Identifier: Apache-2.0
// Every allocation of a product function fails in turn, until a run is untouched: it says so, and
// leaves no half of anything behind. What is leaked is found by the sanitizers and valgrind.
#include "tests/sim/sim_memory.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"
#include "tests/support/image_room.h"
#include "tests/support/state_mem.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"
#include "tests/support/trial_device.h"

#include <errno.h>
#include <stdlib.h>

// The memory of the machine that is simulated does not run out.
struct quiet_store {
    struct state_store base;
    struct state_mem mem;
    struct seam_sim seam;
};

static enum err quiet_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                           size_t *ret_len, struct error *e)
{
    struct sim *was = sim_memory_disarm();
    enum err err =
        state_read(&((struct quiet_store *)s)->mem.base, name, max, ret_data, ret_len, e);
    sim_memory_arm(was);
    return err;
}

static enum err quiet_replace(struct state_store *s, const char *name,
                              const struct file_part *parts, size_t count, struct error *e)
{
    struct sim *was = sim_memory_disarm();
    enum err err = state_replace_parts(&((struct quiet_store *)s)->mem.base, name, parts, count, e);
    sim_memory_arm(was);
    return err;
}

static const struct state_ops quiet_store_ops = {.read = quiet_read, .replace = quiet_replace};

static struct quiet_store *quiet_store_new(void)
{
    struct quiet_store *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->base.ops = &quiet_store_ops;
    state_mem_init(&s->mem, &s->seam);
    return s;
}

static void quiet_store_free(struct quiet_store *s)
{
    state_mem_free(&s->mem);
    free(s);
}

// Runs `step` with its first allocation failing, then its second, and so on until none fails. Each
// run that fails says that memory ran out; `check` looks at what every run left behind.
struct sweep {
    enum err (*step)(void *context, struct error *e);
    void (*check)(void *context, enum err err); // may be NULL
    void *context;
    unsigned at_least; // allocations
};

static void sweep(const struct sweep *s)
{
    for (uint64_t n = 1;; n++) {
        struct error e = {0};
        struct sim sim = {.fail_seam = SIM_MEMORY, .fail_at = n, .fail_sys = ENOMEM};
        sim_memory_arm(&sim);
        enum err err = s->step(s->context, &e);
        sim_memory_disarm();
        if (err != OK && e.sys != ENOMEM) {
            fail_msg("allocation %u: expected success or no memory, got %d: %s", (unsigned)n,
                     (int)err, e.msg);
        }
        if (s->check != NULL) {
            s->check(s->context, err);
        }
        if (!sim.failed) {
            assert_int_equal(err, OK);
            assert_true(n > s->at_least);
            return;
        }
    }
}

static struct journal full_journal(void)
{
    struct journal j = {
        .step = STEP_INSTALLING,
        .slot = 1,
        .release = {.version = "2.0", .release_index = 1234567890123456789u},
        .next_chunk = 3,
        .chunk_count = 4,
        .last = {.outcome = OUTCOME_CONFIRMED, .slot = 0, .reason = "a reason"},
        .confirmed_max = 1234567890123456788u,
        .floor = 7,
    };
    memset(j.release.manifest_sha256, 0xab, sizeof j.release.manifest_sha256);
    j.slots[0].content = CONTENT_CONFIRMED;
    j.slots[0].release = j.release;
    return j;
}

struct journal_room {
    struct quiet_store *store;
    struct journal saved, loaded;
};

static enum err save_journal(void *context, struct error *e)
{
    struct journal_room *r = context;
    return journal_save(&r->store->base, &r->saved, e);
}

static enum err load_journal(void *context, struct error *e)
{
    struct journal_room *r = context;
    r->loaded = (struct journal){.step = STEP_TRIAL};
    return journal_load(&r->store->base, &r->loaded, e);
}

// A record is whole or was not written; compared as what is read.
static void check_saved(void *context, enum err err)
{
    struct journal_room *r = context;
    struct error e;
    assert_int_equal(state_mem_has(&r->store->mem, "journal"), err == OK);
    if (err == OK) {
        assert_ok(journal_load(&r->store->base, &r->loaded, &e));
        assert_memory_equal(&r->loaded, &r->saved, sizeof r->saved);
        state_mem_forget(&r->store->mem, "journal");
    }
}

static void check_loaded(void *context, enum err err)
{
    const struct journal_room *r = context;
    const struct journal untouched = {.step = STEP_TRIAL};
    assert_memory_equal(&r->loaded, err == OK ? &r->saved : &untouched, sizeof r->loaded);
}

static void a_journal_is_saved_whole_or_not_at_all(void **state)
{
    (void)state;
    struct journal_room r = {.store = quiet_store_new(), .saved = full_journal()};
    sweep(&(struct sweep){save_journal, check_saved, &r, 60});
    quiet_store_free(r.store);
}

static void a_journal_is_not_called_lost_when_memory_ran_out(void **state)
{
    (void)state;
    struct error e;
    struct journal_room r = {.store = quiet_store_new(), .saved = full_journal()};
    assert_ok(journal_save(&r.store->base, &r.saved, &e));
    sweep(&(struct sweep){load_journal, check_loaded, &r, 60});
    quiet_store_free(r.store);
}

struct image_room_and_file {
    struct image_room *room;
    struct built_image built;
};

static enum err open_image(void *context, struct error *e)
{
    struct image_room_and_file *r = context;
    struct image *image = NULL;
    enum err err = image_open_prefix(r->built.bytes, (size_t)r->built.header.payload_offset,
                                     &accept_all_verifier, r->room->hasher, &image, e);
    assert_int_equal(image != NULL, err == OK);
    image_free(image);
    return err;
}

static void an_image_is_not_called_corrupt_when_memory_ran_out(void **state)
{
    struct image_room_and_file r = {.room = *state};
    r.built = image_build(&r.room->recipe);
    sweep(&(struct sweep){open_image, NULL, &r, 60});
    built_image_free(&r.built);
}

static enum err load_trust(void *context, struct error *e)
{
    struct trust_store *t = NULL;
    enum err err = trust_store_load(context, &t, e);
    assert_int_equal(t != NULL, err == OK);
    trust_store_free(t);
    return err;
}

static void a_trust_directory_is_read_whole_or_not_at_all(void **state)
{
    struct test_cert ca = test_ca("ca", NULL);
    test_cert_write(&ca, *state, "ca.pem");
    test_cert_clear(&ca);
    sweep(&(struct sweep){load_trust, NULL, *state, 5});
}

static enum err load_config(void *context, struct error *e)
{
    const struct file_device *d = context;
    struct config *c = NULL;
    enum err err = config_load(d->conf, &c, e);
    assert_int_equal(c != NULL, err == OK);
    config_free(c);
    return err;
}

static void a_configuration_is_read_whole_or_not_at_all(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, TRIAL_DEVICE_CHECK("true"));
    sweep(&(struct sweep){load_config, NULL, &d, 200});
}

// --- the boot environment ---

struct quiet_env {
    struct bootenv base;
    struct env_sim sim;
};

static enum err quiet_load(struct bootenv *env, struct error *e)
{
    return bootenv_load(&((struct quiet_env *)env)->sim.base, e);
}

static const char *quiet_get(const struct bootenv *env, const char *name)
{
    return bootenv_get(&((const struct quiet_env *)env)->sim.base, name);
}

static enum err quiet_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    return bootenv_set(&((struct quiet_env *)env)->sim.base, name, value, e);
}

static enum err quiet_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct sim *was = sim_memory_disarm();
    enum err err = bootenv_commit(&((struct quiet_env *)env)->sim.base, ret_stored, e);
    sim_memory_arm(was);
    return err;
}

static void quiet_close(struct bootenv *env)
{
    bootenv_close(&((struct quiet_env *)env)->sim.base);
}

static const struct bootenv_ops quiet_env_ops = {
    .load = quiet_load,
    .get = quiet_get,
    .set = quiet_set,
    .commit = quiet_commit,
    .close = quiet_close,
};

static const struct boot_setup boot_setups[] = {
    {.contract = CONTRACT_ORDER,
     .attempts = 3,
     .slots = {{.name = "a", .bootname = "A"}, {.name = "b", .bootname = "B"}}},
    {.contract = CONTRACT_BOOTCOUNT,
     .slot_var = "rpipart",
     .attempts = 3,
     .slots = {{.name = "a", .bootvalue = "2"}, {.name = "b", .bootvalue = "3"}}},
};

struct decision_room {
    const struct boot_setup *setup;
    struct quiet_env env;
    enum decision decision;
    bool stored;
};

static void start(struct decision_room *r)
{
    env_sim_init(&r->env.sim);
    env_sim_put(&r->env.sim, "bootcmd", "run vv_boot");
    env_sim_put(&r->env.sim, r->setup->contract == CONTRACT_ORDER ? "BOOT_B_LEFT" : "rpipart", "2");
}

static enum err decide(void *context, struct error *e)
{
    struct decision_room *r = context;
    return boot_decide(r->setup, &r->env.base, r->decision, 1, 9, &r->stored, e);
}

static void check_decided(void *context, enum err err)
{
    struct decision_room *r = context;
    assert_int_equal(r->env.sim.stores, err == OK && r->stored ? 1 : 0);
    assert_string_equal(env_sim_stored(&r->env.sim, "bootcmd"), "run vv_boot");
    if (err != OK) {
        assert_int_equal(r->env.sim.medium.count, 2);
    }
    env_sim_free(&r->env.sim);
    start(r);
}

static void a_decision_is_stored_whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof boot_setups / sizeof boot_setups[0]; s++) {
        for (int d = DECIDE_INVALIDATE; d <= DECIDE_SETTLE; d++) {
            struct decision_room r = {.setup = &boot_setups[s],
                                      .env = {.base = {.ops = &quiet_env_ops, .copies_total = 2}},
                                      .decision = (enum decision)d};
            start(&r);
            sweep(&(struct sweep){decide, check_decided, &r, 2});
            env_sim_free(&r.env.sim);
        }
    }
}

static enum err copy_vars(void *context, struct error *e)
{
    struct env_vars copy = {0};
    enum err err = env_vars_copy(context, &copy, e);
    assert_int_equal(copy.count != 0, err == OK);
    env_vars_clear(&copy);
    return err;
}

static enum err replace_var(void *context, struct error *e)
{
    return env_vars_set(context, "name10", "another value", e);
}

static void check_replaced(void *context, enum err err)
{
    assert_string_equal(env_vars_get(context, "name10"), err == OK ? "another value" : "value");
}

static void variables_are_copied_and_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    struct error e;
    struct env_vars vars = {0};
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "name%d", i);
        assert_ok(env_vars_set(&vars, name, "value", &e));
    }
    sweep(&(struct sweep){copy_vars, NULL, &vars, 200});
    sweep(&(struct sweep){replace_var, check_replaced, &vars, 0});
    env_vars_clear(&vars);
}

// --- printing ---

struct status_room {
    struct file_device device;
    bool json;
    char *out, *log;
    char *whole; // what is printed with memory enough
};

static enum err print_status(struct status_room *r, struct app *app, struct error *e)
{
    static const struct option_spec options[] = {
        {.name = "config", .value = "CONF", .help = ""}, {.name = "json", .help = ""}, {0}};
    struct parsed args = {.value_count = r->json ? 2 : 1,
                          .values = {{&options[0], r->device.conf}, {&options[1], ""}}};
    return verb_status(app, &args, e);
}

static enum err run_status(void *context, struct error *e)
{
    struct status_room *r = context;
    size_t len;
    struct sim *was = sim_memory_disarm();
    struct app app = {.out = open_memstream(&r->out, &len),
                      .log = {.program = "vv-update", .stream = open_memstream(&r->log, &len)}};
    assert_true(app.out != NULL && app.log.stream != NULL);
    sim_memory_arm(was);
    enum err err = print_status(r, &app, e);
    sim_memory_disarm();
    fclose(app.out);
    fclose(app.log.stream);
    return err;
}

// That the anchors could not be read is true then, and said; all else is as ever.
static void check_status(void *context, enum err err)
{
    struct status_room *r = context;
    bool warned = strstr(r->out, "the trust directory cannot be used") != NULL;
    if (err == OK && !warned && strcmp(r->out, r->whole) != 0) {
        fail_msg("expected: %s\n     got: %s\n    with: %s", r->whole, r->out, r->log);
    }
    free(r->out);
    free(r->log);
}

static void a_status_is_printed_whole_or_ends_with_an_error(void **state)
{
    struct error e;
    for (int json = 0; json < 2; json++) {
        char dir[256];
        struct status_room r = {.json = json == 1};
        temp_dir_path(dir, sizeof dir, *state, json == 1 ? "json" : "text");
        assert_int_equal(mkdir(dir, 0700), 0);
        trial_device_make(&r.device, dir, SCENE_PENDING_TRIAL, NULL);
        assert_ok(run_status(&r, &e));
        free(r.log);
        r.whole = r.out;
        sweep(&(struct sweep){run_status, check_status, &r, 100});
        free(r.whole);
    }
}

#define WITH_DIR(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)
#define WITH_ROOM(name) cmocka_unit_test_setup_teardown(name, image_room_setup, image_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_is_saved_whole_or_not_at_all),
        cmocka_unit_test(a_journal_is_not_called_lost_when_memory_ran_out),
        WITH_ROOM(an_image_is_not_called_corrupt_when_memory_ran_out),
        WITH_DIR(a_trust_directory_is_read_whole_or_not_at_all),
        WITH_DIR(a_configuration_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_decision_is_stored_whole_or_not_at_all),
        cmocka_unit_test(variables_are_copied_and_replaced_whole_or_not_at_all),
        WITH_DIR(a_status_is_printed_whole_or_ends_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
