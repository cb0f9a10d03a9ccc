// SPDX-License-Identifier: Apache-2.0
#include "tests/support/install_bench.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// --- environment: the simulated one, behind the shared call count and the trace ---

static struct env_sim *sim_of(struct bootenv *env)
{
    return &((struct bench_env *)env)->sim;
}

static enum err env_load(struct bootenv *env, struct error *e)
{
    enum err err = seam_call(((struct bench_env *)env)->seam, "environment load", e);
    if (err == OK) {
        err = bootenv_load(&sim_of(env)->base, e);
    }
    env->copies_good = sim_of(env)->base.copies_good;
    return err;
}

static const char *env_get(const struct bootenv *env, const char *name)
{
    return bootenv_get(&((const struct bench_env *)env)->sim.base, name);
}

static enum err env_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    return bootenv_set(&sim_of(env)->base, name, value, e);
}

static enum err env_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct bench_env *b = (struct bench_env *)env;
    enum err err = seam_call(b->seam, "environment store", e);
    if (err == OK) {
        b->sim.base.both_copies = env->both_copies;
        err = bootenv_commit(&b->sim.base, ret_stored, e);
    }
    if (err == OK && *ret_stored) {
        const char *trial = env_sim_stored(&b->sim, "vv_trial");
        seam_trace(b->seam, "env order=%s trial=%s\n", env_sim_stored(&b->sim, "BOOT_ORDER"),
                   trial != NULL ? trial : "-");
    }
    return err;
}

static void env_close(struct bootenv *env)
{
    bootenv_close(&sim_of(env)->base);
}

static const struct bootenv_ops env_ops = {
    .load = env_load,
    .get = env_get,
    .set = env_set,
    .commit = env_commit,
    .close = env_close,
};

// --- clock ---

static uint64_t clock_boottime(const struct clock *c)
{
    (void)c;
    return 0;
}

static uint64_t clock_wall(const struct clock *c, bool *ret_synchronised)
{
    const struct bench_clock *b = (const struct bench_clock *)c;
    *ret_synchronised = b->synchronised;
    return b->wall_s;
}

static void clock_sleep(const struct clock *c, uint64_t ms)
{
    (void)c;
    (void)ms;
}

static const struct clock_ops clock_ops = {clock_boottime, clock_wall, clock_sleep};

// --- the device ---

static enum err count_reboot(struct device *d, struct error *e)
{
    (void)e;
    ((struct bench *)((char *)d - offsetof(struct bench, device)))->reboots++;
    return OK;
}

static void make_trust(struct bench *b)
{
    struct error e;
    void *dir = NULL;
    assert_int_equal(temp_dir_make(&dir), 0);
    b->dir = dir;
    b->root = test_ca("bench root", NULL);
    b->signer = test_signer("bench signer", &b->root);
    test_cert_write(&b->root, b->dir, "root.pem");
    assert_ok(trust_store_load(b->dir, &b->device.trust, &e));
}

static void make_slots(struct bench *b, uint64_t rootfs_size, uint64_t boot_size)
{
    static const char *const paths[SLOT_COUNT][BENCH_PARTITIONS] = {{"a.rootfs", "a.boot"},
                                                                    {"b.rootfs", "b.boot"}};
    static const char *const names[BENCH_PARTITIONS] = {"rootfs", "boot"};
    uint64_t sizes[BENCH_PARTITIONS] = {rootfs_size, boot_size};
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        struct config_slot *slot = &b->config.slots[s];
        slot->name = s == SLOT_A ? "a" : "b";
        slot->partition_count = boot_size > 0 ? 2 : 1;
        for (size_t p = 0; p < slot->partition_count; p++) {
            struct blk_mem *m = &b->slots[s][p];
            blk_mem_init(m, paths[s][p], sizes[p], &b->seam);
            fill_random(m->data, m->size_bytes, 1000 + 10 * s + p);
            blk_mem_reset(m);
            slot->partitions[p] = (struct config_partition){names[p], m->path};
        }
    }
}

static void make_config(struct bench *b)
{
    struct config *c = &b->config;
    c->product = "vv-test";
    c->compatible = "vv-test-board";
    c->trust_signers = 1;
    c->boot.contract = CONTRACT_ORDER;
    c->boot.attempts = 3;
    c->boot.slots[SLOT_A] = (struct boot_slot){.name = "a", .bootname = "A", .bootvalue = "2"};
    c->boot.slots[SLOT_B] = (struct boot_slot){.name = "b", .bootname = "B", .bootvalue = "3"};
}

static void make_device(struct bench *b)
{
    struct error e;
    struct device *d = &b->device;
    d->config = &b->config;
    d->state = &b->state.base;
    d->env = &b->env.base;
    assert_ok(hasher_new(&d->hasher, &e));
    d->running = SLOT_A;
    d->lock_fd = -1;
    d->clock = &b->clock.base;
    d->log = &b->log;
    d->sync_bytes = FILL_SYNC;
    d->deltas_worth_bytes = DELTAS_WORTH;
    d->lanes = 1;
    d->open_blk = blk_mem_open;
    d->reboot = count_reboot;
    assert_ok(journal_load(d->state, &d->journal, &e));
}

struct bench *bench_new(uint64_t rootfs_size, uint64_t boot_size)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->clock = (struct bench_clock){{&clock_ops}, 1800000000, true};
    b->log = (struct log){.stream = open_memstream(&b->talk, &b->talk_len), .program = "vv-update"};
    assert_non_null(b->log.stream);
    make_trust(b);
    make_config(b);
    make_slots(b, rootfs_size, boot_size);
    env_sim_init(&b->env.sim);
    env_sim_put(&b->env.sim, "BOOT_ORDER", "A B");
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "3");
    env_sim_put(&b->env.sim, "BOOT_B_LEFT", "3");
    env_sim_put(&b->env.sim, "bootdelay", "2");
    b->env.base = (struct bootenv){.ops = &env_ops, .copies_total = 2};
    b->env.seam = &b->seam;
    state_mem_init(&b->state, &b->seam);
    make_device(b);
    return b;
}

void bench_free(struct bench *b)
{
    void *dir = b->dir;
    trust_store_free(b->device.trust);
    hasher_free(b->device.hasher);
    env_sim_free(&b->env.sim);
    state_mem_free(&b->state);
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
            blk_mem_free(&b->slots[s][p]);
        }
    }
    built_image_free(&b->image);
    test_cert_clear(&b->signer);
    test_cert_clear(&b->root);
    fclose(b->log.stream);
    free(b->talk);
    assert_int_equal(temp_dir_remove(&dir), 0);
    free(b);
}

struct image_recipe bench_recipe(const char *version, uint64_t release_index)
{
    struct image_recipe r = image_recipe_default();
    snprintf(r.manifest.version, sizeof r.manifest.version, "%s", version);
    r.manifest.release_index = release_index;
    return r;
}

void bench_serve(struct bench *b, const struct image_recipe *r)
{
    built_image_free(&b->image);
    b->image = image_build(r);
    struct signature_record record = test_cms(&b->signer, "SHA256", 0, NULL, b->image.bytes,
                                              header_signed_size(&b->image.header));
    built_image_attach(&b->image, record.type, record.data, record.len);
    test_record_clear(&record);
    bench_restart(b);
}

void bench_restart(struct bench *b)
{
    struct error e;
    seam_reset(&b->seam);
    b->env.sim.stores = b->env.sim.loads = 0;
    b->state.replaced = 0;
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < b->config.slots[s].partition_count; p++) {
            blk_mem_reset(&b->slots[s][p]);
        }
    }
    source_mem_init(&b->source, b->image.bytes, b->image.len, &b->seam);
    assert_ok(journal_load(b->device.state, &b->device.journal, &e));
    seam_reset(&b->seam);
}

enum err bench_install(struct bench *b, struct install_report *ret, struct error *e)
{
    return install_run(&b->device, &b->source.base, &b->options, ret, e);
}

void bench_open_target(struct bench *b, struct bench_target *ret)
{
    struct error e;
    struct bench_target t = {0};
    assert_ok(image_open_prefix(b->image.bytes, b->image.len, &accept_all_verifier,
                                b->device.hasher, &t.image, &e));
    assert_ok(slot_open(&b->device, SLOT_B, t.image->manifest, BLK_READ_WRITE, &t.slot, &e));
    assert_ok(heads_new(t.slot, &t.heads, &e));
    assert_ok(writer_new(t.slot, t.heads, &t.writer, &e));
    const struct pipeline_options options = {
        .workers = b->device.workers,
        .lanes = b->device.lanes,
        .slot = t.slot,
        .heads = t.heads,
    };
    assert_ok(pipeline_new(&b->source.base, t.image, &options, &t.pipeline, &e));
    assert_ok(chunk_set_new(chunk_table_count(t.image->table), &t.differs, &e));
    *ret = t;
}

void bench_close_target(struct bench_target *t)
{
    chunk_set_free(t->differs);
    pipeline_free(t->pipeline);
    writer_free(t->writer);
    heads_free(t->heads);
    slot_close(t->slot);
    image_free(t->image);
}

struct scan bench_scan(struct bench *b, struct bench_target *t)
{
    return (struct scan){
        .slot = t->slot,
        .table = t->image->table,
        .hasher = b->device.hasher,
        .progress = &b->device.progress,
        .step = "check",
        .buf = pipeline_scratch(t->pipeline),
        .buf_len = SCAN_BUF_SIZE,
    };
}

struct fill bench_fill(struct bench *b, struct bench_target *t)
{
    return (struct fill){
        .device = &b->device,
        .slot = t->slot,
        .table = t->image->table,
        .pipeline = t->pipeline,
        .writer = t->writer,
    };
}

void bench_power_cut(struct bench *b, enum blk_mem_fate fate, uint64_t seed)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < b->config.slots[s].partition_count; p++) {
            blk_mem_cut(&b->slots[s][p], fate, seed + 100 * s + p);
        }
    }
    bench_restart(b);
}

void bench_set_running(struct bench *b, int slot, uint64_t release_index)
{
    struct error e;
    b->device.running = slot;
    env_sim_put(&b->env.sim, "BOOT_ORDER", slot == SLOT_A ? "A B" : "B A");
    env_sim_put(&b->env.sim, "BOOT_A_LEFT", "3");
    env_sim_put(&b->env.sim, "BOOT_B_LEFT", "3");
    env_sim_put(&b->env.sim, "vv_trial", NULL);
    b->device.journal.step = STEP_IDLE;
    b->device.journal.slots[slot].content = CONTENT_CONFIRMED;
    b->device.journal.slots[slot].release.release_index = release_index;
    b->device.journal.confirmed_max = release_index;
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
}

void bench_expect_content(const struct bench *b, size_t partition, const void *data, size_t len)
{
    const struct blk_mem *m = &b->slots[SLOT_B][partition];
    const uint8_t *want = data;
    assert_true(len <= m->size_bytes);
    for (size_t i = 0; i < len; i++) {
        if (m->data[i] != want[i]) {
            fail_msg("expected %s to be the image, but it differs at %zu", m->path, i);
        }
    }
}

void bench_expect_running_untouched(const struct bench *b)
{
    for (size_t p = 0; p < b->config.slots[SLOT_A].partition_count; p++) {
        const struct blk_mem *m = &b->slots[SLOT_A][p];
        uint8_t *old = malloc(m->size_bytes);
        assert_non_null(old);
        fill_random(old, m->size_bytes, 1000 + p);
        assert_memory_equal(m->data, old, m->size_bytes);
        free(old);
    }
}

bool bench_bootable(struct bench *b, int slot)
{
    struct error e;
    struct boot_state state;
    assert_ok(boot_state_read(&b->config.boot, &b->env.sim.base, &state, &e));
    return state.slots[slot].bootable;
}
