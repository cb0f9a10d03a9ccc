// SPDX-License-Identifier: Apache-2.0
#include "format/chunk_table.h"

#include "format/header.h"
#include "tests/support/expect.h"

#include <stdlib.h>

enum { MIB = 1024 * 1024 };

// Records as a writer would make them, and the manifest that goes with them.
struct sheet {
    struct hasher *hasher;
    struct chunk *chunks;
    uint32_t count;
    struct manifest m;
};

static int setup(void **state)
{
    struct error e;
    struct sheet *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->chunks = calloc(TABLE_MAX / CHUNK_RECORD_SIZE, sizeof(*s->chunks));
    assert_non_null(s->chunks);
    assert_ok(hasher_new(&s->hasher, &e));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sheet *s = *state;
    hasher_free(s->hasher);
    free(s->chunks);
    free(s);
    return 0;
}

static void zero_hash(struct sheet *s, uint32_t len, uint8_t ret[SHA256_SIZE])
{
    struct error e;
    uint8_t *zeros = calloc(1, len);
    assert_non_null(zeros);
    assert_ok(hasher_sha256(s->hasher, zeros, len, ret, &e));
    free(zeros);
}

// A chunk at the running end, with hashes that only its index decides.
static void add(struct sheet *s, enum codec codec, uint32_t raw_len, uint32_t stored_len)
{
    struct error e;
    struct chunk c = {.codec = codec, .raw_len = raw_len, .stored_len = stored_len};
    uint8_t digest[SHA256_SIZE];
    assert_ok(hasher_sha256(s->hasher, &s->count, sizeof(s->count), digest, &e));
    memcpy(c.raw_sha256, digest, SHA256_SIZE);
    if (codec == CODEC_ZERO) {
        zero_hash(s, raw_len, c.raw_sha256);
    } else if (codec == CODEC_RAW) {
        memcpy(c.stored_sha256, digest, STORED_HASH_SIZE);
    } else {
        memset(c.stored_sha256, 0x77, STORED_HASH_SIZE);
    }
    c.stored_off = s->m.body.payload_size;
    s->m.body.payload_size += stored_len;
    s->chunks[s->count++] = c;
}

static void repeat(struct sheet *s, uint32_t index)
{
    s->chunks[s->count++] = s->chunks[index];
}

// Everything added since the last partition becomes one.
static void end_partition(struct sheet *s, const char *name)
{
    struct partition_info *p = &s->m.partitions[s->m.partition_count];
    strcpy(p->name, name);
    p->id = (uint32_t)s->m.partition_count;
    p->first = s->m.partition_count == 0 ? 0 : p[-1].first + p[-1].count;
    p->count = s->count - p->first;
    p->image_size = 0;
    for (uint32_t i = p->first; i < s->count; i++) {
        p->image_size += s->chunks[i].raw_len;
    }
    s->m.partition_count++;
}

// Records 0..5: zstd, zero, raw, a repetition of 0 | zlib, a repetition of 2.
static void add_sample(struct sheet *s)
{
    add(s, CODEC_ZSTD, 4096, 100);
    add(s, CODEC_ZERO, 8192, 0);
    add(s, CODEC_RAW, 512, 512);
    repeat(s, 0);
    end_partition(s, "rootfs");
    add(s, CODEC_ZLIB, MIB, 5000);
    repeat(s, 2);
    end_partition(s, "boot");
}

// The bytes of the table; the hashes in the manifest are made to match them.
static uint8_t *seal(struct sheet *s)
{
    struct error e;
    size_t len = (size_t)s->count * CHUNK_RECORD_SIZE;
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < s->count; i++) {
        chunk_record_write(&s->chunks[i], bytes + (size_t)i * CHUNK_RECORD_SIZE);
    }
    s->m.body.table_records = s->count;
    s->m.body.table_size = (uint32_t)len;
    assert_ok(hasher_sha256(s->hasher, bytes, len, s->m.body.table_sha256, &e));
    for (size_t i = 0; i < s->m.partition_count; i++) {
        struct partition_info *p = &s->m.partitions[i];
        assert_ok(hasher_begin(s->hasher, &e));
        for (uint32_t k = p->first; k < p->first + p->count; k++) {
            assert_ok(hasher_add(s->hasher, s->chunks[k].raw_sha256, SHA256_SIZE, &e));
        }
        assert_ok(hasher_end(s->hasher, p->sha256_list, &e));
    }
    return bytes;
}

static enum err parse_bytes(struct sheet *s, uint8_t *bytes, struct chunk_table **ret,
                            struct error *e)
{
    return chunk_table_parse(bytes, (size_t)s->count * CHUNK_RECORD_SIZE, &s->m, s->hasher, ret, e);
}

static struct chunk_table *accepts(struct sheet *s)
{
    struct error e;
    struct chunk_table *t = NULL;
    uint8_t *bytes = seal(s);
    assert_ok(parse_bytes(s, bytes, &t, &e));
    return t;
}

static void refuses(struct sheet *s, const char *sentence)
{
    struct error e;
    struct chunk_table *t = NULL;
    uint8_t *bytes = seal(s);
    assert_fails(ERR_FORMAT, sentence, parse_bytes(s, bytes, &t, &e));
    assert_null(t);
}

static void a_table_is_read_back(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    struct chunk_table *t = accepts(s);
    static const uint64_t target[] = {0, 4096, 12288, 12800, 0, MIB};
    static const uint32_t origin[] = {0, 1, 2, 0, 4, 2};
    assert_int_equal(chunk_table_count(t), 6);
    for (uint32_t i = 0; i < 6; i++) {
        uint64_t off = UINT64_MAX;
        struct chunk c = chunk_table_get(t, i, &off);
        uint8_t bytes[CHUNK_RECORD_SIZE];
        chunk_record_write(&c, bytes);
        assert_memory_equal(chunk_table_bytes(t) + (size_t)i * CHUNK_RECORD_SIZE, bytes,
                            CHUNK_RECORD_SIZE);
        assert_int_equal(off, target[i]);
        assert_int_equal(chunk_table_origin(t, i), origin[i]);
    }
    assert_int_equal(chunk_table_get(t, 5, NULL).raw_len, 512);
    uint8_t *bytes = seal(s);
    assert_memory_equal(chunk_table_bytes(t), bytes, 6 * CHUNK_RECORD_SIZE);
    free(bytes);
    chunk_table_free(t);
}

static void a_table_of_another_size_is_refused(void **state)
{
    struct sheet *s = *state;
    struct error e;
    struct chunk_table *t = NULL;
    add_sample(s);
    uint8_t *bytes = seal(s);
    assert_fails(ERR_FORMAT, "chunk table: 320 bytes, the manifest says 384",
                 chunk_table_parse(bytes, 320, &s->m, s->hasher, &t, &e));
}

static void a_table_of_another_hash_is_corrupt(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    for (size_t i = 0; i < 6 * CHUNK_RECORD_SIZE; i += 5) {
        struct error e;
        struct chunk_table *t = NULL;
        uint8_t *bytes = seal(s);
        bytes[i] ^= 0x10;
        assert_fails(ERR_FORMAT, "chunk table: corrupt: its hash is not the one in the manifest",
                     parse_bytes(s, bytes, &t, &e));
    }
}

static void a_refusal_names_the_record(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->chunks[4].raw_len = 0;
    refuses(s, "chunk table: record 4: 0 raw bytes");
}

static void a_zero_chunk_of_another_hash_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->chunks[1].raw_sha256[31] ^= 1;
    refuses(s, "record 1: a zero chunk whose hash is not that of 8192 zeros");
}

static void zero_chunks_of_many_lengths_are_checked_each(void **state)
{
    struct sheet *s = *state;
    static const uint32_t lengths[] = {1, MIB, MIB, 16384, 16385, MIB, 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        add(s, CODEC_ZERO, lengths[i], 0);
    }
    end_partition(s, "rootfs");
    chunk_table_free(accepts(s));
    // The hash of the length before, which is the cached one.
    memcpy(s->chunks[3].raw_sha256, s->chunks[2].raw_sha256, SHA256_SIZE);
    refuses(s, "record 3: a zero chunk whose hash is not that of 16384 zeros");
}

static void a_gap_in_the_payload_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->chunks[2].stored_off += 1;
    refuses(s, "record 2: stored offset 101 neither continues the payload at 100 nor repeats an "
               "earlier record");
}

static void an_overlap_in_the_payload_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->chunks[2].stored_off -= 1;
    refuses(s, "record 2: stored offset 99 neither continues the payload at 100");
}

static void a_stored_offset_that_would_overflow_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->chunks[4].stored_off = UINT64_MAX - 100;
    refuses(s, "record 4: stored offset 18446744073709551515 neither continues");
}

static void a_repetition_that_differs_in_any_field_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    struct chunk same = s->chunks[3];
    s->chunks[3].raw_len += 1;
    refuses(s, "record 3: stored offset 0 neither continues");
    s->chunks[3] = same;
    s->chunks[3].stored_len += 1;
    refuses(s, "record 3: stored offset 0 neither continues");
    s->chunks[3] = same;
    s->chunks[3].codec = CODEC_ZLIB;
    refuses(s, "record 3: stored offset 0 neither continues");
    s->chunks[3] = same;
    s->chunks[3].raw_sha256[0] ^= 1;
    refuses(s, "record 3: stored offset 0 neither continues");
    s->chunks[3] = same;
    s->chunks[3].stored_sha256[15] ^= 1;
    refuses(s, "record 3: stored offset 0 neither continues");
}

static void a_repetition_before_its_first_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    struct chunk first = s->chunks[0];
    s->chunks[0] = s->chunks[4];
    s->chunks[4] = first;
    refuses(s, "record 0: stored offset 612 neither continues the payload at 0");
}

static void a_zero_chunk_stands_at_the_running_end(void **state)
{
    struct sheet *s = *state;
    add(s, CODEC_ZERO, 4096, 0);
    add(s, CODEC_ZSTD, 4096, 100);
    repeat(s, 0); // in all 64 bytes, but a zero chunk has nothing to share
    end_partition(s, "rootfs");
    refuses(s, "record 2: stored offset 0 neither continues the payload at 100");
    s->chunks[2].stored_off = 100;
    struct chunk_table *t = accepts(s);
    assert_int_equal(chunk_table_origin(t, 2), 2);
    chunk_table_free(t);
}

static void a_zero_chunk_does_not_hide_the_chunk_at_its_offset(void **state)
{
    struct sheet *s = *state;
    add(s, CODEC_ZSTD, 4096, 100);
    add(s, CODEC_ZERO, 4096, 0);
    add(s, CODEC_ZERO, 4096, 0);
    add(s, CODEC_ZSTD, 4096, 100);
    repeat(s, 3);
    end_partition(s, "rootfs");
    struct chunk_table *t = accepts(s);
    assert_int_equal(chunk_table_origin(t, 4), 3);
    chunk_table_free(t);
}

static void chunks_that_do_not_add_up_are_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->m.partitions[0].image_size += 1;
    refuses(s, "chunk table: partition rootfs: its chunks add up to 16896 bytes, its image_size is "
               "16897");
    s->m.partitions[0].image_size -= 1;
    s->m.partitions[1].image_size -= 1;
    refuses(s, "partition boot: its chunks add up to 1049088 bytes");
}

static void a_list_of_hashes_other_than_the_manifests_is_refused(void **state)
{
    struct sheet *s = *state;
    struct error e;
    struct chunk_table *t = NULL;
    add_sample(s);
    uint8_t *bytes = seal(s);
    s->m.partitions[1].sha256_list[0] ^= 1;
    assert_fails(ERR_FORMAT, "partition boot: its chunk hashes do not match sha256_list",
                 parse_bytes(s, bytes, &t, &e));
}

static void a_payload_of_another_size_is_refused(void **state)
{
    struct sheet *s = *state;
    add_sample(s);
    s->m.body.payload_size += 1;
    refuses(s, "the chunks take 5612 stored bytes, the payload has 5613");
    s->m.body.payload_size -= 2;
    refuses(s, "the chunks take 5612 stored bytes, the payload has 5611");
}

static void an_image_of_zeros_needs_no_payload(void **state)
{
    struct sheet *s = *state;
    add(s, CODEC_ZERO, MIB, 0);
    end_partition(s, "rootfs");
    chunk_table_free(accepts(s));
}

static void a_full_table_finds_all_its_repetitions(void **state)
{
    struct sheet *s = *state;
    const uint32_t half = TABLE_MAX / CHUNK_RECORD_SIZE / 2;
    for (uint32_t i = 0; i < half; i++) {
        add(s, CODEC_ZSTD, 4096, 1 + i % 4000);
    }
    for (uint32_t i = 0; i < half; i++) {
        repeat(s, (uint32_t)((uint64_t)i * 40503 % half));
    }
    end_partition(s, "rootfs");
    struct chunk_table *t = accepts(s);
    assert_int_equal(chunk_table_count(t), 65536);
    for (uint32_t i = 0; i < half; i++) {
        assert_int_equal(chunk_table_origin(t, half + i), (uint64_t)i * 40503 % half);
    }
    chunk_table_free(t);
}

// Long enough for what is kept of some records only, and with partitions that end anywhere.
static void offsets_and_origins_are_known_of_every_record(void **state)
{
    struct sheet *s = *state;
    static const uint32_t counts[] = {1, 63, 64, 200, 65, 129, 1};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    uint64_t *offs = calloc(1000, sizeof *offs);
    uint32_t *origins = calloc(1000, sizeof *origins);
    assert_non_null(offs);
    assert_non_null(origins);
    for (size_t p = 0; p < 7; p++) {
        uint64_t off = 0;
        for (uint32_t n = 0; n < counts[p]; n++) {
            uint32_t i = s->count;
            uint32_t other = i * 7919 % (i + 1); // any record up to this one
            offs[i] = off;
            origins[i] = i;
            if (i > 0 && i % 3 == 1 && other < i && s->chunks[other].codec != CODEC_ZERO) {
                repeat(s, other);
                origins[i] = origins[other];
            } else if (i % 5 == 2 || (i > 100 && i < 180)) {
                add(s, CODEC_ZERO, 4096 * (1 + i % 3), 0);
            } else {
                add(s, CODEC_ZSTD, 1000 + i, 10 + i);
            }
            off += s->chunks[i].raw_len;
        }
        end_partition(s, names[p]);
    }
    struct chunk_table *t = accepts(s);
    uint32_t repeated = 0;
    for (uint32_t i = s->count; i-- > 0;) {
        uint64_t off;
        (void)chunk_table_get(t, i, &off);
        assert_int_equal(off, offs[i]);
        assert_int_equal(chunk_table_origin(t, i), origins[i]);
        repeated += origins[i] != i;
    }
    assert_true(repeated > 50);
    chunk_table_free(t);
    free(offs);
    free(origins);
}

static void offsets_beyond_four_gib_are_kept(void **state)
{
    struct sheet *s = *state;
    for (uint32_t i = 0; i < 6144; i++) {
        add(s, CODEC_ZSTD, MIB, MIB + CHUNK_STORED_SLACK);
    }
    end_partition(s, "rootfs");
    struct chunk_table *t = accepts(s);
    uint64_t target_off = 0;
    struct chunk last = chunk_table_get(t, 6143, &target_off);
    assert_true(target_off == UINT64_C(6143) << 20);
    assert_true(last.stored_off == UINT64_C(6143) * (MIB + CHUNK_STORED_SLACK));
    chunk_table_free(t);
}

#define on_sheet(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_sheet(a_table_is_read_back),
        on_sheet(a_table_of_another_size_is_refused),
        on_sheet(a_table_of_another_hash_is_corrupt),
        on_sheet(a_refusal_names_the_record),
        on_sheet(a_zero_chunk_of_another_hash_is_refused),
        on_sheet(zero_chunks_of_many_lengths_are_checked_each),
        on_sheet(a_gap_in_the_payload_is_refused),
        on_sheet(an_overlap_in_the_payload_is_refused),
        on_sheet(a_stored_offset_that_would_overflow_is_refused),
        on_sheet(a_repetition_that_differs_in_any_field_is_refused),
        on_sheet(a_repetition_before_its_first_is_refused),
        on_sheet(a_zero_chunk_stands_at_the_running_end),
        on_sheet(a_zero_chunk_does_not_hide_the_chunk_at_its_offset),
        on_sheet(chunks_that_do_not_add_up_are_refused),
        on_sheet(a_list_of_hashes_other_than_the_manifests_is_refused),
        on_sheet(a_payload_of_another_size_is_refused),
        on_sheet(an_image_of_zeros_needs_no_payload),
        on_sheet(offsets_and_origins_are_known_of_every_record),
        on_sheet(a_full_table_finds_all_its_repetitions),
        on_sheet(offsets_beyond_four_gib_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
