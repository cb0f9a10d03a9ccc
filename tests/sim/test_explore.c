// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore.h"

#include "tests/support/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOKENS = 5 }; // of each kind that are tried

// As little as there can be: one outcome of each moment.
static const struct explore_options least = {.seed = 1};

struct room {
    struct sim_kit *kit;
    struct life wrong; // ends with a release that nobody wishes: every state of it violates I5
};

static int make(void **state)
{
    static const uint32_t cuts[] = {1024, 0};
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->kit = sim_kit_make(cuts, 0);
    r->wrong = lives[0];
    r->wrong.wish.release = 2; // which its end does not have
    *state = r;
    return 0;
}

static int clear(void **state)
{
    struct room *r = *state;
    sim_kit_free(r->kit);
    free(r);
    return 0;
}

static struct subject subject_of(const struct room *r, const struct life *l)
{
    return (struct subject){
        .life = l,
        .shape = {.contract = CONTRACT_ORDER, .sector_bytes = 512},
        .shape_name = "512",
        .kit = r->kit,
    };
}

static uint64_t sum_of(const uint64_t counts[STEPS + 1])
{
    uint64_t sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        sum += counts[i];
    }
    return sum;
}

static uint64_t violations_of(const struct tally *t)
{
    uint64_t sum = 0;
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        sum += t->violations[i];
    }
    return sum;
}

// --- what is printed -----------------------------------------------------------------------------

struct ear {
    FILE *file;
    int out;
};

static struct ear listen_to_stdout(void)
{
    struct ear ear = {tmpfile(), dup(STDOUT_FILENO)};
    assert_non_null(ear.file);
    fflush(stdout);
    assert_true(ear.out >= 0 && dup2(fileno(ear.file), STDOUT_FILENO) >= 0);
    return ear;
}

// What was printed meanwhile; to be freed.
static char *stop_listening(const struct ear *ear)
{
    fflush(stdout);
    assert_true(dup2(ear->out, STDOUT_FILENO) >= 0);
    close(ear->out);
    off_t size = lseek(fileno(ear->file), 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(ear->file), text, (size_t)size, 0), size);
    fclose(ear->file);
    return text;
}

// --- the tally -----------------------------------------------------------------------------------

static void the_same_seed_gives_the_same_states_and_another_seed_others(void **state)
{
    struct room *r = *state;
    struct subject s = subject_of(r, &lives[0]);
    struct explore_options options = {
        .seed = 1, .nest_per_mille = 20, .failure_stride = 197, .memory_stride = 1997};
    struct tally first = {0};
    struct tally second = {0};
    struct tally other = {0};
    explore(&s, &options, &first);
    explore(&s, &options, &second);
    assert_memory_equal(&first, &second, sizeof first);
    options.seed = 2;
    explore(&s, &options, &other);
    assert_memory_not_equal(&first, &other, sizeof first);
    assert_int_equal(violations_of(&first), 0);
    assert_int_equal(violations_of(&other), 0);
    // What is told in the end is told of something.
    assert_true(sum_of(first.states) > sum_of(first.nested) + sum_of(first.failures));
    assert_true(sum_of(first.nested) > 0 && sum_of(first.failures) > 0);
    for (int step = 1; step < STEP_OFFER; step++) { // that life has no agent
        assert_true(first.cuts[step] > 0);
    }
}

static void with_nothing_asked_for_each_moment_is_cut_once_and_loses_the_environment(void **state)
{
    struct room *r = *state;
    struct subject s = subject_of(r, &lives[0]);
    struct tally t = {0};
    explore(&s, &least, &t);
    assert_int_equal(sum_of(t.failures), 0);
    assert_int_equal(sum_of(t.nested), 0);
    // Twice, that is, where something has changed.
    assert_true(sum_of(t.states) >= sum_of(t.cuts) * 5 / 4);
    assert_true(sum_of(t.states) < sum_of(t.cuts) * 9 / 4);
    assert_int_equal(t.real_states, 0);
}

static void it_ends_at_the_first_moment_that_violates_what_is_looked_for(void **state)
{
    struct room *r = *state;
    struct subject s = subject_of(r, &r->wrong);
    struct explore_options options = {.seed = 1, .until = 1u << 5 | 1u << 2, .failure_stride = 1};
    struct tally t = {0};
    struct ear ear = listen_to_stdout();
    explore(&s, &options, &t);
    char *text = stop_listening(&ear);
    assert_contains(text, "I5 violated");
    free(text);
    assert_int_equal(t.findings.found, 1u << 5);
    assert_in_range(t.violations[5], 1, 2); // states of one moment
    assert_in_range(sum_of(t.cuts), 1, 5);  // those ahead of it lost the environment
    assert_int_equal(sum_of(t.failures), 0);
    uint64_t cuts = sum_of(t.cuts);
    // To the end, for what it does not violate.
    options = (struct explore_options){.seed = 1, .until = 1u << 2, .failure_stride = 97};
    t = (struct tally){0};
    ear = listen_to_stdout();
    explore(&s, &options, &t);
    free(stop_listening(&ear));
    assert_true(sum_of(t.cuts) > cuts * 10);
    assert_true(sum_of(t.failures) > 0);
}

// --- tokens --------------------------------------------------------------------------------------

static bool again(const struct subject *s, const char *token, struct tally *tally)
{
    *tally = (struct tally){0};
    struct ear ear = listen_to_stdout();
    bool found = explore_again(s, &least, token, tally);
    free(stop_listening(&ear));
    return found;
}

static void a_violation_names_a_state_that_violates_it_again(void **state)
{
    struct room *r = *state;
    struct subject s = subject_of(r, &r->wrong);
    struct explore_options options = {.seed = 1, .nest_per_mille = 150};
    struct tally t = {0};
    char name[64];
    char before[128];
    subject_name(&s, name, sizeof name);
    assert_string_equal(name, "first-order-512");
    snprintf(before, sizeof before, "REPLAY='%s:", name);
    struct ear ear = listen_to_stdout();
    explore(&s, &options, &t);
    char *text = stop_listening(&ear);
    unsigned tokens[2] = {0};
    assert_true(t.violations[5] > FINDINGS_SHOWN);
    for (char *at = strstr(text, before); at != NULL; at = strstr(at, before)) {
        at += strlen(before);
        size_t len = strcspn(at, "'");
        at[len++] = '\0';
        bool nested = strchr(at, '/') != NULL;
        if (tokens[nested] < TOKENS) {
            tokens[nested]++;
            if (!again(&s, at, &t) || t.violations[5] == 0) {
                fail_msg("%s: expected the violation again", at);
            }
            assert_int_equal(sum_of(t.nested) > 0, nested);
        }
        at += len;
    }
    assert_true(tokens[0] == TOKENS && tokens[1] == TOKENS);
    free(text);
}

static void a_token_names_one_state(void **state)
{
    struct room *r = *state;
    struct subject s = subject_of(r, &lives[0]);
    struct tally t;
    assert_true(again(&s, "30.0", &t));
    assert_int_equal(sum_of(t.states), 1);
    assert_int_equal(violations_of(&t), 0);
    // A call of each seam that fails, having done a part, and what comes then.
    static const char *const calls[] = {"!0.5.5.0.0", "!1.4.5.1.1", "!2.9.28.1.2", "!3.2.104.0.1",
                                        "!4.50.12.0.2"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_true(again(&s, calls[i], &t));
        assert_int_equal(sum_of(t.states), 1);
        assert_int_equal(sum_of(t.failures), 1);
        assert_int_equal(violations_of(&t), 0);
    }
}

static void a_token_that_names_no_state_is_refused(void **state)
{
    static const char *const tokens[] = {
        "x",          "30",         "0.0",          "999999.0",   "30.999999",
        "30.0x",      "30.0/",      "30.0/99999.0", "!",          "!1.2",
        "!5.1.5.0.0", "!0.1.5.0.3", "!0.1.5.0.x",   "!0.0.5.0.0", "!0.99999.5.0.0"};
    struct room *r = *state;
    struct subject s = subject_of(r, &lives[0]);
    struct tally t;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        if (again(&s, tokens[i], &t)) {
            fail_msg("expected '%s' to be refused", tokens[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_states_and_another_seed_others),
        cmocka_unit_test(with_nothing_asked_for_each_moment_is_cut_once_and_loses_the_environment),
        cmocka_unit_test(it_ends_at_the_first_moment_that_violates_what_is_looked_for),
        cmocka_unit_test(a_violation_names_a_state_that_violates_it_again),
        cmocka_unit_test(a_token_names_one_state),
        cmocka_unit_test(a_token_that_names_no_state_is_refused),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
