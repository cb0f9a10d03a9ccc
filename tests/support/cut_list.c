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
