// SPDX-License-Identifier: Apache-2.0
// A whole simulated device for tests of the install path: slots in memory, boot environment, state
// store and source in memory, a trust store with real keys. Slot a runs; contract "order".
//
//     struct bench *b = bench_new(size of rootfs, size of boot or 0);
//     bench_serve(b, &recipe);
//     assert_ok(bench_install(b, &report, &e));
//     bench_free(b);
#ifndef TESTS_SUPPORT_INSTALL_BENCH_H
#define TESTS_SUPPORT_INSTALL_BENCH_H

#include "tests/support/blk_mem.h"
#include "tests/support/env_sim.h"
#include "tests/support/image_builder.h"
#include "tests/support/source_mem.h"
#include "tests/support/state_mem.h"
#include "tests/support/test_certs.h"
#include "updater/fill.h"
#include "updater/install.h"
#include "updater/scan.h"

enum { SLOT_A, SLOT_B, BENCH_PARTITIONS = 2 };

struct bench_env {
    struct bootenv base;
    struct env_sim sim;
    struct seam_sim *seam;
};

struct bench_clock {
    struct clock base;
    uint64_t wall_s;
    bool synchronised;
};

struct bench {
    struct seam_sim seam;
    char *dir; // with the trust store
    struct test_cert root, signer;
    struct config config;
    struct device device;
    struct bench_clock clock;
    struct log log;
    char *talk; // what was logged
    size_t talk_len;
    struct bench_env env;
    struct state_mem state;
    struct blk_mem slots[SLOT_COUNT][BENCH_PARTITIONS];
    struct built_image image;
    struct source_mem source;
    struct install_options options;
    unsigned reboots;
};

// Partitions "rootfs" and, unless its size is 0, "boot". Both slots hold old content, and nothing
// is known about it.
struct bench *bench_new(uint64_t rootfs_size, uint64_t boot_size);
void bench_free(struct bench *b);

// A recipe this device accepts, without partitions.
struct image_recipe bench_recipe(const char *version, uint64_t release_index);
// Builds and signs the image, and puts it into the source; counters and trace begin anew.
void bench_serve(struct bench *b, const struct image_recipe *r);
// All counters, the trace and the source from the beginning; the journal is loaded as after a
// restart.
void bench_restart(struct bench *b);

// install_run() with b->options.
MUST_CHECK enum err bench_install(struct bench *b, struct install_report *ret, struct error *e);

// Image and target slot, opened as an install does it, for tests of single steps.
struct bench_target {
    struct image *image;
    struct slot *slot;
    struct heads *heads;
    struct writer *writer;
    struct pipeline *pipeline;
    struct chunk_set *differs; // empty
};
void bench_open_target(struct bench *b, struct bench_target *ret);
void bench_close_target(struct bench_target *t);
// With the writer's buffer.
struct scan bench_scan(struct bench *b, struct bench_target *t);
struct fill bench_fill(struct bench *b, struct bench_target *t);

// Cuts the power for good: unsynced bytes meet their fate; then bench_restart().
void bench_power_cut(struct bench *b, enum blk_mem_fate fate, uint64_t seed);

// The slot becomes what runs, is confirmed and settled, with the content known to be `recipe`'s.
void bench_set_running(struct bench *b, int slot, uint64_t release_index);

// Fails the test unless the partition of slot b is exactly `data`.
void bench_expect_content(const struct bench *b, size_t partition, const void *data, size_t len);
// Fails the test if a byte of slot a was ever changed.
void bench_expect_running_untouched(const struct bench *b);
// Whether the boot loader would try the slot.
bool bench_bootable(struct bench *b, int slot);

#endif
