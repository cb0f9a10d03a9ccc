// SPDX-License-Identifier: Apache-2.0
#include "base/cpus.h"

#include "tests/support/expect.h"

#include <sched.h>

static void the_processors_that_may_be_used_are_counted(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(cpus_usable(), CPU_COUNT(&all));
    cpu_set_t one;
    CPU_ZERO(&one);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all)) {
        cpu++;
    }
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    unsigned usable = cpus_usable();
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(usable, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_processors_that_may_be_used_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
