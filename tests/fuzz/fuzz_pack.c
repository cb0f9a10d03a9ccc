// SPDX-License-Identifier: Apache-2.0
// The parsers of a delta pack: what pack_manifest_parse() accepts is written and read back with the
// same meaning; pack_table_parse() keeps the invariants of pack_table.h; decoder_run_delta() never
// writes past the raw length.
#include "format/pack.h"

#include "base/json.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 64, SEED_SIZE = 8, WINDOW = 4096 };

// --- Manifest ---

static void check_manifest(const char *text, size_t len)
{
    struct error e;
    struct pack_manifest *m = NULL;
    if (pack_manifest_parse((const uint8_t *)text, len, &m, &e) != OK) {
        return;
    }
    char *again = NULL;
    size_t again_len = 0;
    struct pack_manifest *back = NULL;
    fuzz_must(m->body.table_size == m->body.table_records * PACK_RECORD_SIZE);
    fuzz_must(pack_manifest_write(m, &again, &again_len, &e) == OK);
    fuzz_must(pack_manifest_parse((const uint8_t *)again, again_len, &back, &e) == OK);
    fuzz_must(memcmp(m, back, sizeof(*m)) == 0);
    pack_manifest_free(back);
    pack_manifest_free(m);
    free(again);
}

// Bytes 0 and 1 say where a good manifest is edited, byte 2 how much is taken out; the rest goes
// in. In canonical form, or nearly every input would end at that check.
static void edit_manifest(const uint8_t *data, size_t size)
{
    struct error e;
    struct pack_manifest sample = {.created = 17, .body.table_records = 2, .body.table_size = 96};
    char *good = NULL;
    size_t good_len = 0;
    sample.base.manifest_sha256[0] = 1;
    fuzz_must(pack_manifest_write(&sample, &good, &good_len, &e) == OK);
    size_t at = (size_t)(data[0] | data[1] << 8) % good_len;
    size_t out = data[2] > good_len - at ? good_len - at : data[2];
    size_t in = size - 3;
    char *text = malloc(good_len + in);
    json_t *root = NULL;
    fuzz_must(text != NULL);
    memcpy(text, good, at);
    memcpy(text + at, data + 3, in);
    memcpy(text + at + in, good + at + out, good_len - at - out);
    if (json_parse(text, good_len - out + in, &root, &e) == OK) {
        char *canonical = json_canonical(root);
        fuzz_must(canonical != NULL);
        check_manifest(canonical, strlen(canonical));
        free(canonical);
        json_decref(root);
    }
    free(text);
    free(good);
}

// --- Table ---

static void check_table(const struct pack_table *t, const struct pack_manifest *m)
{
    uint64_t end = 0;
    uint64_t next = 0;
    for (uint32_t i = 0; i < pack_table_count(t); i++) {
        struct pack_record found;
        struct pack_record r = pack_table_get(t, i);
        fuzz_must(r.chunk >= next && r.stored_off == end);
        fuzz_must(r.base_len >= 1 && r.base_len <= DELTA_WINDOW_MAX);
        fuzz_must(r.base_off % PACK_WINDOW_ALIGN == 0 && r.base_off + r.base_len > r.base_off);
        fuzz_must(r.stored_len >= 1 && r.stored_len <= CHUNK_STORED_MAX);
        fuzz_must(pack_table_find(t, r.chunk, &found));
        fuzz_must(memcmp(&found, &r, sizeof(r)) == 0);
        next = (uint64_t)r.chunk + 1;
        end += r.stored_len;
    }
    fuzz_must(end == m->body.payload_size);
}

// 8 bytes a record, which mostly make a good one; a first byte of 255 spoils one byte of it.
static void play_table(const uint8_t *data, size_t size)
{
    struct error e;
    struct hasher *hasher = NULL;
    struct pack_table *t = NULL;
    struct pack_manifest m = {0};
    uint32_t chunk = 0;
    size_t count = size / SEED_SIZE > RECORDS_MAX ? RECORDS_MAX : size / SEED_SIZE;
    if (count == 0) {
        return;
    }
    fuzz_must(hasher_new(&hasher, &e) == OK);
    m.body.table_records = (uint32_t)count;
    m.body.table_size = (uint32_t)count * PACK_RECORD_SIZE;
    uint8_t *bytes = malloc(m.body.table_size);
    fuzz_must(bytes != NULL);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *seed = data + i * SEED_SIZE;
        uint8_t *record = bytes + i * PACK_RECORD_SIZE;
        struct pack_record r = {.chunk = chunk + seed[1],
                                .base_partition = seed[2],
                                .base_off = (uint64_t)seed[3] * PACK_WINDOW_ALIGN,
                                .base_len = (uint32_t)seed[4] * 2056 + 1,
                                .stored_len = seed[5],
                                .stored_off = m.body.payload_size};
        pack_record_write(&r, record);
        if (seed[0] == 255) {
            record[seed[6] % PACK_RECORD_SIZE] ^= seed[7];
        }
        chunk = r.chunk + 1;
        m.body.payload_size += r.stored_len;
    }
    fuzz_must(hasher_sha256(hasher, bytes, m.body.table_size, m.body.table_sha256, &e) == OK);
    if (pack_table_parse(bytes, m.body.table_size, &m, hasher, &t, &e) == OK) {
        check_table(t, &m);
    }
    pack_table_free(t);
    hasher_free(hasher);
}

// --- Delta ---

static void decode(const uint8_t *data, size_t size)
{
    static uint8_t window[WINDOW];
    struct error e;
    struct decoder *d = NULL;
    size_t raw_len = (size_t)(data[0] | data[1] << 8) + 1;
    size_t window_len = (size_t)data[2] * 16 + 1;
    // Of exactly these sizes, so that the address sanitizer sees one byte more.
    uint8_t *raw = malloc(raw_len);
    uint8_t *exact = malloc(window_len);
    fuzz_must(raw != NULL && exact != NULL);
    for (size_t i = 0; i < WINDOW; i++) {
        window[i] = (uint8_t)(i * 7 + i / 256);
    }
    memcpy(exact, window, window_len);
    fuzz_must(decoder_new(&d, &e) == OK);
    enum err err = decoder_run_delta(d, exact, window_len, data + 3, size - 3, raw, raw_len, &e);
    fuzz_must(err == OK || err == ERR_FORMAT);
    decoder_free(d);
    free(exact);
    free(raw);
}

// Byte 0 chooses what is done with the rest.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        check_manifest((const char *)data + 1, size - 1);
        break;
    case 1:
        edit_manifest(data + 1, size - 1);
        break;
    case 2:
        play_table(data + 1, size - 1);
        break;
    default:
        decode(data + 1, size - 1);
        break;
    }
    return 0;
}
