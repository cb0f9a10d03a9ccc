// SPDX-License-Identifier: Apache-2.0
// What goes into an image comes out of it again.
#include "format/codec.h"
#include "tests/support/expect.h"
#include "tests/support/image_room.h"

#include <stdlib.h>

// Decodes one partition as a device would and compares it with what went in.
static void check_content(struct image_room *r, const struct image *image,
                          const struct built_image *built, size_t index, const uint8_t *content)
{
    struct error e;
    struct decoder *decoder = NULL;
    uint8_t *raw = malloc(CHUNK_RAW_MAX);
    assert_non_null(raw);
    assert_ok(decoder_new(&decoder, &e));
    const struct partition_info *p = &image->manifest->partitions[index];
    for (uint32_t i = p->first; i < p->first + p->count; i++) {
        uint64_t target_off = 0;
        struct chunk c = chunk_table_get(image->table, i, &target_off);
        const uint8_t *stored = built->bytes + built->header.payload_offset + c.stored_off;
        memset(raw, 0, c.raw_len);
        if (c.codec != CODEC_ZERO) {
            assert_ok(chunk_check_stored(&c, stored, r->hasher, &e));
            assert_ok(decoder_run(decoder, c.codec, stored, c.stored_len, raw, c.raw_len, &e));
        }
        assert_ok(chunk_check_raw(&c, raw, r->hasher, &e));
        assert_memory_equal(raw, content + target_off, c.raw_len);
    }
    decoder_free(decoder);
    free(raw);
}

static void every_codec_brings_the_content_back(void **state)
{
    struct image_room *r = *state;
    static const enum codec codecs[] = {CODEC_RAW, CODEC_ZLIB, CODEC_ZSTD};
    for (size_t i = 0; i < 3; i++) {
        r->recipe.codec = codecs[i];
        struct built_image built = image_build(&r->recipe);
        struct image *image = image_room_open(r, &built);
        check_content(r, image, &built, 0, r->rootfs);
        check_content(r, image, &built, 1, r->boot);
        image_free(image);
        built_image_free(&built);
    }
}

static void the_same_input_gives_the_same_image(void **state)
{
    struct image_room *r = *state;
    struct built_image one = image_build(&r->recipe);
    struct built_image two = image_build(&r->recipe);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.bytes, two.bytes, one.len);
    built_image_free(&one);
    built_image_free(&two);
}

static void equal_chunks_are_stored_once(void **state)
{
    struct image_room *r = *state;
    r->recipe.rule = CUT_FIXED;
    memcpy(r->rootfs, r->boot, 65536);
    memcpy(r->rootfs + 65536, r->boot, 65536);
    struct built_image built = image_build(&r->recipe);
    struct image *image = image_room_open(r, &built);
    uint32_t boot = image->manifest->partitions[1].first;
    assert_int_equal(chunk_table_origin(image->table, 1), 0);
    assert_int_equal(chunk_table_origin(image->table, boot), 0);
    check_content(r, image, &built, 1, r->boot);
    image_free(image);
    r->recipe.no_dedupe = true;
    struct built_image larger = image_build(&r->recipe);
    assert_int_equal(larger.header.payload_size, built.header.payload_size + 131072);
    built_image_free(&larger);
    built_image_free(&built);
}

static void a_run_of_zeros_takes_no_payload(void **state)
{
    struct image_room *r = *state;
    struct built_image built = image_build(&r->recipe);
    struct image *image = image_room_open(r, &built);
    uint64_t zeros = 0;
    for (uint32_t i = 0; i < chunk_table_count(image->table); i++) {
        struct chunk c = chunk_table_get(image->table, i, NULL);
        zeros += c.codec == CODEC_ZERO ? c.raw_len : 0;
    }
    assert_int_equal(zeros, 32 * 4096);
    image_free(image);
    built_image_free(&built);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, image_room_setup, image_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(every_codec_brings_the_content_back),
        in_room(the_same_input_gives_the_same_image),
        in_room(equal_chunks_are_stored_once),
        in_room(a_run_of_zeros_takes_no_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
