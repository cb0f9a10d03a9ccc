// SPDX-License-Identifier: Apache-2.0
#include "format/image.h"

#include "tests/support/expect.h"
#include "tests/support/image_room.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// What a verifier was shown.
struct seen {
    unsigned calls;
    size_t len;
    size_t signature_count;
    uint8_t message[HEADER_SIZE + MANIFEST_MAX];
};

struct witness {
    struct head_verifier verifier;
    struct seen *seen;
    bool refuse;
};

static enum err witness_verify(const struct head_verifier *v, const uint8_t *message, size_t len,
                               const struct signature_list *signatures, struct error *e)
{
    const struct witness *w = (const struct witness *)(const void *)v;
    w->seen->calls++;
    w->seen->len = len;
    w->seen->signature_count = signatures->count;
    memcpy(w->seen->message, message, len);
    return w->refuse ? fail(e, ERR_TRUST, 0, "no trusted signature") : OK;
}

static struct witness witness_in(struct seen *seen, bool refuse)
{
    return (struct witness){{witness_verify}, seen, refuse};
}

// Builds the recipe of the room, which must be refused.
static void refuses(struct image_room *r, const char *sentence)
{
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    assert_fails(ERR_FORMAT, sentence,
                 image_open_prefix(built.bytes, (size_t)built.header.payload_offset,
                                   &accept_all_verifier, r->hasher, &image, &e));
    assert_null(image);
    built_image_free(&built);
}

static void refuses_bytes(struct image_room *r, const char *sentence,
                          const struct built_image *built)
{
    struct error e;
    struct image *image = NULL;
    assert_fails(ERR_FORMAT, sentence,
                 image_open_prefix(built->bytes, (size_t)built->header.payload_offset,
                                   &accept_all_verifier, r->hasher, &image, &e));
    assert_null(image);
}

static void an_image_is_opened(void **state)
{
    struct image_room *r = *state;
    struct built_image built = image_build(&r->recipe);
    struct image *image = image_room_open(r, &built);
    assert_string_equal(image->manifest->product, "vv-test");
    assert_int_equal(image->manifest->partition_count, 2);
    assert_int_equal(image->manifest->partitions[0].image_size, ROOTFS);
    assert_int_equal(chunk_table_count(image->table), image->manifest->body.table_records);
    assert_int_equal(image->header.file_size, built.len);
    assert_memory_equal(image->head, built.bytes, header_head_size(&image->header));
    image_free(image);
    built_image_free(&built);
}

static void the_verifier_sees_header_and_manifest(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    built_image_attach(&built, SIGNATURE_CMS, "one", 3);
    built_image_attach(&built, SIGNATURE_ED25519, "two", 3);
    struct seen seen = {0};
    struct witness w = witness_in(&seen, false);
    assert_ok(image_open_head(built.bytes, header_head_size(&built.header), &w.verifier, r->hasher,
                              &image, &e));
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.signature_count, 2);
    assert_int_equal(seen.len, 128 + built.header.manifest_size);
    assert_memory_equal(seen.message, built.bytes, seen.len);
    image_free(image);
    built_image_free(&built);
}

static void no_image_without_the_verifiers_consent(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    struct seen seen = {0};
    struct witness w = witness_in(&seen, true);
    assert_fails(ERR_TRUST, "no trusted signature",
                 image_open_head(built.bytes, built.len, &w.verifier, r->hasher, &image, &e));
    assert_fails(ERR_TRUST, "no trusted signature",
                 image_open_prefix(built.bytes, built.len, &w.verifier, r->hasher, &image, &e));
    assert_int_equal(seen.calls, 2);
    assert_null(image);
    built_image_free(&built);
}

static void spoil_manifest_product(json_t *root)
{
    json_object_set_new(root, "product", json_string("a b"));
}

static void the_manifest_is_not_parsed_before_its_signature_holds(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    r->recipe.spoil_manifest = spoil_manifest_product;
    struct built_image built = image_build(&r->recipe);
    struct seen seen = {0};
    struct witness w = witness_in(&seen, true);
    assert_fails(ERR_TRUST, "no trusted signature",
                 image_open_head(built.bytes, built.len, &w.verifier, r->hasher, &image, &e));
    refuses(r, "manifest: product: must be 1 to 64 characters");
    built_image_free(&built);
}

static void a_damaged_manifest_is_not_shown_to_the_verifier(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    struct seen seen = {0};
    struct witness w = witness_in(&seen, false);
    built.bytes[HEADER_SIZE + 5] ^= 1;
    assert_fails(ERR_FORMAT, "manifest: corrupt: its hash is not the one in the header",
                 image_open_head(built.bytes, built.len, &w.verifier, r->hasher, &image, &e));
    assert_int_equal(seen.calls, 0);
    built_image_free(&built);
}

static void a_head_that_is_cut_short_is_refused(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    size_t head = header_head_size(&built.header);
    assert_fails(ERR_FORMAT, "header: cut short: 127 of 128 bytes",
                 image_open_head(built.bytes, 127, &accept_all_verifier, r->hasher, &image, &e));
    assert_fails(ERR_FORMAT, "image: cut short: 128 bytes, its head has",
                 image_open_head(built.bytes, 128, &accept_all_verifier, r->hasher, &image, &e));
    assert_fails(
        ERR_FORMAT, "image: cut short",
        image_open_head(built.bytes, head - 1, &accept_all_verifier, r->hasher, &image, &e));
    assert_fails(ERR_FORMAT, "its payload begins at",
                 image_open_prefix(built.bytes, (size_t)built.header.payload_offset - 1,
                                   &accept_all_verifier, r->hasher, &image, &e));
    built_image_free(&built);
}

static void a_damaged_signature_area_is_refused(void **state)
{
    struct image_room *r = *state;
    struct built_image built = image_build(&r->recipe);
    built.bytes[header_head_size(&built.header) - 1] = 1;
    refuses_bytes(r, "signature area: corrupt: bytes other than zero", &built);
    built_image_free(&built);
}

static void any_flipped_byte_before_the_payload_is_refused(void **state)
{
    struct image_room *r = *state;
    // Without a signature area: its records are for the verifier to judge.
    r->recipe.signature_room = 0;
    struct built_image built = image_build(&r->recipe);
    for (size_t i = 0; i < built.header.payload_offset; i++) {
        struct error e = {0};
        struct image *image = NULL;
        built.bytes[i] ^= 0x20;
        enum err err = image_open_prefix(built.bytes, (size_t)built.header.payload_offset,
                                         &accept_all_verifier, r->hasher, &image, &e);
        if (err != ERR_FORMAT) {
            fail_msg("a flipped bit of byte %zu went unnoticed", i);
        }
        built.bytes[i] ^= 0x20;
    }
    built_image_free(&built);
}

static void pads_that_are_not_zero_are_refused(void **state)
{
    struct image_room *r = *state;
    r->recipe.signature_room = 1; // leaves a pad before the table, whatever the manifest's size
    struct built_image built = image_build(&r->recipe);
    if (header_head_size(&built.header) % TABLE_ALIGN == 0) {
        built_image_free(&built);
        r->recipe.signature_room = 2;
        built = image_build(&r->recipe);
    }
    const struct header *h = &built.header;
    static const char *const before = "a byte between signature area and chunk table is not zero";
    static const char *const behind = "a byte between chunk table and payload is not zero";
    assert_true(h->table_offset > header_head_size(h));
    assert_true(h->payload_offset > h->table_offset + h->table_size);
    const struct {
        uint64_t at;
        const char *sentence;
    } pads[] = {{header_head_size(h), before},
                {h->table_offset - 1, before},
                {h->table_offset + h->table_size, behind},
                {h->payload_offset - 1, behind}};
    for (size_t i = 0; i < 4; i++) {
        built.bytes[pads[i].at] = 1;
        refuses_bytes(r, pads[i].sentence, &built);
        built.bytes[pads[i].at] = 0;
    }
    built_image_free(&built);
}

// Gives a copy away, as image_add_table() takes what it gets.
static enum err add_table(struct image *image, const uint8_t *rest, size_t len,
                          struct hasher *hasher, struct error *e)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, rest, len);
    return image_add_table(image, copy, len, hasher, e);
}

static void a_table_of_another_length_is_refused(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    size_t head = header_head_size(&built.header);
    size_t rest = (size_t)built.header.payload_offset - head;
    assert_ok(image_open_head(built.bytes, built.len, &accept_all_verifier, r->hasher, &image, &e));
    assert_fails(ERR_FORMAT, "bytes between head and payload, expected",
                 add_table(image, built.bytes + head, rest - 1, r->hasher, &e));
    assert_fails(ERR_FORMAT, "bytes between head and payload, expected",
                 add_table(image, built.bytes + head, rest + 1, r->hasher, &e));
    assert_null(image->table);
    assert_ok(add_table(image, built.bytes + head, rest, r->hasher, &e));
    assert_fails(ERR_INTERNAL, "it has its chunk table already",
                 add_table(image, built.bytes + head, rest, r->hasher, &e));
    image_free(image);
    built_image_free(&built);
}

static void a_damaged_table_is_refused(void **state)
{
    struct image_room *r = *state;
    struct built_image built = image_build(&r->recipe);
    built.bytes[built.header.table_offset + 70] ^= 1;
    refuses_bytes(r, "chunk table: corrupt: its hash is not the one in the manifest", &built);
    built_image_free(&built);
}

static void spoil_table_codec(uint8_t *table, size_t len)
{
    table[len - 1] = 200;
}

static void a_signed_table_is_checked_all_the_same(void **state)
{
    struct image_room *r = *state;
    r->recipe.spoil_table = spoil_table_codec;
    refuses(r, "unsupported codec 200");
}

static void spoil_header_table(struct header *h)
{
    h->table_size += 64; // the pad behind the table takes it up
}

static void spoil_header_payload(struct header *h)
{
    h->payload_size += 1;
    h->file_size += 1;
}

static void header_and_manifest_must_agree(void **state)
{
    struct image_room *r = *state;
    r->recipe.spoil_header = spoil_header_table;
    refuses(r, "image: the chunk table is");
    r->recipe.spoil_header = spoil_header_payload;
    refuses(r, "image: the payload is");
}

static void the_prefix_is_given_back_byte_for_byte(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct built_image built = image_build(&r->recipe);
    built_image_attach(&built, SIGNATURE_CMS, "signature", 9);
    struct image *image = image_room_open(r, &built);
    struct file_part parts[IMAGE_PREFIX_PARTS];
    size_t len = 0;
    assert_ok(image_prefix(image, parts, &e));
    for (size_t i = 0; i < IMAGE_PREFIX_PARTS; i++) {
        assert_memory_equal(parts[i].data, built.bytes + len, parts[i].len);
        len += parts[i].len;
    }
    assert_int_equal(len, built.header.payload_offset);
    assert_ptr_equal(parts[2].data, chunk_table_bytes(image->table)); // and no copy of it
    image_free(image);
    built_image_free(&built);
}

static void a_prefix_that_is_given_away_is_what_the_table_stands_in(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = image_build(&r->recipe);
    size_t len = (size_t)built.header.payload_offset;
    uint8_t *prefix = malloc(len);
    assert_non_null(prefix);
    memcpy(prefix, built.bytes, len);
    assert_ok(image_take_prefix(prefix, len, &accept_all_verifier, r->hasher, &image, &e));
    assert_ptr_equal(chunk_table_bytes(image->table), prefix);
    assert_memory_equal(prefix, built.bytes + built.header.table_offset, built.header.table_size);
    image_free(image);
    built_image_free(&built);
}

static void there_is_no_prefix_before_the_table_is_there(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct file_part parts[IMAGE_PREFIX_PARTS];
    struct built_image built = image_build(&r->recipe);
    assert_ok(image_open_head(built.bytes, built.len, &accept_all_verifier, r->hasher, &image, &e));
    assert_fails(ERR_INTERNAL, "it has no chunk table yet", image_prefix(image, parts, &e));
    image_free(image);
    built_image_free(&built);
}

static void a_chunk_of_another_hash_is_corrupt(void **state)
{
    struct image_room *r = *state;
    struct error e;
    struct built_image built = image_build(&r->recipe);
    struct image *image = image_room_open(r, &built);
    struct chunk c = chunk_table_get(image->table, 0, NULL);
    uint8_t *stored = built.bytes + built.header.payload_offset;
    assert_ok(chunk_check_stored(&c, stored, r->hasher, &e));
    stored[c.stored_len - 1] ^= 1;
    assert_fails(ERR_FORMAT, "its stored bytes do not match their hash",
                 chunk_check_stored(&c, stored, r->hasher, &e));
    assert_ok(chunk_check_raw(&c, r->rootfs, r->hasher, &e));
    r->rootfs[c.raw_len - 1] ^= 1;
    assert_fails(ERR_FORMAT, "its raw bytes do not match their hash",
                 chunk_check_raw(&c, r->rootfs, r->hasher, &e));
    image_free(image);
    built_image_free(&built);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, image_room_setup, image_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(an_image_is_opened),
        in_room(the_verifier_sees_header_and_manifest),
        in_room(no_image_without_the_verifiers_consent),
        in_room(the_manifest_is_not_parsed_before_its_signature_holds),
        in_room(a_damaged_manifest_is_not_shown_to_the_verifier),
        in_room(a_head_that_is_cut_short_is_refused),
        in_room(a_damaged_signature_area_is_refused),
        in_room(any_flipped_byte_before_the_payload_is_refused),
        in_room(pads_that_are_not_zero_are_refused),
        in_room(a_table_of_another_length_is_refused),
        in_room(a_damaged_table_is_refused),
        in_room(a_signed_table_is_checked_all_the_same),
        in_room(header_and_manifest_must_agree),
        in_room(the_prefix_is_given_back_byte_for_byte),
        in_room(a_prefix_that_is_given_away_is_what_the_table_stands_in),
        in_room(there_is_no_prefix_before_the_table_is_there),
        in_room(a_chunk_of_another_hash_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
