// SPDX-License-Identifier: Apache-2.0
#include "updater/answer.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"

#include <stdlib.h>

// The caller frees it.
static char *printed(struct trial_bench *t, const struct answer *a, bool json)
{
    struct error e;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_ok(answer_print(a, t->device, out, json, &e));
    fclose(out);
    return text;
}

static void for_people_it_is_the_sentence(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    struct answer a = {.result = "confirmed", .slot = SLOT_B, .sentence = "Slot b is kept."};
    char *text = printed(t, &a, false);
    assert_string_equal(text, "Slot b is kept.\n");
    free(text);
    trial_bench_free(t);
}

static void for_programs_it_is_one_object(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    struct answer a = {.result = "rejected", .slot = SLOT_B, .reason = "check \"api\": down"};
    char *text = printed(t, &a, true);
    assert_string_equal(text, "{\"reason\":\"check \\\"api\\\": down\",\"result\":\"rejected\","
                              "\"slot\":\"b\",\"version\":\"2.0\"}\n");
    free(text);
    trial_bench_free(t);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    struct answer a = {.result = "not-on-trial", .slot = SLOT_A};
    char *text = printed(t, &a, true);
    assert_string_equal(text, "{\"result\":\"not-on-trial\",\"slot\":\"a\"}\n");
    free(text);
    trial_bench_free(t);
}

static void a_reason_that_is_not_utf_8_does_not_cost_the_answer(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    struct answer a = {.result = "rejected", .slot = SLOT_A, .reason = "caf\xe9"};
    char *text = printed(t, &a, true);
    assert_contains(text, "\"reason\":\"caf?\"");
    free(text);
    trial_bench_free(t);
}

static void a_full_disk_under_stdout_is_an_error(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    struct answer a = {.result = "confirmed", .slot = SLOT_B, .sentence = "Slot b is kept."};
    FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    assert_fails(ERR_IO, "write to stdout", answer_print(&a, t->device, full, false, &e));
    assert_fails(ERR_IO, "write to stdout", answer_print(&a, t->device, full, true, &e));
    fclose(full);
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_people_it_is_the_sentence),
        cmocka_unit_test(for_programs_it_is_one_object),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(a_reason_that_is_not_utf_8_does_not_cost_the_answer),
        cmocka_unit_test(a_full_disk_under_stdout_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
