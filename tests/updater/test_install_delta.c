// SPDX-License-Identifier: Apache-2.0
// Whole installs that copy what the device has: updater/seeds.h.
#include "updater/install.h"

#include "tests/support/bench_letters.h"
#include "tests/support/expect.h"

#include <stdlib.h>
#include <string.h>

// Slot a runs and holds one release, recorded; slot b holds noise.
static struct bench *known_running(const char *rootfs, const char *boot)
{
    struct bench *b = letters_bench();
    letters_record(b, SLOT_A, rootfs, boot);
    letters_put(b, SLOT_A, rootfs, boot);
    return b;
}

static void installs(struct bench *b, struct install_report *r)
{
    struct error e;
    assert_ok(bench_install(b, r, &e));
    assert_true(r->activated);
}

// Bytes of payload that came from the source.
static uint64_t fetched_payload(const struct bench *b, const struct install_report *r)
{
    return r->fetched_bytes - b->image.header.payload_offset;
}

static void what_the_running_slot_has_is_copied(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_serve(b, 2, "ABXDE0CHI", "PQ");
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABXDE0CHI", "PQ");
    letters_expect(b, SLOT_A, "ABCDEFGHI", "PQ");
    assert_int_equal(r.planned_bytes, LETTER);
    assert_int_equal(fetched_payload(b, &r), LETTER);
    assert_int_equal(r.planned_copy_bytes, 9 * LETTER);
    assert_int_equal(r.copied_bytes, 9 * LETTER);
    assert_int_equal(r.planned_zero_bytes, LETTER);
    assert_int_equal(r.planned_write_bytes, 10 * LETTER);
    assert_int_equal(r.written_bytes, 10 * LETTER);
    assert_int_equal(r.reused_bytes, 0);
    bench_free(b);
}

static void an_update_that_has_it_all_asks_for_no_payload(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_serve(b, 2, "IHGFEDCBA", "QP");
    installs(b, &r);
    letters_expect(b, SLOT_B, "IHGFEDCBA", "QP");
    assert_int_equal(r.planned_bytes, 0);
    assert_int_equal(fetched_payload(b, &r), 0);
    assert_int_equal(b->source.range_count, 1);
    bench_free(b);
}

static void the_target_is_copied_from_too(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEF", "P");
    letters_record(b, SLOT_B, "ABUVWXYZ", "PQR");
    letters_put(b, SLOT_B, "ABUVWXYZ", "PQR");
    // Not W: it is written over before it is needed.
    letters_serve(b, 2, "ABVXR0EZW", "PC");
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABVXR0EZW", "PC");
    assert_int_equal(r.copied_bytes, 5 * LETTER); // V, X, R, E, C
    assert_int_equal(fetched_payload(b, &r), LETTER);
    assert_int_equal(r.reused_bytes, 4 * LETTER);
    assert_int_equal(r.written_bytes, 6 * LETTER + 2 * HEAD_SIZE);
    bench_free(b);
}

static void a_record_that_lies_costs_only_what_is_fetched_instead(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_put(b, SLOT_A, "ABCdeFGHI", "pQ");
    letters_serve(b, 2, "ABXDECGHI", "PQ");
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABXDECGHI", "PQ");
    assert_int_equal(r.planned_bytes, LETTER);
    assert_int_equal(fetched_payload(b, &r), 4 * LETTER); // X, D, E, P
    assert_int_equal(r.copied_bytes, 7 * LETTER);
    bench_free(b);
}

static void a_place_that_cannot_be_read_is_fetched(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_serve(b, 2, "XBCDEFGHI", "PQ");
    b->slots[SLOT_A][0].unreadable_off = 4 * LETTER + 100;
    installs(b, &r);
    letters_expect(b, SLOT_B, "XBCDEFGHI", "PQ");
    assert_int_equal(fetched_payload(b, &r), 2 * LETTER);
    assert_int_equal(r.copied_bytes, 9 * LETTER);
    bench_free(b);
}

static void a_repetition_of_a_chunk_in_place_elsewhere_is_copied_in_the_target(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABC", "P");
    letters_serve(b, 2, "CACAX", "PC");
    installs(b, &r);
    letters_expect(b, SLOT_B, "CACAX", "PC");
    assert_int_equal(fetched_payload(b, &r), LETTER);
    assert_int_equal(r.copied_bytes, 6 * LETTER);
    bench_free(b);
}

static void a_factory_system_is_searched(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = letters_bench();
    letters_put(b, SLOT_A, "ABCDEFGHI", "PQ");
    letters_serve(b, 2, "ABXDE0CHI", "PQ");
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABXDE0CHI", "PQ");
    letters_expect(b, SLOT_A, "ABCDEFGHI", "PQ");
    assert_int_equal(fetched_payload(b, &r), LETTER);
    assert_int_equal(r.copied_bytes, 9 * LETTER);
    bench_free(b);
}

static void the_second_update_copies_from_both_that_were_installed(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = letters_bench();
    letters_serve(b, 2, "ABCDEFGH", "PQ");
    installs(b, &r);
    bench_set_running(b, SLOT_B, 2);
    letters_serve(b, 3, "ABCXEFGH", "PQ");
    installs(b, &r);
    letters_expect(b, SLOT_A, "ABCXEFGH", "PQ");
    assert_int_equal(fetched_payload(b, &r), LETTER);
    bench_set_running(b, SLOT_A, 3);
    letters_serve(b, 4, "ABCXYDGF", "PQ");
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABCXYDGF", "PQ");
    assert_int_equal(fetched_payload(b, &r), 2 * LETTER); // Y, and D: X stands there by then
    assert_int_equal(r.copied_bytes, 2 * LETTER);         // X, F
    bench_free(b);
}

static void a_dry_run_tells_what_an_install_would_do(void **state)
{
    (void)state;
    struct error e;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_serve(b, 2, "ABXDE0CHI", "PQ");
    b->options.dry_run = true;
    b->seam.tracing = true;
    assert_ok(bench_install(b, &r, &e));
    assert_int_equal(r.planned_bytes, LETTER);
    assert_int_equal(r.planned_copy_bytes, 9 * LETTER);
    assert_int_equal(r.planned_zero_bytes, LETTER);
    assert_int_equal(r.planned_write_bytes, 10 * LETTER);
    assert_int_equal(r.copied_bytes, 0);
    assert_string_equal(b->seam.trace, "b.rootfs sync\nb.boot sync\n");
    bench_free(b);
}

// The power goes away at every call in turn; then the install is run again.
static void an_install_that_was_cut_off_goes_on_and_copies_again(void **state)
{
    (void)state;
    struct error e;
    struct install_report r;
    bool cut = true;
    for (unsigned call = 1; cut; call++) {
        struct bench *b = known_running("ABCDEFGHI", "PQ");
        letters_record(b, SLOT_B, "ZYXWVU", "P");
        letters_put(b, SLOT_B, "ZYXWVU", "P");
        letters_serve(b, 2, "ABXDEWKHI", "PQ");
        b->seam.fail_at = call;
        b->seam.power_cut = true;
        cut = bench_install(b, &r, &e) != OK;
        bench_power_cut(b, BLK_MEM_MIX, call);
        b->seam.power_cut = b->seam.off = false;
        assert_ok(bench_install(b, &r, &e));
        letters_expect(b, SLOT_B, "ABXDEWKHI", "PQ");
        letters_expect(b, SLOT_A, "ABCDEFGHI", "PQ");
        // W and X are not known to be in the target once its record is forgotten.
        assert_true(r.nothing_to_do || fetched_payload(b, &r) <= 3 * LETTER);
        bench_free(b);
        assert_true(call < 1000);
    }
}

static void what_does_not_read_back_is_copied_again(void **state)
{
    (void)state;
    struct install_report r;
    struct bench *b = known_running("ABCDEFGHI", "PQ");
    letters_serve(b, 2, "ABXDEFGHI", "PQ");
    b->slots[SLOT_B][0].spoil_off = 3 * LETTER + 7;
    b->slots[SLOT_B][0].spoil_times = 2;
    installs(b, &r);
    letters_expect(b, SLOT_B, "ABXDEFGHI", "PQ");
    assert_int_equal(fetched_payload(b, &r), LETTER);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_running_slot_has_is_copied),
        cmocka_unit_test(an_update_that_has_it_all_asks_for_no_payload),
        cmocka_unit_test(the_target_is_copied_from_too),
        cmocka_unit_test(a_record_that_lies_costs_only_what_is_fetched_instead),
        cmocka_unit_test(a_place_that_cannot_be_read_is_fetched),
        cmocka_unit_test(a_repetition_of_a_chunk_in_place_elsewhere_is_copied_in_the_target),
        cmocka_unit_test(a_factory_system_is_searched),
        cmocka_unit_test(the_second_update_copies_from_both_that_were_installed),
        cmocka_unit_test(a_dry_run_tells_what_an_install_would_do),
        cmocka_unit_test(an_install_that_was_cut_off_goes_on_and_copies_again),
        cmocka_unit_test(what_does_not_read_back_is_copied_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
