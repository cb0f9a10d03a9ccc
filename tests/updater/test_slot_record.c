// SPDX-License-Identifier: Apache-2.0
#include "updater/slot_record.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { LEN = 20000 };

struct stage {
    struct bench *bench;
    struct bench_target t;
};

static int make(void **state)
{
    uint8_t data[LEN];
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    fill_random(data, LEN, 1);
    s->bench = bench_new(LEN, LEN);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = (const uint32_t[]){16, 0};
    r.signature_room = 20 * 1024;
    image_recipe_add(&r, "rootfs", data, LEN);
    image_recipe_add(&r, "boot", data + 1, LEN / 2);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s);
    return 0;
}

static enum err load(struct stage *s, struct image **ret, struct error *e)
{
    struct image_trust trust;
    enum err err = device_trust(&s->bench->device, &trust, e);
    assert_int_equal(err, OK);
    return slot_record_load(s->bench->device.state, "b", &trust.verifier, s->bench->device.hasher,
                            ret, e);
}

static void a_record_comes_back_with_its_table(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    assert_true(state_mem_has(&s->bench->state, "slot-b"));
    assert_ok(load(s, &image, &e));
    assert_string_equal(image->manifest->version, "2.0");
    assert_int_equal(chunk_table_count(image->table), chunk_table_count(s->t.image->table));
    assert_memory_equal(image->header.manifest_sha256, s->t.image->header.manifest_sha256,
                        SHA256_SIZE);
    image_free(image);
}

static void each_slot_has_its_own(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "a", s->t.image, &e));
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", load(s, &image, &e));
}

static void a_missing_record_and_a_mark_are_no_release(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    bool exists = true;
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", load(s, &image, &e));
    assert_ok(slot_record_exists(s->bench->device.state, "b", &exists, &e));
    assert_false(exists);
    assert_ok(slot_record_mark(s->bench->device.state, "b", &e));
    assert_ok(slot_record_exists(s->bench->device.state, "b", &exists, &e));
    assert_true(exists);
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", load(s, &image, &e));
}

static void a_mark_does_not_replace_a_record(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    unsigned before = s->bench->state.replaced;
    assert_ok(slot_record_mark(s->bench->device.state, "b", &e));
    assert_int_equal(s->bench->state.replaced, before);
    assert_ok(load(s, &image, &e));
    image_free(image);
}

static void of_a_record_that_is_forgotten_only_the_mark_is_left(void **state)
{
    struct stage *s = *state;
    struct error e;
    bool exists;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    assert_ok(slot_record_forget(s->bench->device.state, "b", &e));
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", load(s, &image, &e));
    assert_ok(slot_record_exists(s->bench->device.state, "b", &exists, &e));
    assert_true(exists);
    unsigned before = s->bench->state.replaced;
    assert_ok(slot_record_forget(s->bench->device.state, "b", &e));
    assert_int_equal(s->bench->state.replaced, before);
}

static void a_changed_record_is_refused(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    state_mem_spoil(&s->bench->state, "slot-b");
    enum err err = load(s, &image, &e);
    assert_true(err == ERR_FORMAT || err == ERR_TRUST);
    assert_contains(e.msg, "slot b: its stored record: ");
    assert_null(image);
}

static void a_record_is_trusted_no_more_than_an_image_from_the_network(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    s->bench->config.trust_signers = 2; // the operator asks for more than before
    assert_fails(ERR_TRUST, "slot b: its stored record", load(s, &image, &e));
}

static void room_for_a_record_is_asked_for_and_nothing_is_written(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct state_store *store = s->bench->device.state;
    assert_ok(slot_record_mark(store, "b", &e));
    unsigned before = s->bench->state.replaced;
    assert_ok(slot_record_check_room(store, "b", s->t.image, &e));
    s->bench->state.room = (size_t)s->t.image->header.payload_offset;
    assert_ok(slot_record_check_room(store, "b", s->t.image, &e));
    s->bench->state.room--;
    assert_fails(ERR_IO,
                 "the state directory cannot take the record of slot b: state record slot-b",
                 slot_record_check_room(store, "b", s->t.image, &e));
    assert_int_equal(e.sys, ENOSPC);
    assert_int_equal(s->bench->state.replaced, before);
}

static void a_record_is_compared_byte_for_byte(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct state_store *store = s->bench->device.state;
    bool same = true;
    assert_ok(slot_record_is(store, "b", s->t.image, &same, &e));
    assert_false(same);
    assert_ok(slot_record_mark(store, "b", &e));
    assert_ok(slot_record_is(store, "b", s->t.image, &same, &e));
    assert_false(same);
    assert_ok(slot_record_save(store, "b", s->t.image, &e));
    assert_ok(slot_record_is(store, "b", s->t.image, &same, &e));
    assert_true(same);
    state_mem_spoil(&s->bench->state, "slot-b");
    assert_ok(slot_record_is(store, "b", s->t.image, &same, &e));
    assert_false(same);
}

// --- chunk by chunk ---

struct walked {
    struct stage *stage;
    uint32_t count;
};

// In the order of the table, and where the table says.
static void note(void *context, const struct partition_info *info, uint64_t off,
                 const struct chunk *c)
{
    struct walked *w = context;
    uint64_t expected_off;
    struct chunk expected = chunk_table_get(w->stage->t.image->table, w->count, &expected_off);
    const struct partition_info *part =
        w->stage->t.slot->partitions[slot_find(w->stage->t.slot, w->count)].info;
    assert_string_equal(info->name, part->name);
    assert_int_equal(off, expected_off);
    assert_memory_equal(c->raw_sha256, expected.raw_sha256, SHA256_SIZE);
    assert_int_equal(c->raw_len, expected.raw_len);
    w->count++;
}

static enum err walk(struct stage *s, uint32_t *ret_count, struct error *e)
{
    struct image_trust trust;
    struct walked walked = {.stage = s};
    const struct slot_record_walk how = {.each = note, .context = &walked};
    enum err err = device_trust(&s->bench->device, &trust, e);
    assert_int_equal(err, OK);
    err = slot_record_walk(s->bench->device.state, "b", &trust.verifier, s->bench->device.hasher,
                           &how, e);
    *ret_count = walked.count;
    return err;
}

static void the_chunks_of_a_record_come_one_by_one(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint32_t count;
    assert_true(s->t.image->header.table_size > 2 * FILE_PIECE_BYTES);
    assert_true(header_head_size(&s->t.image->header) > FILE_PIECE_BYTES);
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    assert_ok(walk(s, &count, &e));
    assert_int_equal(count, chunk_table_count(s->t.image->table));
}

static void of_a_slot_without_a_record_come_none(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint32_t count;
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", walk(s, &count, &e));
    assert_ok(slot_record_mark(s->bench->device.state, "b", &e));
    assert_fails(ERR_NOT_NOW, "slot b holds no verified release", walk(s, &count, &e));
    assert_int_equal(count, 0);
}

// Header, manifest, signature and table in turn, and a record that was cut short.
static void of_a_changed_record_come_none(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint32_t count;
    struct state_store *store = s->bench->device.state;
    const struct header *h = &s->t.image->header;
    const size_t places[] = {20, HEADER_SIZE + 5, header_signed_size(h) + 40,
                             (size_t)h->table_offset, (size_t)h->table_offset + 70000};
    size_t len = (size_t)h->payload_offset;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        s->bench->image.bytes[places[i]] ^= 1;
        assert_ok(state_replace(store, "slot-b", s->bench->image.bytes, len, &e));
        s->bench->image.bytes[places[i]] ^= 1;
        enum err err = walk(s, &count, &e);
        assert_true(err == ERR_FORMAT || err == ERR_TRUST);
        assert_contains(e.msg, "slot b: its stored record: ");
        assert_int_equal(count, 0);
    }
    const size_t lengths[] = {1, HEADER_SIZE, HEADER_SIZE + 100, (size_t)h->table_offset + 64};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_ok(state_replace(store, "slot-b", s->bench->image.bytes, lengths[i], &e));
        assert_fails(ERR_FORMAT, "slot b: its stored record: ", walk(s, &count, &e));
        assert_int_equal(count, 0);
    }
}

static void chunks_are_trusted_no_more_than_the_record(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint32_t count;
    assert_ok(slot_record_save(s->bench->device.state, "b", s->t.image, &e));
    s->bench->config.trust_signers = 2;
    assert_fails(ERR_TRUST, "slot b: its stored record", walk(s, &count, &e));
    s->bench->config.trust_signers = 1;
    for (unsigned call = 1; call <= 2; call++) {
        s->bench->seam.fail_at = s->bench->seam.calls + call;
        assert_fails(ERR_IO, "slot b: its stored record: state read", walk(s, &count, &e));
        assert_int_equal(count, 0);
    }
}

static void errors_of_the_store_come_through(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct image *image = NULL;
    bool exists;
    struct state_store *store = s->bench->device.state;
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "state replace", slot_record_save(store, "b", s->t.image, &e));
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "slot b: its stored record: state read", load(s, &image, &e));
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "state read", slot_record_exists(store, "b", &exists, &e));
    s->bench->seam.fail_at = s->bench->seam.calls + 2;
    assert_fails(ERR_IO, "state replace", slot_record_mark(store, "b", &e));
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "slot b: state try", slot_record_check_room(store, "b", s->t.image, &e));
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "state compare", slot_record_is(store, "b", s->t.image, &exists, &e));
}

#define record_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        record_test(a_record_comes_back_with_its_table),
        record_test(each_slot_has_its_own),
        record_test(a_missing_record_and_a_mark_are_no_release),
        record_test(a_mark_does_not_replace_a_record),
        record_test(of_a_record_that_is_forgotten_only_the_mark_is_left),
        record_test(a_changed_record_is_refused),
        record_test(a_record_is_trusted_no_more_than_an_image_from_the_network),
        record_test(room_for_a_record_is_asked_for_and_nothing_is_written),
        record_test(a_record_is_compared_byte_for_byte),
        record_test(the_chunks_of_a_record_come_one_by_one),
        record_test(of_a_slot_without_a_record_come_none),
        record_test(of_a_changed_record_come_none),
        record_test(chunks_are_trusted_no_more_than_the_record),
        record_test(errors_of_the_store_come_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
