// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "tests/support/expect.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static const struct clock *const clk = &clock_system;

static void time_since_boot_never_goes_back(void **state)
{
    (void)state;
    uint64_t last = clk->ops->boottime_ms(clk);
    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clk->ops->boottime_ms(clk);
        assert_true(now >= last);
        last = now;
    }
}

static void a_sleep_takes_at_least_its_time(void **state)
{
    (void)state;
    uint64_t before = clk->ops->boottime_ms(clk);
    clk->ops->sleep_ms(clk, 12);
    // One less, because both readings are cut to milliseconds.
    assert_true(clk->ops->boottime_ms(clk) - before >= 11);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void a_signal_ends_a_sleep(void **state)
{
    (void)state;
    struct sigaction act = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &act, NULL);
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    uint64_t before = clk->ops->boottime_ms(clk);
    clk->ops->sleep_ms(clk, 600000);
    assert_true(clk->ops->boottime_ms(clk) - before < 600000);
}

static void wall_time_is_that_of_the_system(void **state)
{
    (void)state;
    bool synchronised = false;
    uint64_t before = (uint64_t)time(NULL);
    uint64_t now = clk->ops->wall_s(clk, &synchronised);
    assert_true(now >= before && now <= before + 60);
}

// Counts its sleeps, and is interrupted in the third.
struct counting_clock {
    struct clock base;
    unsigned sleeps;
    uint64_t slept_ms;
    atomic_bool interrupted;
};

static void count_sleep(const struct clock *c, uint64_t ms)
{
    struct counting_clock *counting = (struct counting_clock *)(uintptr_t)c;
    counting->slept_ms += ms;
    if (++counting->sleeps == 3) {
        atomic_store(&counting->interrupted, true);
    }
}

static const struct clock_ops counting_ops = {.sleep_ms = count_sleep};

static void a_wait_that_is_interrupted_ends_soon(void **state)
{
    (void)state;
    struct counting_clock c = {.base = {&counting_ops}};
    clock_wait_ms(&c.base, 60000, &c.interrupted);
    assert_int_equal(c.slept_ms, 3 * CLOCK_INTERRUPT_MS);
    clock_wait_ms(&c.base, 60000, &c.interrupted);
    assert_int_equal(c.sleeps, 3);
}

static void a_wait_that_is_not_interrupted_is_as_long_as_asked_for(void **state)
{
    (void)state;
    static const atomic_bool never = false;
    struct counting_clock c = {.base = {&counting_ops}};
    clock_wait_ms(&c.base, 0, NULL);
    assert_int_equal(c.sleeps, 0);
    clock_wait_ms(&c.base, 60000, NULL);
    assert_int_equal(c.sleeps, 1);
    clock_wait_ms(&c.base, 2 * CLOCK_INTERRUPT_MS + 1, &never);
    assert_int_equal(c.slept_ms, 60000 + 2 * CLOCK_INTERRUPT_MS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_that_is_interrupted_ends_soon),
        cmocka_unit_test(a_wait_that_is_not_interrupted_is_as_long_as_asked_for),
        cmocka_unit_test(time_since_boot_never_goes_back),
        cmocka_unit_test(a_sleep_takes_at_least_its_time),
        cmocka_unit_test(a_signal_ends_a_sleep),
        cmocka_unit_test(wall_time_is_that_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
