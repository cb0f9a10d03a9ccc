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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_since_boot_never_goes_back),
        cmocka_unit_test(a_sleep_takes_at_least_its_time),
        cmocka_unit_test(a_signal_ends_a_sleep),
        cmocka_unit_test(wall_time_is_that_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
