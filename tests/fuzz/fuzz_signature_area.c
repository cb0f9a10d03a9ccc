// SPDX-License-Identifier: Apache-2.0
// signature_area_parse(): every record lies inside the area, and appending what was read to an
// empty area gives the same area.
#include "format/signature_area.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e;
    struct signature_list list;
    if (signature_area_parse(data, size, &list, &e) != OK) {
        return 0;
    }
    fuzz_must(list.used_bytes <= size && list.count <= SIGNATURE_RECORDS_MAX);
    uint8_t *again = calloc(1, size + 1);
    struct signature_list built = {0};
    for (size_t i = 0; i < list.count; i++) {
        const struct signature_record *r = &list.records[i];
        fuzz_must(r->data >= data && r->len <= size);
        fuzz_must((size_t)(r->data - data) <= size - r->len);
        fuzz_must(signature_area_append(again, size, &built, r->type, r->data, r->len, &e) == OK);
        fuzz_must(signature_area_parse(again, size, &built, &e) == OK);
    }
    fuzz_must(size == 0 || memcmp(again, data, size) == 0);
    free(again);
    return 0;
}
