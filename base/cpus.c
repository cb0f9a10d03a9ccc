// SPDX-License-Identifier: Apache-2.0
#include "base/cpus.h"

#include <sched.h>
#include <unistd.h>

unsigned cpus_usable(void)
{
    cpu_set_t set;
    long n = 0;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        n = CPU_COUNT(&set);
    } else {
        // More processors than a cpu_set_t can hold.
        n = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return n < 1 ? 1 : (unsigned)n;
}
