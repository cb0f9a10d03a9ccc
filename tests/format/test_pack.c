// SPDX-License-Identifier: Apache-2.0
#include "format/pack.h"

#include "tests/support/expect.h"
#include "tests/support/pack_builder.h"

#include <stdlib.h>

// What the verifier was shown.
struct witness {
    struct head_verifier verifier;
    const uint8_t *head;
    size_t *ret_len;
    bool accepts;
};

static enum err witness_verify(const struct head_verifier *v, const uint8_t *message, size_t len,
                               const struct signature_list *signatures, struct error *e)
{
    const struct witness *w = (const struct witness *)v;
    (void)signatures;
    assert_ptr_equal(message, w->head);
    *w->ret_len = len;
    return w->accepts ? OK : fail(e, ERR_TRUST, 0, "no trusted signature");
}

static void refuses(struct pack_room *r, const char *sentence)
{
    struct error e;
    struct built_image built = pack_build(r);
    assert_fails(ERR_FORMAT, sentence, pack_room_try(r, &built, &e));
    built_image_free(&built);
}

// --- Opening ---

static void a_pack_is_opened(void **state)
{
    struct pack_room *r = *state;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    assert_int_equal(pack->header.kind, FILE_PACK);
    assert_int_equal(pack->manifest->base.release_index, 1);
    assert_int_equal(pack->manifest->target.release_index, 2);
    assert_int_equal(pack_table_count(pack->table), PACK_ROOM_RECORDS);
    pack_free(pack);
    built_image_free(&built);
}

static void no_pack_without_the_verifiers_consent(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct pack *pack = NULL;
    size_t len = 0;
    struct built_image built = pack_build(r);
    struct witness w = {{witness_verify}, built.bytes, &len, false};
    assert_fails(ERR_TRUST, "no trusted signature",
                 pack_open_head(built.bytes, built.len, &w.verifier, r->hasher, &pack, &e));
    assert_null(pack);
    assert_int_equal(len, header_signed_size(&built.header));
    w.accepts = true;
    assert_ok(pack_open_head(built.bytes, built.len, &w.verifier, r->hasher, &pack, &e));
    assert_null(pack->table);
    pack_free(pack);
    built_image_free(&built);
}

static void forget_base(json_t *root)
{
    json_object_del(root, "base");
}

static void the_manifest_is_not_parsed_before_its_signature_holds(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct pack *pack = NULL;
    size_t len = 0;
    r->recipe.spoil_manifest = forget_base;
    struct built_image built = pack_build(r);
    struct witness w = {{witness_verify}, built.bytes, &len, false};
    assert_fails(ERR_TRUST, "no trusted signature",
                 pack_open_head(built.bytes, built.len, &w.verifier, r->hasher, &pack, &e));
    refuses(r, "manifest: base: is missing");
    built_image_free(&built);
}

static void an_image_is_not_a_pack_and_a_pack_is_not_an_image(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct image *image = NULL;
    struct built_image built = pack_build(r);
    assert_fails(ERR_FORMAT, "not a .vvd delta pack but a .vvi image",
                 pack_room_try(r, &r->base_file, &e));
    assert_fails(
        ERR_FORMAT, "not a .vvi image but a .vvd delta pack",
        image_open_head(built.bytes, built.len, &accept_all_verifier, r->hasher, &image, &e));
    built_image_free(&built);
}

static void a_pack_that_is_cut_short_is_refused(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    built.len = header_head_size(&built.header) - 1;
    assert_fails(ERR_FORMAT, "pack: cut short", pack_room_try(r, &built, &e));
    built.len = (size_t)built.header.payload_offset - 1;
    assert_fails(ERR_FORMAT, "its payload begins at", pack_room_try(r, &built, &e));
    built_image_free(&built);
}

static void any_flipped_byte_before_the_payload_is_refused(void **state)
{
    struct pack_room *r = *state;
    // Without a signature area: its records are for the verifier to judge.
    r->recipe.signature_room = 0;
    struct built_image built = pack_build(r);
    built.len = (size_t)built.header.payload_offset;
    for (size_t i = 0; i < built.header.payload_offset; i++) {
        struct error e = {0};
        built.bytes[i] ^= 0x20;
        if (pack_room_try(r, &built, &e) != ERR_FORMAT) {
            fail_msg("a flipped bit of byte %zu went unnoticed", i);
        }
        built.bytes[i] ^= 0x20;
    }
    built_image_free(&built);
}

static void larger_payload_in_header(struct header *h)
{
    h->payload_size++;
    h->file_size++;
}

static void larger_table_in_header(struct header *h)
{
    h->table_size += PACK_RECORD_SIZE;
}

static void header_and_manifest_must_agree(void **state)
{
    struct pack_room *r = *state;
    r->recipe.spoil_header = larger_payload_in_header;
    refuses(r, "pack: the payload is");
    r->recipe.spoil_header = larger_table_in_header;
    refuses(r, "pack: the chunk table is");
}

static void a_table_is_taken_once(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    uint8_t *rest = malloc(1);
    assert_non_null(rest);
    assert_fails(ERR_INTERNAL, "it has its table already",
                 pack_add_table(pack, rest, 1, r->hasher, &e));
    pack_free(pack);
    built_image_free(&built);
}

static void a_table_of_another_length_is_refused(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct pack *pack = NULL;
    struct built_image built = pack_build(r);
    uint8_t *rest = calloc(1, 100);
    assert_non_null(rest);
    assert_ok(pack_open_head(built.bytes, built.len, &accept_all_verifier, r->hasher, &pack, &e));
    assert_fails(ERR_FORMAT, "pack: 100 bytes between head and payload",
                 pack_add_table(pack, rest, 100, r->hasher, &e));
    assert_null(pack->table);
    pack_free(pack);
    built_image_free(&built);
}

// --- What it is for ---

static void a_pack_knows_its_two_images(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct pack *pack = NULL;
    struct built_image built = pack_build(r);
    const uint8_t *target = r->target->header.manifest_sha256;
    const uint8_t *base = r->base->header.manifest_sha256;
    assert_ok(pack_open_head(built.bytes, built.len, &accept_all_verifier, r->hasher, &pack, &e));
    assert_true(pack_is_for(pack, target, base));
    assert_false(pack_is_for(pack, base, target));
    assert_false(pack_is_for(pack, target, target));
    assert_false(pack_is_for(pack, base, base));
    pack_free(pack);
    pack = pack_room_open(r, &built);
    assert_ok(pack_check_target(pack, r->target, &e));
    assert_ok(pack_check_base(pack, r->base, &e));
    assert_fails(ERR_FORMAT, "pack: it is for another image", pack_check_target(pack, r->base, &e));
    assert_fails(ERR_FORMAT, "pack: it is from another image",
                 pack_check_base(pack, r->target, &e));
    pack_free(pack);
    built_image_free(&built);
}

// The last record of the table with one number of 4 bytes changed.
static void put_last(uint8_t *table, size_t len, size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        table[len - PACK_RECORD_SIZE + at + i] = (uint8_t)(value >> 8 * i);
    }
}

static void spoil_chunk_behind_the_table(uint8_t *table, size_t len)
{
    put_last(table, len, 0, 12);
}

static void spoil_zero_chunk(uint8_t *table, size_t len)
{
    (void)len;
    table[(size_t)3 * PACK_RECORD_SIZE] = 4; // was chunk 3
}

static void spoil_repeated_chunk(uint8_t *table, size_t len)
{
    (void)len;
    table[(size_t)4 * PACK_RECORD_SIZE] = 6; // was chunk 5
}

static void refuses_target(struct pack_room *r, const char *sentence)
{
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    assert_fails(ERR_FORMAT, sentence, pack_check_target(pack, r->target, &e));
    assert_contains(e.msg, "pack table: record ");
    pack_free(pack);
    built_image_free(&built);
}

static void a_chunk_the_target_has_not_is_refused(void **state)
{
    struct pack_room *r = *state;
    r->recipe.spoil_table = spoil_chunk_behind_the_table;
    refuses_target(r, "chunk 12: the target has 12");
}

static void a_chunk_the_target_stores_nothing_for_is_refused(void **state)
{
    struct pack_room *r = *state;
    r->recipe.spoil_table = spoil_zero_chunk;
    refuses_target(r, "chunk 4: the target stores nothing for it");
    r->recipe.spoil_table = spoil_repeated_chunk;
    refuses_target(r, "chunk 6: the target stores nothing for it");
}

static void a_delta_that_is_not_smaller_than_the_chunk_is_refused(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    struct chunk c = chunk_table_get(r->target->table, 0, NULL);
    struct pack_record first = pack_table_get(pack->table, 0);
    assert_true(first.stored_len < c.stored_len);
    // An image whose chunk takes no more than the delta does.
    struct image other = *r->target;
    uint8_t *table = malloc(r->target->header.table_size);
    assert_non_null(table);
    memcpy(table, chunk_table_bytes(r->target->table), r->target->header.table_size);
    struct manifest m = *r->target->manifest;
    uint32_t saved = c.stored_len - first.stored_len;
    for (uint32_t i = 0; i < m.body.table_records; i++) {
        struct chunk each = chunk_table_get(r->target->table, i, NULL);
        each.stored_len -= i == 0 ? saved : 0;
        each.stored_off -= i == 0 ? 0 : saved;
        chunk_record_write(&each, table + (size_t)i * CHUNK_RECORD_SIZE);
    }
    m.body.payload_size -= saved;
    assert_ok(hasher_sha256(r->hasher, table, m.body.table_size, m.body.table_sha256, &e));
    assert_ok(chunk_table_parse(table, m.body.table_size, &m, r->hasher, &other.table, &e));
    assert_fails(ERR_FORMAT, "chunk 0: ", pack_check_target(pack, &other, &e));
    assert_contains(e.msg, "in the target");
    chunk_table_free(other.table);
    pack_free(pack);
    built_image_free(&built);
}

static void spoil_partition(uint8_t *table, size_t len)
{
    put_last(table, len, 4, 2);
}

static void spoil_window_end(uint8_t *table, size_t len)
{
    put_last(table, len, 16, 5001); // the last chunk has 5000 bytes
}

static void refuses_base(struct pack_room *r, const char *sentence)
{
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    assert_fails(ERR_FORMAT, sentence, pack_check_base(pack, r->base, &e));
    assert_contains(e.msg, "pack table: record 7");
    pack_free(pack);
    built_image_free(&built);
}

static void a_partition_the_base_has_not_is_refused(void **state)
{
    struct pack_room *r = *state;
    r->recipe.spoil_table = spoil_partition;
    refuses_base(r, "partition 2: the base has 2");
}

static void a_window_that_leaves_its_partition_is_refused(void **state)
{
    struct pack_room *r = *state;
    r->recipe.spoil_table = spoil_window_end;
    refuses_base(r, "a window of 5001 bytes at 589824, partition rootfs has 594824");
}

// --- Chunks ---

struct piece {
    struct pack_record record;
    struct chunk chunk;
    uint64_t off;
    uint8_t *stored;
    uint8_t raw[CHUNK_RAW_MAX];
};

static enum err decode(struct pack_room *r, struct piece *p, const uint8_t *window, struct error *e)
{
    return pack_decode(&p->record, &p->chunk, window, p->stored, r->decoder, r->hasher, p->raw, e);
}

static struct piece *piece_of(const struct pack_room *r, const struct built_image *built,
                              const struct pack *pack, uint32_t index)
{
    struct piece *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->record = pack_table_get(pack->table, index);
    p->chunk = chunk_table_get(r->target->table, p->record.chunk, &p->off);
    p->stored = built->bytes + built->header.payload_offset + p->record.stored_off;
    return p;
}

static void every_record_gives_the_chunk_of_the_target(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    for (uint32_t i = 0; i < PACK_ROOM_RECORDS; i++) {
        struct piece *p = piece_of(r, &built, pack, i);
        assert_ok(decode(r, p, r->old_rootfs + p->record.base_off, &e));
        assert_memory_equal(p->raw, r->new_rootfs + p->off, p->chunk.raw_len);
        free(p);
    }
    pack_free(pack);
    built_image_free(&built);
}

static void stored_bytes_of_another_hash_are_not_decoded(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    struct piece *p = piece_of(r, &built, pack, 1);
    assert_ok(pack_check_stored(&p->record, p->stored, r->hasher, &e));
    p->stored[p->record.stored_len - 1] ^= 1;
    assert_fails(ERR_FORMAT, "delta: corrupt: its stored bytes do not match their hash",
                 decode(r, p, r->old_rootfs + p->record.base_off, &e));
    assert_int_equal(p->raw[0], 0);
    free(p);
    pack_free(pack);
    built_image_free(&built);
}

static void another_window_than_the_bases_does_not_give_the_chunk(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct built_image built = pack_build(r);
    struct pack *pack = pack_room_open(r, &built);
    struct piece *p = piece_of(r, &built, pack, 1);
    r->old_rootfs[p->record.base_off + 500] ^= 1;
    assert_fails(ERR_FORMAT, "its raw bytes do not match their hash",
                 decode(r, p, r->old_rootfs + p->record.base_off, &e));
    r->old_rootfs[p->record.base_off + 500] ^= 1;
    assert_ok(decode(r, p, r->old_rootfs + p->record.base_off, &e));
    free(p);
    pack_free(pack);
    built_image_free(&built);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, pack_room_setup, pack_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_pack_is_opened),
        in_room(no_pack_without_the_verifiers_consent),
        in_room(the_manifest_is_not_parsed_before_its_signature_holds),
        in_room(an_image_is_not_a_pack_and_a_pack_is_not_an_image),
        in_room(a_pack_that_is_cut_short_is_refused),
        in_room(any_flipped_byte_before_the_payload_is_refused),
        in_room(header_and_manifest_must_agree),
        in_room(a_table_is_taken_once),
        in_room(a_table_of_another_length_is_refused),
        in_room(a_pack_knows_its_two_images),
        in_room(a_chunk_the_target_has_not_is_refused),
        in_room(a_chunk_the_target_stores_nothing_for_is_refused),
        in_room(a_delta_that_is_not_smaller_than_the_chunk_is_refused),
        in_room(a_partition_the_base_has_not_is_refused),
        in_room(a_window_that_leaves_its_partition_is_refused),
        in_room(every_record_gives_the_chunk_of_the_target),
        in_room(stored_bytes_of_another_hash_are_not_decoded),
        in_room(another_window_than_the_bases_does_not_give_the_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
