// SPDX-License-Identifier: Apache-2.0
// Two partitions with everything in them, for a bench (install_bench.h) with slots of that size:
// text, noise, zeros, repetitions (one of them of the head), a tail that fills no sector.
#ifndef TESTS_SUPPORT_BENCH_CONTENT_H
#define TESTS_SUPPORT_BENCH_CONTENT_H

#include "tests/support/install_bench.h"

enum { BENCH_ROOTFS_SIZE = 160 * 1024, BENCH_BOOT_SIZE = 4 * 1024 };

struct bench_content {
    uint8_t *rootfs, *boot;
    size_t rootfs_len, boot_len;
};

struct bench_content bench_content_make(uint64_t seed);
void bench_content_free(struct bench_content *c);

// Lengths of chunks, for bench_content_recipe(): whole blocks, or blocks shared between chunks.
extern const uint32_t bench_even_cuts[];
extern const uint32_t bench_odd_cuts[];

// `cuts` may be NULL: by content.
struct image_recipe bench_content_recipe(const struct bench_content *c, const char *version,
                                         uint64_t release_index, const uint32_t *cuts);
// A new bench with the content as release "2.0", 2.
struct bench *bench_content_serve(const struct bench_content *c, const uint32_t *cuts);

// Fails the test unless the content is in slot b and on trial, and nothing else was changed.
void bench_content_expect_installed(struct bench *b, const struct bench_content *c);

#endif
