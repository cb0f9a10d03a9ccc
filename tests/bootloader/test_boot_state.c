// SPDX-License-Identifier: Apache-2.0
#include "bootloader/boot_state.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct boot_setup setup_of(enum contract contract)
{
    return (struct boot_setup){
        .contract = contract,
        .slot_var = "rpipart",
        .attempts = 3,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
}

// "NAME=VALUE NAME=VALUE ...", values with blanks in quotes: 'BOOT_ORDER="A B"'. NAME alone
// deletes.
static void put_all(struct env_sim *sim, const char *text)
{
    char buf[512];
    snprintf(buf, sizeof buf, "%s", text);
    for (char *at = buf; *at != '\0';) {
        char *name = at;
        at += strcspn(at, "= ");
        char *value = NULL;
        if (*at == '=') {
            *at++ = '\0';
            const char *ends = *at == '"' ? "\"" : " ";
            value = at += *at == '"';
            at += strcspn(at, ends);
        }
        if (*at != '\0') {
            *at++ = '\0';
        }
        at += strspn(at, " ");
        env_sim_put(sim, name, value);
    }
}

// The medium of `sim` is what `text` says and nothing else.
static void check_all(const struct env_sim *sim, const char *text, const char *what)
{
    struct env_sim want;
    env_sim_init(&want);
    put_all(&want, text);
    const char *name = env_vars_difference(&sim->medium, &want.medium);
    if (name != NULL) {
        const char *found = env_sim_stored(sim, name);
        const char *wanted = env_sim_stored(&want, name);
        fail_msg("%s: %s is %s, expected %s", what, name, found != NULL ? found : "absent",
                 wanted != NULL ? wanted : "absent");
    }
    env_sim_free(&want);
}

#define FOREIGN "bootcmd=\"run it\" serial#=0042"

struct before {
    const char *what;
    const char *vars;
};

static const struct before order_before[] = {
    {"empty", ""},
    {"factory", "BOOT_ORDER=\"A B\" BOOT_A_LEFT=3 BOOT_B_LEFT=3"},
    {"booted once", "BOOT_ORDER=\"A B\" BOOT_A_LEFT=2 BOOT_B_LEFT=3"},
    {"installing to b", "BOOT_ORDER=A BOOT_A_LEFT=2 BOOT_B_LEFT=0 vv_floor=4"},
    {"trial of b", "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=1 vv_trial=b vv_floor=4"},
    {"fallen back", "BOOT_ORDER=A BOOT_A_LEFT=2 BOOT_B_LEFT=0 vv_trial=b vv_floor=9"},
    {"b confirmed", "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=2 vv_floor=7"},
    {"odd", "BOOT_ORDER=\"B  B x\" BOOT_A_LEFT=zz BOOT_B_LEFT=ff vv_trial=q vv_floor=many"},
};

static const struct before bootcount_before[] = {
    {"empty", ""},
    {"factory", "rpipart=2 upgrade_available=0 bootcount=0"},
    {"installing to b", "rpipart=2 upgrade_available=0 bootcount=0 bootlimit=5 vv_floor=4"},
    {"trial of b", "rpipart=3 upgrade_available=1 bootcount=2 bootlimit=3 vv_trial=b vv_floor=4"},
    {"fallen back", "rpipart=2 upgrade_available=0 bootcount=0 bootlimit=3 vv_trial=b vv_floor=9"},
    {"b confirmed", "rpipart=3 upgrade_available=0 bootcount=0 bootlimit=3 vv_floor=7"},
    {"odd", "rpipart=boot upgrade_available=x bootcount=ff vv_trial=q vv_floor=many"},
};

static const char *const decision_names[] = {
    [DECIDE_INVALIDATE] = "invalidate", [DECIDE_ACTIVATE] = "activate",
    [DECIDE_CONFIRM] = "confirm",       [DECIDE_REJECT] = "reject",
    [DECIDE_SETTLE] = "settle",
};

// What the table in boot_state.h says, as text: what `sim` holds now, with the changes put on top.
static void apply_table(const struct boot_setup *setup, enum decision d, int t,
                        struct env_sim *want, const struct before *before)
{
    const char *T = setup->slots[t].bootname;
    const char *K = setup->slots[1 - t].bootname;
    const char *tv = setup->slots[t].bootvalue;
    const char *kv = setup->slots[1 - t].bootvalue;
    const char *x =
        strcmp(before->what, "odd") == 0 && setup->contract == CONTRACT_ORDER ? " x" : "";
    bool order = setup->contract == CONTRACT_ORDER;
    const char *trial = env_sim_stored(want, "vv_trial");
    bool on_trial = trial != NULL && strcmp(trial, setup->slots[t].name) == 0;
    char changes[256] = "";
    switch (d) {
    case DECIDE_INVALIDATE:
    case DECIDE_REJECT:
        snprintf(changes, sizeof changes,
                 order ? "BOOT_ORDER=\"%s%s\" BOOT_%s_LEFT=0 BOOT_%s_LEFT=3 vv_trial"
                       : "rpipart=%s%s upgrade_available=0 bootcount=0 vv_trial",
                 order ? K : kv, x, T, K);
        break;
    case DECIDE_ACTIVATE:
        if (order) {
            snprintf(changes, sizeof changes,
                     "BOOT_ORDER=\"%s %s%s\" BOOT_A_LEFT=3 BOOT_B_LEFT=3 vv_trial=%s", T, K, x,
                     setup->slots[t].name);
        } else {
            snprintf(changes, sizeof changes,
                     "rpipart=%s upgrade_available=1 bootcount=0 bootlimit=3 vv_trial=%s", tv,
                     setup->slots[t].name);
        }
        break;
    case DECIDE_CONFIRM: {
        const char *listed = env_sim_stored(want, "BOOT_ORDER");
        bool k_stays = on_trial || listed == NULL || strstr(listed, K) != NULL;
        if (order) {
            snprintf(changes, sizeof changes, "BOOT_ORDER=\"%s%s%s%s\" BOOT_%s_LEFT=3 vv_trial", T,
                     k_stays ? " " : "", k_stays ? K : "", x, T);
        } else {
            snprintf(changes, sizeof changes, "rpipart=%s upgrade_available=0 bootcount=0 vv_trial",
                     tv);
        }
        break;
    }
    case DECIDE_SETTLE:
        if (order && !on_trial) {
            snprintf(changes, sizeof changes, "BOOT_%s_LEFT=3", T);
        }
        break;
    }
    put_all(want, changes);
    // The floor has its own test: here it is what it was, or 0 where it was none.
    const char *floor = env_sim_stored(want, "vv_floor");
    if (d == DECIDE_CONFIRM && (floor == NULL || strcmp(floor, "many") == 0)) {
        env_sim_put(want, "vv_floor", "0");
    }
}

static void check_decision(enum contract contract, const struct before *before, enum decision d,
                           int slot)
{
    struct error e;
    struct boot_setup setup = setup_of(contract);
    char what[128];
    snprintf(what, sizeof what, "%s, %s %s", before->what, decision_names[d],
             setup.slots[slot].name);
    struct env_sim sim;
    struct env_sim want;
    env_sim_init(&sim);
    env_sim_init(&want);
    put_all(&sim, before->vars);
    put_all(&sim, FOREIGN);
    assert_ok(env_vars_copy(&sim.medium, &want.medium, &e));
    apply_table(&setup, d, slot, &want, before);
    bool changes = env_vars_difference(&sim.medium, &want.medium) != NULL;

    bool stored = !changes;
    assert_ok(boot_decide(&setup, &sim.base, d, slot, 0, &stored, &e));
    const char *name = env_vars_difference(&sim.medium, &want.medium);
    if (name != NULL) {
        const char *found = env_sim_stored(&sim, name);
        const char *wanted = env_sim_stored(&want, name);
        fail_msg("%s: %s is %s, expected %s", what, name, found != NULL ? found : "absent",
                 wanted != NULL ? wanted : "absent");
    }
    assert_int_equal(stored, changes);
    assert_int_equal(sim.stores, changes ? 1 : 0);
    assert_int_equal(sim.loads, 1);

    // Once more says the same. Only invalidate cares for what the copy not in force still says.
    bool brings_in_line = d == DECIDE_INVALIDATE && changes;
    for (int again = 0; again < 2; again++) {
        assert_ok(boot_decide(&setup, &sim.base, d, slot, 0, &stored, &e));
        assert_int_equal(stored, again == 0 && brings_in_line);
        assert_int_equal(sim.stores, (changes ? 1 : 0) + (brings_in_line ? 1 : 0));
        assert_null(env_vars_difference(&sim.medium, &want.medium));
    }
    env_sim_free(&want);
    env_sim_free(&sim);
}

static void every_decision_stores_its_row_of_the_table_once(void **state)
{
    (void)state;
    for (int d = DECIDE_INVALIDATE; d <= DECIDE_SETTLE; d++) {
        for (int slot = 0; slot < SLOT_COUNT; slot++) {
            for (size_t i = 0; i < COUNT(order_before); i++) {
                check_decision(CONTRACT_ORDER, &order_before[i], (enum decision)d, slot);
            }
            for (size_t i = 0; i < COUNT(bootcount_before); i++) {
                check_decision(CONTRACT_BOOTCOUNT, &bootcount_before[i], (enum decision)d, slot);
            }
        }
    }
}

// The life of one update, each state written out.
static void an_update_goes_through_these_states(void **state)
{
    (void)state;
    static const struct {
        enum decision decision;
        int slot;
        const char *order, *bootcount;
    } steps[] = {
        {DECIDE_INVALIDATE, 1, "BOOT_ORDER=A BOOT_A_LEFT=3 BOOT_B_LEFT=0",
         "rpipart=2 upgrade_available=0 bootcount=0"},
        {DECIDE_ACTIVATE, 1, "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=3 vv_trial=b",
         "rpipart=3 upgrade_available=1 bootcount=0 bootlimit=3 vv_trial=b"},
        {DECIDE_CONFIRM, 1, "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=3 vv_floor=5",
         "rpipart=3 upgrade_available=0 bootcount=0 bootlimit=3 vv_floor=5"},
        {DECIDE_INVALIDATE, 0, "BOOT_ORDER=B BOOT_A_LEFT=0 BOOT_B_LEFT=3 vv_floor=5",
         "rpipart=3 upgrade_available=0 bootcount=0 bootlimit=3 vv_floor=5"},
        {DECIDE_ACTIVATE, 0, "BOOT_ORDER=\"A B\" BOOT_A_LEFT=3 BOOT_B_LEFT=3 vv_trial=a vv_floor=5",
         "rpipart=2 upgrade_available=1 bootcount=0 bootlimit=3 vv_trial=a vv_floor=5"},
        {DECIDE_REJECT, 0, "BOOT_ORDER=B BOOT_A_LEFT=0 BOOT_B_LEFT=3 vv_floor=5",
         "rpipart=3 upgrade_available=0 bootcount=0 bootlimit=3 vv_floor=5"},
    };
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract);
        struct env_sim sim;
        env_sim_init(&sim);
        for (size_t i = 0; i < COUNT(steps); i++) {
            struct error e;
            bool stored;
            assert_ok(
                boot_decide(&setup, &sim.base, steps[i].decision, steps[i].slot, 5, &stored, &e));
            check_all(&sim, contract == CONTRACT_ORDER ? steps[i].order : steps[i].bootcount,
                      decision_names[steps[i].decision]);
        }
        env_sim_free(&sim);
    }
}

static void the_floor_is_raised_by_confirm_or_brought_back_and_nothing_lowers_it(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        uint64_t floor;
        const char *after;
    } rows[] = {
        {NULL, 0, "0"},
        {NULL, 7, "7"},
        {"3", 7, "7"},
        {"7", 7, "7"},
        {"9", 7, "9"},
        {"0", 0, "0"},
        {"", 7, "7"},
        {"many", 7, "7"},
        {"-1", 0, "0"},
        {"", 0, "0"},
        {"4", UINT64_MAX, "18446744073709551615"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int d = DECIDE_INVALIDATE; d <= DECIDE_SETTLE; d++) {
            struct error e;
            struct boot_setup setup = setup_of(CONTRACT_BOOTCOUNT);
            struct env_sim sim;
            env_sim_init(&sim);
            env_sim_put(&sim, "vv_floor", rows[i].before);
            bool stored;
            assert_ok(
                boot_decide(&setup, &sim.base, (enum decision)d, 1, rows[i].floor, &stored, &e));
            bool brings_back = rows[i].floor > 0 && (d == DECIDE_REJECT || d == DECIDE_SETTLE);
            const char *want = d == DECIDE_CONFIRM || brings_back ? rows[i].after : rows[i].before;
            const char *got = env_sim_stored(&sim, "vv_floor");
            if (want == NULL) {
                assert_null(got);
            } else {
                assert_non_null(got);
                assert_string_equal(got, want);
            }
            env_sim_free(&sim);
        }
    }
}

// The copy that is not in force boots slot b. Losing the other one must not bring that back once b
// is written to; what is given up is whole, and needs no second store.
static void only_invalidate_leaves_no_copy_that_boots_the_slot(void **state)
{
    (void)state;
    static const enum decision decisions[] = {DECIDE_INVALIDATE, DECIDE_REJECT};
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        for (size_t i = 0; i < COUNT(decisions); i++) {
            struct error e;
            struct boot_setup setup = setup_of((enum contract)contract);
            struct env_sim sim;
            bool stored;
            bool invalidates = decisions[i] == DECIDE_INVALIDATE;
            env_sim_init(&sim);
            // Confirmed, then given up: the older copy is from the time between.
            assert_ok(boot_decide(&setup, &sim.base, DECIDE_CONFIRM, 1, 5, &stored, &e));
            assert_ok(boot_decide(&setup, &sim.base, DECIDE_REJECT, 1, 0, &stored, &e));
            assert_int_equal(sim.stores, 2);
            assert_ok(boot_decide(&setup, &sim.base, decisions[i], 1, 0, &stored, &e));
            assert_int_equal(stored, invalidates);
            assert_int_equal(sim.stores, invalidates ? 3 : 2);
            bool agree = env_vars_difference(&sim.medium, &sim.older) == NULL;
            assert_int_equal(agree, invalidates);
            env_sim_free(&sim);
        }
    }
}

// Without it, nobody could tell a trial that was confirmed from one that was forgotten.
static void a_confirmation_leaves_a_floor_where_none_was_and_only_then_stores_it(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct error e;
        struct boot_setup setup = setup_of((enum contract)contract);
        struct env_sim sim;
        struct boot_state got;
        bool stored;
        env_sim_init(&sim);
        assert_ok(boot_decide(&setup, &sim.base, DECIDE_ACTIVATE, 1, 0, &stored, &e));
        assert_ok(boot_state_read(&setup, &sim.base, &got, &e));
        assert_false(got.floor_stored);
        assert_ok(boot_decide(&setup, &sim.base, DECIDE_CONFIRM, 1, 0, &stored, &e));
        assert_true(stored);
        assert_string_equal(env_sim_stored(&sim, "vv_floor"), "0");
        assert_ok(boot_state_read(&setup, &sim.base, &got, &e));
        assert_true(got.floor_stored);
        assert_ok(boot_decide(&setup, &sim.base, DECIDE_CONFIRM, 1, 0, &stored, &e));
        assert_false(stored);
        env_sim_free(&sim);
    }
}

static void the_floor_and_the_trial_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *vars;
        int trial;
        uint64_t floor;
        bool stored, damaged;
    } rows[] = {
        {"", SLOT_NONE, 0, false, false},
        {"vv_trial=a vv_floor=12", 0, 12, true, false},
        {"vv_trial=b vv_floor=12a", 1, 0, true, true},
        {"vv_trial=c vv_floor=99999999999999999999", SLOT_NONE, 0, true, true},
        {"vv_trial=B vv_floor=0", SLOT_NONE, 0, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
            struct error e;
            struct boot_setup setup = setup_of((enum contract)contract);
            struct env_sim sim;
            env_sim_init(&sim);
            put_all(&sim, rows[i].vars);
            struct boot_state got;
            assert_ok(boot_state_read(&setup, &sim.base, &got, &e));
            assert_int_equal(got.trial, rows[i].trial);
            assert_int_equal(got.floor, rows[i].floor);
            assert_int_equal(got.floor_stored, rows[i].stored);
            assert_int_equal(got.floor_damaged, rows[i].damaged);
            assert_int_equal(sim.stores, 0);
            env_sim_free(&sim);
        }
    }
}

static void a_setup_that_would_write_two_digits_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    env_sim_init(&sim);
    struct boot_state ret;
    bool stored;
    for (unsigned attempts = 0; attempts <= 10; attempts += 10) {
        struct boot_setup setup = setup_of(CONTRACT_ORDER);
        setup.attempts = attempts;
        assert_fails(ERR_INTERNAL, "boot attempts: 1 to 9",
                     boot_decide(&setup, &sim.base, DECIDE_ACTIVATE, 0, 0, &stored, &e));
        assert_fails(ERR_INTERNAL, "boot attempts: 1 to 9",
                     boot_state_read(&setup, &sim.base, &ret, &e));
    }
    struct boot_setup setup = setup_of(CONTRACT_ORDER);
    assert_fails(ERR_INTERNAL, "there is no slot number 2",
                 boot_decide(&setup, &sim.base, DECIDE_ACTIVATE, 2, 0, &stored, &e));
    assert_fails(ERR_INTERNAL, "there is no slot number -1",
                 boot_decide(&setup, &sim.base, DECIDE_REJECT, SLOT_NONE, 0, &stored, &e));
    assert_fails(ERR_INTERNAL, "there is no decision number 9",
                 boot_decide(&setup, &sim.base, (enum decision)9, 0, 0, &stored, &e));
    assert_int_equal(sim.stores, 0);
    env_sim_free(&sim);
}

static void a_failure_at_any_call_stores_nothing_or_everything(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        for (int d = DECIDE_INVALIDATE; d <= DECIDE_CONFIRM; d++) {
            bool failed = true;
            for (unsigned n = 1; failed; n++) {
                struct error e = {0};
                struct boot_setup setup = setup_of((enum contract)contract);
                struct env_sim sim;
                env_sim_init(&sim);
                sim.fail_at = n;
                bool stored = false;
                failed = boot_decide(&setup, &sim.base, (enum decision)d, 1, 1, &stored, &e) != OK;
                assert_int_equal(sim.stores, failed ? 0 : 1);
                assert_int_equal(stored, !failed);
                assert_true(n < 20);
                env_sim_free(&sim);
            }
        }
    }
}

static void a_lost_environment_is_an_error_and_not_an_empty_one(void **state)
{
    (void)state;
    struct error e;
    struct boot_setup setup = setup_of(CONTRACT_ORDER);
    struct env_sim sim;
    env_sim_init(&sim);
    sim.lost = true;
    struct boot_state ret;
    bool stored;
    assert_fails(ERR_IO, "both copies", boot_state_read(&setup, &sim.base, &ret, &e));
    assert_fails(ERR_IO, "both copies",
                 boot_decide(&setup, &sim.base, DECIDE_ACTIVATE, 1, 0, &stored, &e));
    assert_int_equal(sim.stores, 0);
    env_sim_free(&sim);
}

// The slot that is asked about is b.
static void check_end(enum contract contract, const char *vars, bool given_up, bool worn_out)
{
    struct error e;
    struct boot_setup setup = setup_of(contract);
    struct boot_state s;
    struct env_sim sim;
    env_sim_init(&sim);
    put_all(&sim, vars);
    assert_ok(boot_state_read(&setup, &sim.base, &s, &e));
    if (boot_given_up(&s, 1) != given_up || boot_worn_out(&s, 1) != worn_out) {
        fail_msg("%s: expected given up %d, worn out %d", vars, given_up, worn_out);
    }
    env_sim_free(&sim);
}

static void a_slot_that_was_given_up_is_told_from_one_without_attempts(void **state)
{
    (void)state;
    check_end(CONTRACT_ORDER, "BOOT_ORDER=A BOOT_A_LEFT=3 BOOT_B_LEFT=0", true, false);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=A BOOT_A_LEFT=3 BOOT_B_LEFT=3", true, false);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=A BOOT_A_LEFT=0 BOOT_B_LEFT=0", true, false);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=0", false, true);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=\"B A\" BOOT_A_LEFT=3 BOOT_B_LEFT=1", false, false);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=B BOOT_A_LEFT=3 BOOT_B_LEFT=0", false, false);
    check_end(CONTRACT_ORDER, "BOOT_ORDER=A vv_trial=a", false, false);
    // A lost environment names every slot.
    check_end(CONTRACT_ORDER, "bootdelay=2", false, false);
    check_end(CONTRACT_BOOTCOUNT, "bootdelay=2", false, false);
    check_end(CONTRACT_BOOTCOUNT, "rpipart=2", true, false);
    check_end(CONTRACT_BOOTCOUNT, "rpipart=3", false, false);
    check_end(CONTRACT_BOOTCOUNT, "rpipart=2 vv_trial=a upgrade_available=1", false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_decision_stores_its_row_of_the_table_once),
        cmocka_unit_test(an_update_goes_through_these_states),
        cmocka_unit_test(the_floor_is_raised_by_confirm_or_brought_back_and_nothing_lowers_it),
        cmocka_unit_test(only_invalidate_leaves_no_copy_that_boots_the_slot),
        cmocka_unit_test(a_confirmation_leaves_a_floor_where_none_was_and_only_then_stores_it),
        cmocka_unit_test(the_floor_and_the_trial_are_read),
        cmocka_unit_test(a_setup_that_would_write_two_digits_is_refused),
        cmocka_unit_test(a_failure_at_any_call_stores_nothing_or_everything),
        cmocka_unit_test(a_lost_environment_is_an_error_and_not_an_empty_one),
        cmocka_unit_test(a_slot_that_was_given_up_is_told_from_one_without_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
