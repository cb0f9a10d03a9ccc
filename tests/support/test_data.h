// SPDX-License-Identifier: Apache-2.0
// Content for tests: the same bytes for the same seed, on every machine.
#ifndef TESTS_SUPPORT_TEST_DATA_H
#define TESTS_SUPPORT_TEST_DATA_H

#include <stddef.h>
#include <stdint.h>

// The next number of a sequence; `*state` is the seed in the beginning.
uint64_t next_random(uint64_t *state);

// No codec makes these bytes smaller.
void fill_random(void *data, size_t len, uint64_t seed);

// Words out of a small dictionary: shrinks to about a third.
void fill_text(void *data, size_t len, uint64_t seed);

#endif
