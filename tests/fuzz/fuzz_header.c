// SPDX-License-Identifier: Apache-2.0
// header_parse_kind(): accepts only what header_write() gives back byte for byte.
#include "format/header.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check(const uint8_t bytes[HEADER_SIZE])
{
    struct error e;
    struct header h;
    enum file_kind kind;
    if (!header_kind(bytes, &kind) || header_parse_kind(bytes, kind, &h, &e) != OK) {
        return;
    }
    uint8_t again[HEADER_SIZE];
    header_write(&h, again);
    fuzz_must(memcmp(bytes, again, HEADER_SIZE) == 0);
    fuzz_must(h.payload_offset <= IMAGE_PREFIX_MAX);
    fuzz_must(header_head_size(&h) <= h.table_offset);
    fuzz_must(h.table_offset + h.table_size <= h.payload_offset);
    fuzz_must(h.file_size == h.payload_offset + h.payload_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[HEADER_SIZE] = {0};
    memcpy(bytes, data, size < HEADER_SIZE ? size : HEADER_SIZE);
    check(bytes);

    // The same with magic and checksum put right, or nothing behind them would ever be reached.
    static const uint8_t start[] = {0x89, 'V', 'V', 'I', 0x0d, 0x0a, 0x1a, 0x0a, 1, 0};
    memcpy(bytes, start, sizeof(start));
    bytes[3] = size % 2 == 0 ? 'I' : 'D';
    fuzz_put_u32(bytes + HEADER_SIZE - 4, crc32c(bytes, HEADER_SIZE - 4));
    check(bytes);

    // And with the layout computed from the sizes, so that the fuzzer plays with these.
    struct error e;
    struct header h = {.kind = size % 2 == 0 ? FILE_IMAGE : FILE_PACK,
                       .manifest_size = fuzz_get_u32(bytes + 32),
                       .signature_area_size = fuzz_get_u32(bytes + 36),
                       .table_size = fuzz_get_u32(bytes + 48),
                       .payload_size = fuzz_get_u32(bytes + 64)};
    if (header_lay_out(&h, &e) == OK) {
        header_write(&h, bytes);
        fuzz_must(header_parse_kind(bytes, h.kind, &h, &e) == OK);
    }
    return 0;
}
