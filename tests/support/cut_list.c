// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cut_list.h"

#include "format/chunk_table.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { LOOK_AHEAD = CHUNK_RAW_MAX + 4096 };

struct cutter cutter_for(enum cut_rule rule, uint64_t average)
{
    struct error e;
    struct cutter c;
    assert_ok(cutter_init(&c, rule, average, &e));
    return c;
}

void cut_through(const struct cutter *c, const uint8_t *data, size_t len, size_t window,
                 struct cut_list *ret)
{
    ret->count = 0;
    for (size_t off = 0; off < len;) {
        size_t left = len - off;
        size_t n = cutter_next(c, off, data + off, left < window ? left : window);
        assert_in_range(n, 1, CHUNK_RAW_MAX);
        assert_true(n <= left);
        off += n;
        assert_true(ret->count < CUTS_MAX);
        ret->end[ret->count++] = off;
    }
}

bool is_cut(const struct cut_list *c, size_t off)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->end[i] == off) {
            return true;
        }
    }
    return false;
}

void cut_with_zeros(enum cut_rule rule, uint64_t average, size_t lead, size_t zeros, size_t tail,
                    struct cut_list *ret)
{
    struct cutter c = cutter_for(rule, average);
    size_t len = lead + zeros + tail;
    uint8_t *data = random_data(len);
    memset(data + lead, 0, zeros);
    cut_through(&c, data, len, SIZE_MAX, ret);
    free(data);
}

size_t lost_by_insertion(const struct cutter *c, size_t len, size_t at, size_t inserted)
{
    uint8_t *old = random_data(len);
    uint8_t *new = malloc(len + inserted);
    assert_non_null(new);
    memcpy(new, old, at);
    fill_random(new + at, inserted, 99);
    memcpy(new + at + inserted, old + at, len - at);
    struct cut_list before;
    struct cut_list after;
    cut_through(c, old, len, SIZE_MAX, &before);
    cut_through(c, new, len + inserted, SIZE_MAX, &after);
    size_t lost = 0;
    for (size_t i = 0; i < before.count; i++) {
        size_t begin = i == 0 ? 0 : before.end[i - 1];
        size_t end = before.end[i];
        size_t shift = begin >= at ? inserted : 0;
        bool whole = (end <= at || begin >= at) && is_cut(&after, end + shift) &&
                     (begin == 0 || is_cut(&after, begin + shift));
        lost += whole ? 0 : 1;
    }
    free(old);
    free(new);
    return lost;
}

void expect_same_cuts_in_any_window(const struct cutter *c, const uint8_t *data, size_t len)
{
    struct cut_list whole;
    struct cut_list parts;
    cut_through(c, data, len, SIZE_MAX, &whole);
    for (size_t extra = 0; extra < 6; extra++) {
        cut_through(c, data, len, LOOK_AHEAD + extra * 1000, &parts);
        assert_int_equal(parts.count, whole.count);
        assert_memory_equal(parts.end, whole.end, whole.count * sizeof(whole.end[0]));
    }
}

uint8_t *random_data(size_t len)
{
    uint8_t *data = malloc(len);
    assert_non_null(data);
    fill_random(data, len, 1);
    return data;
}
