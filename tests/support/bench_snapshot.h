// SPDX-License-Identifier: Apache-2.0
// What a bench (install_bench.h) keeps across a power cut, taken once and put back before each of
// many runs.
#ifndef TESTS_SUPPORT_BENCH_SNAPSHOT_H
#define TESTS_SUPPORT_BENCH_SNAPSHOT_H

#include "tests/support/install_bench.h"

struct bench_snapshot {
    uint8_t *data[SLOT_COUNT][BENCH_PARTITIONS];
    struct env_vars env;
    struct state_mem state;
};

void bench_snapshot_take(struct bench *b, struct bench_snapshot *ret);
// As after a restart: bench_restart() is part of it.
void bench_snapshot_restore(struct bench *b, const struct bench_snapshot *s);
void bench_snapshot_free(struct bench_snapshot *s);

#endif
