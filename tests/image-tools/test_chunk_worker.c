// SPDX-License-Identifier: Apache-2.0
#include "image-tools/chunk_worker.h"

#include "format/codec.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { INPUTS = 60, INPUT_MAX = 40000 };

struct input {
    size_t len;
    uint8_t data[INPUT_MAX];
};

struct output {
    struct chunk chunk;
    uint8_t *stored;
};

// Chunks that take different times: text, random data, zeros, of all lengths.
static struct input *make_inputs(void)
{
    struct input *in = calloc(INPUTS, sizeof(*in));
    assert_non_null(in);
    for (size_t i = 0; i < INPUTS; i++) {
        in[i].len = i == 0 ? 1 : i * 659;
        if (i % 3 == 0) {
            fill_text(in[i].data, in[i].len, i);
        } else if (i % 3 == 1) {
            fill_random(in[i].data, in[i].len, i);
        }
    }
    return in;
}

static void free_outputs(struct output (*out)[INPUTS])
{
    for (size_t i = 0; i < INPUTS; i++) {
        free((*out)[i].stored);
    }
}

static struct worker_pool *new_pool(unsigned jobs, enum codec codec)
{
    struct error e;
    struct worker_pool *p = NULL;
    struct chunk_coding coding = {.codec = codec};
    assert_ok(worker_pool_new(jobs, &chunk_work, &coding, &p, &e));
    return p;
}

static void put(struct worker_pool *p, const uint8_t *raw, size_t len)
{
    chunk_item_fill(worker_pool_room(p), raw, len);
    worker_pool_put(p);
}

static const struct chunk_item *take(struct worker_pool *p)
{
    struct error e;
    const void *taken = NULL;
    assert_ok(worker_pool_take(p, &taken, &e));
    return taken;
}

static void run_pool(unsigned jobs, enum codec codec, const struct input *in, struct output *out)
{
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(jobs, codec);
    size_t next = 0;
    for (size_t i = 0; i < INPUTS; i++) {
        for (; next < INPUTS && !worker_pool_is_full(p); next++) {
            put(p, in[next].data, in[next].len);
        }
        const struct chunk_item *item = take(p);
        out[i].chunk = item->chunk;
        out[i].stored = malloc(item->chunk.stored_len + 1);
        assert_non_null(out[i].stored);
        memcpy(out[i].stored, item->stored, item->chunk.stored_len);
    }
}

static void assert_describes(const struct output *out, const struct input *in, struct hasher *h,
                             struct decoder *d)
{
    struct error e;
    uint8_t digest[SHA256_SIZE];
    uint8_t raw[INPUT_MAX];
    const struct chunk *c = &out->chunk;
    assert_int_equal(c->raw_len, in->len);
    assert_ok(hasher_sha256(h, in->data, in->len, digest, &e));
    assert_memory_equal(c->raw_sha256, digest, SHA256_SIZE);
    if (c->codec == CODEC_ZERO) {
        static const uint8_t none[STORED_HASH_SIZE];
        assert_int_equal(c->stored_len, 0);
        assert_memory_equal(c->stored_sha256, none, STORED_HASH_SIZE);
        return;
    }
    assert_ok(hasher_sha256(h, out->stored, c->stored_len, digest, &e));
    assert_memory_equal(c->stored_sha256, digest, STORED_HASH_SIZE);
    assert_ok(decoder_run(d, c->codec, out->stored, c->stored_len, raw, c->raw_len, &e));
    assert_memory_equal(raw, in->data, in->len);
}

static void results_come_in_order_and_describe_their_chunks(void **state)
{
    (void)state;
    static const enum codec codecs[] = {CODEC_ZSTD, CODEC_ZLIB, CODEC_RAW};
    struct error e;
    CLEANUP(cleanup_hasher) struct hasher *h = NULL;
    CLEANUP(cleanup_decoder) struct decoder *d = NULL;
    assert_ok(hasher_new(&h, &e));
    assert_ok(decoder_new(&d, &e));
    CLEANUP(cleanup_free) struct input *in = make_inputs();
    for (size_t k = 0; k < 3; k++) {
        CLEANUP(free_outputs) struct output out[INPUTS] = {0};
        run_pool(2, codecs[k], in, out);
        for (size_t i = 0; i < INPUTS; i++) {
            assert_describes(&out[i], &in[i], h, d);
        }
        assert_int_equal(out[3].chunk.codec, codecs[k]);  // text
        assert_int_equal(out[4].chunk.codec, CODEC_RAW);  // random
        assert_int_equal(out[5].chunk.codec, CODEC_ZERO); // zeros
    }
}

static void results_do_not_depend_on_the_number_of_jobs(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) struct input *in = make_inputs();
    CLEANUP(free_outputs) struct output one[INPUTS] = {0};
    run_pool(1, CODEC_ZSTD, in, one);
    for (unsigned jobs = 2; jobs <= 5; jobs += 3) {
        CLEANUP(free_outputs) struct output many[INPUTS] = {0};
        run_pool(jobs, CODEC_ZSTD, in, many);
        for (size_t i = 0; i < INPUTS; i++) {
            assert_memory_equal(&one[i].chunk, &many[i].chunk, sizeof(one[i].chunk));
            assert_memory_equal(one[i].stored, many[i].stored, one[i].chunk.stored_len);
        }
    }
}

static void a_hole_is_the_same_as_the_zeros_it_stands_for(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 4096, CHUNK_RAW_MAX, CHUNK_RAW_MAX, 4096};
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(1, CODEC_ZSTD);
    CLEANUP(cleanup_free) uint8_t *zeros = calloc(1, CHUNK_RAW_MAX);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        put(p, NULL, lengths[i]);
        put(p, zeros, lengths[i]);
        struct chunk hole = take(p)->chunk;
        assert_int_equal(hole.codec, CODEC_ZERO);
        assert_int_equal(hole.raw_len, lengths[i]);
        assert_memory_equal(&hole, &take(p)->chunk, sizeof(hole));
    }
}

static void the_largest_chunk_of_random_data_goes_through(void **state)
{
    (void)state;
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = new_pool(1, CODEC_ZSTD);
    CLEANUP(cleanup_free) uint8_t *data = malloc(CHUNK_RAW_MAX);
    fill_random(data, CHUNK_RAW_MAX, 8);
    put(p, data, CHUNK_RAW_MAX);
    const struct chunk_item *item = take(p);
    assert_int_equal(item->chunk.codec, CODEC_RAW);
    assert_int_equal(item->chunk.stored_len, CHUNK_RAW_MAX);
    assert_memory_equal(item->stored, data, CHUNK_RAW_MAX);
    assert_memory_equal(item->chunk.stored_sha256, item->chunk.raw_sha256, STORED_HASH_SIZE);
}

static void a_level_out_of_range_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct worker_pool *p = NULL;
    struct chunk_coding coding = {CODEC_ZLIB, 10};
    assert_fails(ERR_USAGE, "level", worker_pool_new(2, &chunk_work, &coding, &p, &e));
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_in_order_and_describe_their_chunks),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_jobs),
        cmocka_unit_test(a_hole_is_the_same_as_the_zeros_it_stands_for),
        cmocka_unit_test(the_largest_chunk_of_random_data_goes_through),
        cmocka_unit_test(a_level_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
