// SPDX-License-Identifier: Apache-2.0
// All cuts of some data, for tests of where they lie.
#ifndef TESTS_SUPPORT_CUT_LIST_H
#define TESTS_SUPPORT_CUT_LIST_H

#include "format/cutter.h"

enum { CUTS_MAX = 16384 };

struct cut_list {
    size_t count;
    size_t end[CUTS_MAX]; // offset behind each chunk
};

// Fails the test if `average` is not allowed.
struct cutter cutter_for(enum cut_rule rule, uint64_t average);
// Cuts the whole of `data`, showing the cutter at most `window` bytes at a time.
void cut_through(const struct cutter *c, const uint8_t *data, size_t len, size_t window,
                 struct cut_list *ret);
bool is_cut(const struct cut_list *c, size_t off);
// Cuts `lead` bytes of random data, zeros, and `tail` bytes of random data.
void cut_with_zeros(enum cut_rule rule, uint64_t average, size_t lead, size_t zeros, size_t tail,
                    struct cut_list *ret);
// How many chunks of `len` random bytes are none any more when `inserted` more stand at `at`.
size_t lost_by_insertion(const struct cutter *c, size_t len, size_t at, size_t inserted);
// Fails the test unless all cuts are the same however far beyond the largest chunk the cutter sees.
void expect_same_cuts_in_any_window(const struct cutter *c, const uint8_t *data, size_t len);
// The caller's.
uint8_t *random_data(size_t len);

#endif
