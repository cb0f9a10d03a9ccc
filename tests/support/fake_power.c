// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_power.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

void fake_power_set(const char *dir, const char *supply, const char *attribute, const char *value)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, supply);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%s/%s", dir, supply, attribute);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fprintf(out, "%s\n", value);
    assert_int_equal(fclose(out), 0);
}
