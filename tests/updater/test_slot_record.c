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
    s->bench = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    image_recipe_add(&r, "rootfs", data, LEN);
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
        record_test(errors_of_the_store_come_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
