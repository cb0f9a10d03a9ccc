// SPDX-License-Identifier: Apache-2.0
// cms_profile_read(): what it accepts is a certificate inside the record, and a byte behind the
// end is never accepted.
#include "keys/cms_profile.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e;
    struct cms_profile p;
    if (cms_profile_read(data, size, &p, &e) != OK) {
        return 0;
    }
    fuzz_must(p.leaf > data && p.leaf_len < size);
    fuzz_must((size_t)(p.leaf - data) <= size - p.leaf_len);
    uint8_t *longer = calloc(1, size + 1);
    memcpy(longer, data, size);
    fuzz_must(cms_profile_read(longer, size + 1, &p, &e) == ERR_TRUST);
    free(longer);
    return 0;
}
