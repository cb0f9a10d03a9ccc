// SPDX-License-Identifier: Apache-2.0
// manifest_parse(): what it accepts is written and read back with the same meaning.
#include "format/manifest.h"

#include "base/json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/manifest_sample.h"

#include <stdlib.h>
#include <string.h>

static void check(const uint8_t *text, size_t len)
{
    struct error e;
    struct manifest *m = NULL;
    if (manifest_parse(text, len, &m, &e) != OK) {
        return;
    }
    char *again = NULL;
    size_t again_len = 0;
    struct manifest *back = NULL;
    fuzz_must(manifest_write(m, &again, &again_len, &e) == OK);
    fuzz_must(manifest_parse((const uint8_t *)again, again_len, &back, &e) == OK);
    fuzz_must(memcmp(m, back, sizeof(*m)) == 0);
    manifest_free(back);
    manifest_free(m);
    free(again);
}

// The same in canonical form, or nearly every input would end at that check.
static void check_canonical(const char *text, size_t len)
{
    struct error e;
    json_t *root = NULL;
    if (json_parse(text, len, &root, &e) == OK) {
        char *canonical = json_canonical(root);
        if (canonical != NULL) {
            check((const uint8_t *)canonical, strlen(canonical));
        }
        free(canonical);
        json_decref(root);
    }
}

// The input as it is, and the input as an edit of a good manifest: bytes 0 and 1 say where, byte 2
// how much is taken out, the rest goes in.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sample[] = MANIFEST_SMALLEST;
    const size_t sample_len = sizeof(sample) - 1;
    check(data, size);
    check_canonical((const char *)data, size);
    if (size < 3) {
        return 0;
    }
    size_t at = (size_t)(data[0] | data[1] << 8) % sample_len;
    size_t out = data[2] > sample_len - at ? sample_len - at : data[2];
    size_t in = size - 3;
    char *text = malloc(sample_len + in);
    fuzz_must(text != NULL);
    memcpy(text, sample, at);
    memcpy(text + at, data + 3, in);
    memcpy(text + at + in, sample + at + out, sample_len - at - out);
    check((const uint8_t *)text, sample_len - out + in);
    check_canonical(text, sample_len - out + in);
    free(text);
    return 0;
}
