// SPDX-License-Identifier: Apache-2.0
#include "updater/deltas.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/pack_builder.h"
#include "tests/support/test_data.h"
#include "updater/slot_record.h"

#include <stdlib.h>
#include <string.h>

// Release 1 runs in slot a, is on record there, and release 2 is served with the pack beside it.
struct stage {
    struct pack_room *room;
    struct bench *bench;
    struct built_image pack;
    struct source_mem pack_source;
    struct install_report report;
};

static void sign(struct stage *s, struct built_image *file)
{
    struct signature_record record = test_cms(&s->bench->signer, "SHA256", 0, NULL, file->bytes,
                                              header_signed_size(&file->header));
    built_image_attach(file, record.type, record.data, record.len);
    test_record_clear(&record);
}

static void put_record(struct stage *s)
{
    struct error e;
    CLEANUP(cleanup_image) struct image *image = NULL;
    sign(s, &s->room->base_file);
    assert_ok(image_open_prefix(s->room->base_file.bytes, s->room->base_file.len,
                                &accept_all_verifier, s->bench->device.hasher, &image, &e));
    assert_ok(slot_record_save(&s->bench->state.base, "a", image, &e));
}

static void serve(struct stage *s)
{
    bench_restart(s->bench);
    source_mem_init(&s->pack_source, s->pack.bytes, s->pack.len, &s->bench->seam);
    s->bench->source.beside = &s->pack_source;
}

static void build_pack(struct stage *s)
{
    built_image_free(&s->pack);
    s->pack = pack_build(s->room);
    sign(s, &s->pack);
    serve(s);
}

static int make(void **state)
{
    void *room = NULL;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(pack_room_setup(&room), 0);
    s->room = room;
    s->bench = bench_new(PACK_ROOM_ROOTFS + 8192, PACK_ROOM_BOOT + 8192);
    memcpy(s->bench->slots[SLOT_A][0].data, s->room->old_rootfs, PACK_ROOM_ROOTFS);
    memcpy(s->bench->slots[SLOT_A][1].data, s->room->boot, PACK_ROOM_BOOT);
    put_record(s);
    sign(s, &s->room->target_file);
    s->bench->image = s->room->target_file;
    memset(&s->room->target_file, 0, sizeof s->room->target_file);
    build_pack(s);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    void *room = s->room;
    built_image_free(&s->pack);
    bench_free(s->bench);
    assert_int_equal(pack_room_teardown(&room), 0);
    free(s);
    return 0;
}

static void installs(struct stage *s)
{
    struct error e;
    assert_ok(bench_install(s->bench, &s->report, &e));
    assert_true(s->report.activated);
    bench_expect_content(s->bench, 0, s->room->new_rootfs, PACK_ROOM_ROOTFS);
    bench_expect_content(s->bench, 1, s->room->boot, PACK_ROOM_BOOT);
}

// Of the image.
static uint64_t payload_bytes(const struct stage *s)
{
    return s->bench->source.read_bytes - s->bench->image.header.payload_offset;
}

// All stored bytes that the pack can save.
static uint64_t stored_sum(const struct stage *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 10; i++) {
        struct chunk c = chunk_table_get(s->room->target->table, i, NULL);
        bool own = chunk_table_origin(s->room->target->table, i) == i;
        sum += own && c.codec != CODEC_ZERO ? c.stored_len : 0;
    }
    return sum;
}

static void with_a_pack_nothing_is_fetched_of_the_image_but_head_and_table(void **state)
{
    struct stage *s = *state;
    installs(s);
    assert_string_equal(s->bench->source.suffix, ".from-1.vvd");
    assert_int_equal(payload_bytes(s), 0);
    assert_int_equal(s->report.planned_bytes, s->pack.header.payload_size);
    assert_int_equal(s->pack_source.read_bytes,
                     s->pack.header.payload_offset + s->pack.header.payload_size);
    assert_int_equal(s->report.fetched_bytes,
                     s->bench->source.read_bytes + s->pack_source.read_bytes);
}

static void without_a_pack_the_image_is_fetched_and_nothing_is_said(void **state)
{
    struct stage *s = *state;
    s->bench->source.beside = NULL;
    installs(s);
    assert_string_equal(s->bench->source.suffix, ".from-1.vvd");
    assert_int_equal(payload_bytes(s), stored_sum(s));
    fflush(s->bench->log.stream);
    assert_null(strstr(s->bench->talk, "pack"));
}

// Whatever is wrong with the whole pack: it costs itself, and a line.
static void expect_unused(struct stage *s, const char *why)
{
    installs(s);
    assert_int_equal(payload_bytes(s), stored_sum(s));
    fflush(s->bench->log.stream);
    assert_contains(s->bench->talk, "the delta pack is not used: ");
    assert_contains(s->bench->talk, why);
}

static void a_pack_that_is_not_signed_is_not_used(void **state)
{
    struct stage *s = *state;
    built_image_free(&s->pack);
    s->pack = pack_build(s->room);
    serve(s);
    expect_unused(s, "not signed");
}

static void a_pack_that_was_changed_is_not_used(void **state)
{
    struct stage *s = *state;
    s->pack.bytes[HEADER_SIZE + 20] ^= 1;
    expect_unused(s, "corrupt");
}

static void a_pack_with_a_wrong_table_is_not_used(void **state)
{
    struct stage *s = *state;
    s->pack.bytes[s->pack.header.table_offset + 3] ^= 1;
    expect_unused(s, "corrupt");
}

static void swap_base(struct pack_manifest *m)
{
    m->base.manifest_sha256[5] ^= 1;
}

static void a_pack_from_another_release_is_not_used(void **state)
{
    struct stage *s = *state;
    s->room->recipe.spoil_pack = swap_base;
    build_pack(s);
    expect_unused(s, "for other releases");
}

static void an_image_in_the_place_of_the_pack_is_not_used(void **state)
{
    struct stage *s = *state;
    source_mem_init(&s->pack_source, s->room->base_file.bytes, s->room->base_file.len,
                    &s->bench->seam);
    expect_unused(s, "pack");
}

static void a_pack_that_ends_early_is_not_used(void **state)
{
    struct stage *s = *state;
    s->pack_source.len = (size_t)s->pack.header.payload_offset;
    expect_unused(s, "file");
}

static void a_delta_that_was_changed_costs_its_chunk(void **state)
{
    struct stage *s = *state;
    struct pack_record r = {0};
    struct pack *pack = pack_room_open(s->room, &s->pack);
    assert_true(pack_table_find(pack->table, 3, &r));
    pack_free(pack);
    s->pack_source.flip_off = (int64_t)(s->pack.header.payload_offset + r.stored_off);
    installs(s);
    assert_int_equal(payload_bytes(s), chunk_table_get(s->room->target->table, 3, NULL).stored_len);
}

static void a_connection_to_the_pack_that_is_lost_costs_the_chunks_behind(void **state)
{
    struct stage *s = *state;
    struct pack_record r = {0};
    struct pack *pack = pack_room_open(s->room, &s->pack);
    assert_true(pack_table_find(pack->table, 7, &r));
    pack_free(pack);
    s->pack_source.cut_off = s->pack.header.payload_offset + r.stored_off;
    installs(s);
    uint64_t expected = 0;
    for (uint32_t i = 7; i < 10; i++) {
        expected += chunk_table_get(s->room->target->table, i, NULL).stored_len;
    }
    assert_int_equal(payload_bytes(s), expected);
}

static void a_running_slot_that_is_not_what_is_on_record_costs_its_chunks(void **state)
{
    struct stage *s = *state;
    s->bench->slots[SLOT_A][0].data[3 * PACK_ROOM_CHUNK + 1234] ^= 1;
    installs(s);
    uint64_t stored = chunk_table_get(s->room->target->table, 3, NULL).stored_len;
    assert_true(payload_bytes(s) == 0 || payload_bytes(s) == stored);
    assert_true(s->report.activated);
}

static void a_place_of_the_running_slot_that_cannot_be_read_costs_its_chunk(void **state)
{
    struct stage *s = *state;
    s->bench->slots[SLOT_A][0].unreadable_off = 5 * PACK_ROOM_CHUNK + 1;
    installs(s);
    assert_int_equal(payload_bytes(s), chunk_table_get(s->room->target->table, 5, NULL).stored_len);
}

static void without_a_record_of_the_running_slot_no_pack_is_asked_for(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(slot_record_forget(&s->bench->state.base, "a", &e));
    serve(s);
    installs(s);
    assert_string_equal(s->bench->source.suffix, "");
    assert_int_equal(s->pack_source.range_count, 0);
}

static void the_same_arrives_with_threads(void **state)
{
    struct stage *s = *state;
    s->bench->device.workers = 2;
    s->bench->device.lanes = 2;
    installs(s);
    assert_int_equal(payload_bytes(s), 0);
}

static void with_threads_a_lost_connection_costs_the_chunks_behind(void **state)
{
    struct stage *s = *state;
    s->bench->device.workers = 2;
    s->bench->device.lanes = 2;
    s->pack_source.cut_off = s->pack.header.payload_offset + 1;
    installs(s);
    assert_int_equal(payload_bytes(s), stored_sum(s));
}

static void with_threads_a_pack_that_is_refused_costs_what_it_would_have_saved(void **state)
{
    struct stage *s = *state;
    s->bench->device.workers = 2;
    s->bench->device.lanes = 2;
    s->pack_source.refuse_off = s->pack.header.payload_offset;
    installs(s);
    assert_int_equal(payload_bytes(s), stored_sum(s));
}

// All deltas are wrong, and the pack is given up with the last of them.
static void a_running_slot_of_other_bytes_costs_what_would_have_been_saved(void **state)
{
    struct stage *s = *state;
    fill_random(s->bench->slots[SLOT_A][0].data, PACK_ROOM_ROOTFS, 77);
    for (unsigned workers = 0; workers <= 3; workers++) {
        s->bench->device.workers = workers;
        s->bench->device.lanes = 2;
        memset(s->bench->slots[SLOT_B][0].data, 0xee, PACK_ROOM_ROOTFS);
        memset(s->bench->slots[SLOT_B][1].data, 0xee, PACK_ROOM_BOOT);
        env_sim_put(&s->bench->env.sim, "vv_trial", NULL);
        env_sim_put(&s->bench->env.sim, "BOOT_ORDER", "A B");
        s->bench->device.journal.step = STEP_IDLE;
        serve(s);
        installs(s);
        assert_int_equal(payload_bytes(s), stored_sum(s));
    }
}

static void what_came_for_a_pack_that_is_not_used_is_counted(void **state)
{
    struct stage *s = *state;
    s->pack.bytes[HEADER_SIZE + 20] ^= 1;
    installs(s);
    assert_true(s->pack_source.read_bytes > 0);
    assert_int_equal(s->report.fetched_bytes,
                     s->bench->source.read_bytes + s->pack_source.read_bytes);
}

#define deltas_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        deltas_test(with_a_pack_nothing_is_fetched_of_the_image_but_head_and_table),
        deltas_test(without_a_pack_the_image_is_fetched_and_nothing_is_said),
        deltas_test(a_pack_that_is_not_signed_is_not_used),
        deltas_test(a_pack_that_was_changed_is_not_used),
        deltas_test(a_pack_with_a_wrong_table_is_not_used),
        deltas_test(a_pack_from_another_release_is_not_used),
        deltas_test(an_image_in_the_place_of_the_pack_is_not_used),
        deltas_test(a_pack_that_ends_early_is_not_used),
        deltas_test(a_delta_that_was_changed_costs_its_chunk),
        deltas_test(a_connection_to_the_pack_that_is_lost_costs_the_chunks_behind),
        deltas_test(a_running_slot_that_is_not_what_is_on_record_costs_its_chunks),
        deltas_test(a_place_of_the_running_slot_that_cannot_be_read_costs_its_chunk),
        deltas_test(without_a_record_of_the_running_slot_no_pack_is_asked_for),
        deltas_test(the_same_arrives_with_threads),
        deltas_test(with_threads_a_lost_connection_costs_the_chunks_behind),
        deltas_test(with_threads_a_pack_that_is_refused_costs_what_it_would_have_saved),
        deltas_test(a_running_slot_of_other_bytes_costs_what_would_have_been_saved),
        deltas_test(what_came_for_a_pack_that_is_not_used_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
