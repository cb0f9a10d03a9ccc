// SPDX-License-Identifier: Apache-2.0
// Both kinds of file through the steps they share; what is particular to each: test_image.c,
// test_pack.c.
#include "format/container.h"

#include "tests/support/expect.h"
#include "tests/support/pack_builder.h"

#include <stdlib.h>

// Refuses, and counts how often it was asked.
struct stranger {
    struct head_verifier verifier;
    unsigned *calls;
};

static enum err stranger_verify(const struct head_verifier *v, const uint8_t *message, size_t len,
                                const struct signature_list *signatures, struct error *e)
{
    const struct stranger *s = (const struct stranger *)v;
    (void)message;
    (void)len;
    (void)signatures;
    (*s->calls)++;
    return fail(e, ERR_TRUST, 0, "no trusted signature");
}

struct both {
    struct built_image files[2]; // by enum file_kind
};

static struct both build_both(const struct pack_room *r)
{
    struct both b = {.files = {[FILE_PACK] = pack_build(r)}};
    b.files[FILE_IMAGE] = r->base_file;
    return b;
}

static void clear_both(struct both *b)
{
    built_image_free(&b->files[FILE_PACK]);
}

static enum err check(const struct pack_room *r, const struct built_image *f, size_t len,
                      const struct head_verifier *v, struct header *ret, struct error *e)
{
    return container_check_head(f->bytes, len, f->header.kind, v, r->hasher, ret, e);
}

static void a_head_of_either_kind_is_accepted(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct both b = build_both(r);
    for (int kind = FILE_IMAGE; kind <= FILE_PACK; kind++) {
        struct header h = {0};
        const struct built_image *f = &b.files[kind];
        assert_ok(check(r, f, header_head_size(&f->header), &accept_all_verifier, &h, &e));
        assert_memory_equal(&h, &f->header, sizeof(h));
    }
    clear_both(&b);
}

static void a_head_of_the_other_kind_is_refused(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct header h;
    struct both b = build_both(r);
    unsigned calls = 0;
    struct stranger s = {{stranger_verify}, &calls};
    b.files[FILE_PACK].header.kind = FILE_IMAGE;
    assert_fails(ERR_FORMAT, "not a .vvi image but a .vvd delta pack",
                 check(r, &b.files[FILE_PACK], b.files[FILE_PACK].len, &s.verifier, &h, &e));
    assert_int_equal(calls, 0);
    clear_both(&b);
}

static void a_head_that_is_cut_short_names_its_kind(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct header h;
    static const char *const words[] = {"image: cut short: ", "pack: cut short: "};
    struct both b = build_both(r);
    for (int kind = FILE_IMAGE; kind <= FILE_PACK; kind++) {
        const struct built_image *f = &b.files[kind];
        assert_fails(ERR_FORMAT, "header: cut short: 127 of 128 bytes",
                     check(r, f, HEADER_SIZE - 1, &accept_all_verifier, &h, &e));
        assert_fails(ERR_FORMAT, words[kind],
                     check(r, f, header_head_size(&f->header) - 1, &accept_all_verifier, &h, &e));
    }
    clear_both(&b);
}

static void the_verifier_comes_behind_the_hash_and_has_the_last_word(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct header h;
    unsigned calls = 0;
    struct stranger s = {{stranger_verify}, &calls};
    struct both b = build_both(r);
    struct built_image *f = &b.files[FILE_PACK];
    f->bytes[HEADER_SIZE + 3] ^= 1;
    assert_fails(ERR_FORMAT, "manifest: corrupt: its hash is not the one in the header",
                 check(r, f, f->len, &s.verifier, &h, &e));
    assert_int_equal(calls, 0);
    f->bytes[HEADER_SIZE + 3] ^= 1;
    assert_fails(ERR_TRUST, "no trusted signature", check(r, f, f->len, &s.verifier, &h, &e));
    assert_int_equal(calls, 1);
    clear_both(&b);
}

static void a_malformed_signature_area_is_not_shown_to_the_verifier(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    struct header h;
    unsigned calls = 0;
    struct stranger s = {{stranger_verify}, &calls};
    struct both b = build_both(r);
    struct built_image *f = &b.files[FILE_PACK];
    f->bytes[header_head_size(&f->header) - 1] = 1;
    assert_fails(ERR_FORMAT, "signature area: corrupt", check(r, f, f->len, &s.verifier, &h, &e));
    assert_int_equal(calls, 0);
    clear_both(&b);
}

static void sizes_that_differ_are_refused(void **state)
{
    (void)state;
    struct error e;
    struct header h = {.kind = FILE_PACK, .table_size = 48, .payload_size = 9};
    struct file_body body = {.table_size = 48, .payload_size = 9};
    assert_ok(container_check_agreement(&h, &body, &e));
    body.table_size = 96;
    assert_fails(ERR_FORMAT, "pack: the chunk table is 48 bytes in the header, 96 in the manifest",
                 container_check_agreement(&h, &body, &e));
    h.kind = FILE_IMAGE;
    body = (struct file_body){.table_size = 48, .payload_size = 8};
    assert_fails(ERR_FORMAT, "image: the payload is 9 bytes in the header, 8 in the manifest",
                 container_check_agreement(&h, &body, &e));
}

static void the_table_moves_to_the_front(void **state)
{
    (void)state;
    struct error e;
    // Head of 130 bytes; the table stands at 192, behind a pad of 62.
    struct header h = {.kind = FILE_PACK, .manifest_size = 2, .table_size = 96};
    assert_ok(header_lay_out(&h, &e));
    uint8_t rest[4096 - 130] = {0};
    size_t len = sizeof(rest);
    for (size_t i = 0; i < 96; i++) {
        rest[62 + i] = (uint8_t)(i + 1);
    }
    assert_fails(ERR_FORMAT, "pack: 3965 bytes between head and payload, expected 3966",
                 container_move_table(&h, rest, len - 1, &e));
    assert_fails(ERR_FORMAT, "pack: 3967 bytes", container_move_table(&h, rest, len + 1, &e));
    static const size_t pads[] = {0, 61, 62 + 96, sizeof(rest) - 1};
    for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
        rest[pads[i]] = 1;
        assert_fails(ERR_FORMAT,
                     i < 2 ? "a byte between signature area and chunk table is not zero"
                           : "a byte between chunk table and payload is not zero",
                     container_move_table(&h, rest, len, &e));
        rest[pads[i]] = 0;
    }
    assert_ok(container_move_table(&h, rest, len, &e));
    for (size_t i = 0; i < 96; i++) {
        assert_int_equal(rest[i], i + 1);
    }
}

static void only_the_table_of_the_manifest_is_accepted(void **state)
{
    struct pack_room *r = *state;
    struct error e;
    uint8_t table[96] = {1, 2, 3};
    struct file_body body = {.table_size = sizeof(table)};
    assert_ok(hasher_sha256(r->hasher, table, sizeof(table), body.table_sha256, &e));
    assert_ok(container_check_table(&body, table, sizeof(table), r->hasher, &e));
    assert_fails(ERR_FORMAT, "48 bytes, the manifest says 96",
                 container_check_table(&body, table, 48, r->hasher, &e));
    table[95] = 1;
    assert_fails(ERR_FORMAT, "corrupt: its hash is not the one in the manifest",
                 container_check_table(&body, table, sizeof(table), r->hasher, &e));
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, pack_room_setup, pack_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_head_of_either_kind_is_accepted),
        in_room(a_head_of_the_other_kind_is_refused),
        in_room(a_head_that_is_cut_short_names_its_kind),
        in_room(the_verifier_comes_behind_the_hash_and_has_the_last_word),
        in_room(a_malformed_signature_area_is_not_shown_to_the_verifier),
        cmocka_unit_test(sizes_that_differ_are_refused),
        cmocka_unit_test(the_table_moves_to_the_front),
        in_room(only_the_table_of_the_manifest_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
