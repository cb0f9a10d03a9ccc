// SPDX-License-Identifier: Apache-2.0
// Lives with packs prove nothing if no delta is ever made: here it is counted what comes of each.
#include "tests/sim/sim_kit_bytes.h"

#include "format/pack.h"
#include "tests/sim/invariants.h"
#include "tests/sim/life.h"
#include "tests/support/expect.h"

#include <stdlib.h>
#include <string.h>

// Of the patched image: what nobody has but the image, and what 1 has elsewhere or where it is,
// with what is repeated. A pack is given up for fewer wrong deltas than there are.
enum { OWN_BYTES = 3000, COPIED_BYTES = 2 * 3000 + 2100 + 4 * 5 + 333, DELTAS_MIN = 12 };

struct scene {
    struct sim_kit *kit;
    struct decoder *decoder;
    struct findings findings;
};

static int make(void **state)
{
    struct error e;
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->kit = sim_kit_make_bytes();
    assert_ok(decoder_new(&s->decoder, &e));
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    decoder_free(s->decoder);
    sim_kit_free(s->kit);
    free(s);
    return 0;
}

// --- packs ---------------------------------------------------------------------------------------

static struct pack *open_pack(const struct scene *s, enum sim_pack_kind kind)
{
    struct error e;
    struct pack *pack = NULL;
    const struct built_image *file = &s->kit->packs[kind].file;
    struct image_trust trust = image_trust_with(s->kit->trust, 1, 0);
    uint8_t *copy = malloc(file->len);
    assert_non_null(copy);
    memcpy(copy, file->bytes, file->len);
    assert_ok(pack_take_prefix(copy, file->len, &trust.verifier, s->kit->hasher, &pack, &e));
    assert_ok(pack_check_target(pack, s->kit->releases[SIM_PATCHED].image, &e));
    assert_ok(pack_check_base(pack, s->kit->releases[1].image, &e));
    return pack;
}

// What delta `index` makes of release 1 is right.
static bool is_right(const struct scene *s, enum sim_pack_kind kind, const struct pack *pack,
                     uint32_t index)
{
    struct error e;
    struct pack_record r = pack_table_get(pack->table, index);
    struct chunk c = chunk_table_get(s->kit->releases[SIM_PATCHED].image->table, r.chunk, NULL);
    const uint8_t *window = s->kit->releases[1].content[r.base_partition] + r.base_off;
    const uint8_t *stored =
        s->kit->packs[kind].file.bytes + pack->header.payload_offset + r.stored_off;
    uint8_t *raw = malloc(c.raw_len);
    assert_non_null(raw);
    enum err err = pack_decode(&r, &c, window, stored, s->decoder, s->kit->hasher, raw, &e);
    free(raw);
    return err == OK;
}

static uint32_t count_right(const struct scene *s, enum sim_pack_kind kind, uint32_t end)
{
    uint32_t right = 0;
    struct pack *pack = open_pack(s, kind);
    for (uint32_t i = 0; i < end; i++) {
        right += is_right(s, kind, pack, i) ? 1 : 0;
    }
    pack_free(pack);
    return right;
}

static uint32_t count_deltas(const struct scene *s, enum sim_pack_kind kind)
{
    struct pack *pack = open_pack(s, kind);
    uint32_t count = pack_table_count(pack->table);
    pack_free(pack);
    return count;
}

static void every_delta_of_the_right_pack_is_right_and_none_of_the_foreign(void **state)
{
    const struct scene *s = *state;
    uint32_t count = count_deltas(s, SIM_PACK_RIGHT);
    assert_true(count >= DELTAS_MIN);
    assert_int_equal(count_right(s, SIM_PACK_RIGHT, count), count);
    count = count_deltas(s, SIM_PACK_FOREIGN);
    assert_true(count >= DELTAS_MIN);
    assert_int_equal(count_right(s, SIM_PACK_FOREIGN, count), 0);
}

static void the_damaged_pack_has_right_deltas_around_a_wrong_one_and_then_ends(void **state)
{
    const struct scene *s = *state;
    const struct sim_pack *damaged = &s->kit->packs[SIM_PACK_DAMAGED];
    struct pack *pack = open_pack(s, SIM_PACK_DAMAGED);
    uint32_t readable = 0;
    while (damaged->file.header.payload_offset + pack_table_get(pack->table, readable).stored_off +
               pack_table_get(pack->table, readable).stored_len <=
           damaged->lost_off) {
        readable++;
    }
    assert_in_range(readable, 4, pack_table_count(pack->table) - 3);
    assert_int_equal(count_right(s, SIM_PACK_DAMAGED, readable), readable - 1);
    assert_true(is_right(s, SIM_PACK_DAMAGED, pack, 0));
    assert_true(is_right(s, SIM_PACK_DAMAGED, pack, readable - 1));
    pack_free(pack);
}

// --- lives ---------------------------------------------------------------------------------------

static const struct life *life_named(const char *name)
{
    size_t i = 0;
    while (i < lives_count && strcmp(lives[i].name, name) != 0) {
        i++;
    }
    assert_true(i < lives_count);
    return &lives[i];
}

struct counted {
    struct install_report report;
    uint64_t payload, pack; // bytes that came from both; of the pack without head and table
};

static struct counted install(struct scene *s, const char *name)
{
    struct error e;
    struct counted c = {0};
    const struct life *l = life_named(name);
    const struct world_shape shape = {.contract = CONTRACT_ORDER, .sector_bytes = 512};
    struct world *w = life_begin(l, &shape, s->kit, &s->findings);
    const struct sim_release *r = &s->kit->releases[l->wish.release];
    assert_ok(world_install(w, l->wish.release, true, &c.report, &e));
    assert_int_equal(world_content(w, other_slot(w->m.truth.running), true), l->wish.release);
    c.payload = w->source.base.fetched_bytes - r->built.header.payload_offset;
    if (l->pack != SIM_PACK_NONE) {
        c.pack = w->pack.base.fetched_bytes - s->kit->packs[l->pack].file.header.payload_offset;
    }
    world_free(w);
    assert_false(s->findings.found);
    return c;
}

static uint64_t pack_payload(const struct scene *s, enum sim_pack_kind kind)
{
    return s->kit->packs[kind].file.header.payload_size;
}

static void with_the_right_pack_the_image_brings_what_nobody_else_has(void **state)
{
    struct counted c = install(*state, "packed");
    assert_int_equal(c.payload, OWN_BYTES);
    assert_int_equal(c.report.copied_bytes, COPIED_BYTES);
    assert_true(c.pack < c.report.planned_write_bytes / 10);
}

// A pack that is nothing but wrong is not read to its end.
static void with_a_foreign_pack_all_but_copies_is_fetched(void **state)
{
    struct counted c = install(*state, "foreign");
    assert_int_equal(c.report.copied_bytes, COPIED_BYTES);
    assert_true(c.payload >= c.report.planned_write_bytes - COPIED_BYTES);
    assert_true(c.pack > 0 && c.pack < pack_payload(*state, SIM_PACK_FOREIGN) * 3 / 4);
}

static void with_a_damaged_pack_some_is_patched_and_the_rest_fetched(void **state)
{
    struct counted c = install(*state, "damaged");
    assert_int_equal(c.report.copied_bytes, COPIED_BYTES);
    assert_true(c.payload > OWN_BYTES);
    assert_true(c.pack > pack_payload(*state, SIM_PACK_DAMAGED) / 2);
    assert_true(c.pack < pack_payload(*state, SIM_PACK_DAMAGED));
}

// What is repeated is copied in the target.
static void with_a_replaced_slot_neither_copies_nor_deltas_are_right(void **state)
{
    struct counted c = install(*state, "replaced");
    assert_int_equal(c.report.planned_copy_bytes, COPIED_BYTES);
    assert_int_equal(c.report.copied_bytes, 2100);
    assert_true(c.pack > 0 && c.pack < pack_payload(*state, SIM_PACK_RIGHT));
}

static void what_moved_by_bytes_is_found_in_a_slot_without_a_record(void **state)
{
    struct scene *s = *state;
    const struct partition_info *info = s->kit->releases[SIM_MOVED].image->manifest->partitions;
    struct counted c = install(s, "searched");
    assert_string_equal(info->cut, "byte:4096");
    assert_true(info->count >= 4);
    assert_true(c.report.copied_bytes >= 4096);
}

#define KIT_TEST(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(every_delta_of_the_right_pack_is_right_and_none_of_the_foreign),
        KIT_TEST(the_damaged_pack_has_right_deltas_around_a_wrong_one_and_then_ends),
        KIT_TEST(with_the_right_pack_the_image_brings_what_nobody_else_has),
        KIT_TEST(with_a_foreign_pack_all_but_copies_is_fetched),
        KIT_TEST(with_a_damaged_pack_some_is_patched_and_the_rest_fetched),
        KIT_TEST(with_a_replaced_slot_neither_copies_nor_deltas_are_right),
        KIT_TEST(what_moved_by_bytes_is_found_in_a_slot_without_a_record),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
