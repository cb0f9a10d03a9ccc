// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_pool.h"

#include "tests/support/delta_pair.h"
#include "tests/support/expect.h"

#include <stdlib.h>

enum { ROOM = 64 * 1024, LONG_LIST = 40 };

// All records and stored bytes of a pool, one behind the other.
struct output {
    struct pack_record records[LONG_LIST];
    uint8_t stored[ROOM];
    size_t len;
};

static void run(const struct delta_pair *p, unsigned jobs, const uint32_t *chunks, uint32_t count,
                struct output *ret)
{
    struct error e;
    struct delta_pool *pool = NULL;
    memset(ret, 0, sizeof(*ret));
    assert_ok(delta_pool_new(jobs, &p->images, chunks, count, &pool, &e));
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *stored = NULL;
        assert_ok(delta_pool_take(pool, &ret->records[i], &stored, &e));
        size_t n = ret->records[i].stored_len;
        assert_true(ret->len + n <= ROOM);
        memcpy(ret->stored + ret->len, stored, n);
        ret->len += n;
    }
    delta_pool_free(pool);
}

static void results_come_in_the_order_of_the_list(void **state)
{
    struct delta_pair *p = *state;
    struct output *out = malloc(sizeof(*out));
    assert_non_null(out);
    run(p, 2, delta_pair_chunks, PACK_ROOM_RECORDS, out);
    size_t off = 0;
    for (size_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        assert_int_equal(out->records[i].chunk, delta_pair_chunks[i]);
        delta_pair_check(p, &out->records[i], out->stored + off);
        off += out->records[i].stored_len;
    }
    free(out);
}

// More items than slots, so that each slot is used again.
static void the_number_of_threads_does_not_matter(void **state)
{
    struct delta_pair *p = *state;
    uint32_t chunks[LONG_LIST];
    struct output *one = malloc(sizeof(*one));
    struct output *many = malloc(sizeof(*many));
    assert_true(one != NULL && many != NULL);
    for (uint32_t i = 0; i < LONG_LIST; i++) {
        chunks[i] = delta_pair_chunks[i * 3 % PACK_ROOM_RECORDS];
    }
    run(p, 1, chunks, LONG_LIST, one);
    run(p, 5, chunks, LONG_LIST, many);
    assert_memory_equal(one, many, sizeof(*one));
    free(one);
    free(many);
}

static void a_pool_may_end_before_its_list(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_pool *pool = NULL;
    struct pack_record r;
    const uint8_t *stored = NULL;
    assert_ok(delta_pool_new(2, &p->images, delta_pair_chunks, PACK_ROOM_RECORDS, &pool, &e));
    delta_pool_free(pool);
    assert_ok(delta_pool_new(2, &p->images, delta_pair_chunks, PACK_ROOM_RECORDS, &pool, &e));
    assert_ok(delta_pool_take(pool, &r, &stored, &e));
    assert_int_equal(r.chunk, 0);
    delta_pool_free(pool);
    assert_ok(delta_pool_new(2, &p->images, delta_pair_chunks, 0, &pool, &e));
    delta_pool_free(pool);
}

static void an_error_comes_in_its_turn(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    struct delta_pool *pool = NULL;
    struct pack_record r;
    const uint8_t *stored = NULL;
    // Chunks 3 and 7 cannot be read.
    static const uint32_t bad[] = {3, 7};
    for (size_t i = 0; i < 2; i++) {
        struct chunk c = chunk_table_get(p->target.table, bad[i], NULL);
        host_flip(p->target_path, p->target_file->header.payload_offset + c.stored_off);
    }
    assert_ok(delta_pool_new(3, &p->images, delta_pair_chunks, PACK_ROOM_RECORDS, &pool, &e));
    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(delta_pool_take(pool, &r, &stored, &e));
        assert_int_equal(r.chunk, i);
    }
    assert_fails(ERR_FORMAT, "record 3: chunk: corrupt", delta_pool_take(pool, &r, &stored, &e));
    delta_pool_free(pool);
}

#define in_pair(test) cmocka_unit_test_setup_teardown(test, delta_pair_setup, delta_pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_pair(results_come_in_the_order_of_the_list),
        in_pair(the_number_of_threads_does_not_matter),
        in_pair(a_pool_may_end_before_its_list),
        in_pair(an_error_comes_in_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
