// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_reader.h"

#include "tests/support/delta_pair.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>
#include <sys/syscall.h>

static uint64_t read_bytes;

// Stands in for the C library's, to count what is read.
ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    ssize_t n = syscall(SYS_pread64, fd, data, len, off);
    read_bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

static struct image_reader *new_reader(const struct delta_pair *p)
{
    struct error e;
    struct image_reader *r = NULL;
    assert_ok(image_reader_new(p->target_file, &p->target, &r, &e));
    read_bytes = 0;
    return r;
}

static void every_range_is_what_the_image_was_made_of(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    const uint8_t *const content[] = {p->room->new_rootfs, p->room->boot};
    static const uint64_t sizes[] = {PACK_ROOM_ROOTFS, PACK_ROOM_BOOT};
    CLEANUP(cleanup_image_reader) struct image_reader *r = new_reader(p);
    uint8_t *bytes = malloc(PACK_ROOM_ROOTFS);
    assert_non_null(bytes);
    uint64_t seed = 1;
    for (int i = 0; i < 300; i++) {
        size_t part = next_random(&seed) % 2;
        uint64_t off = next_random(&seed) % sizes[part];
        size_t len = (size_t)(next_random(&seed) % (sizes[part] - off + 1));
        assert_ok(image_reader_read(r, part, off, len, bytes, &e));
        assert_memory_equal(bytes, content[part] + off, len);
    }
    for (size_t part = 0; part < 2; part++) {
        assert_ok(image_reader_read(r, part, 0, (size_t)sizes[part], bytes, &e));
        assert_memory_equal(bytes, content[part], (size_t)sizes[part]);
    }
    free(bytes);
}

static void a_chunk_is_given_as_a_whole(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    CLEANUP(cleanup_image_reader) struct image_reader *r = new_reader(p);
    for (uint32_t i = 0; i < p->target.manifest->partitions[0].count; i++) {
        uint64_t off = 0;
        const uint8_t *raw = NULL;
        struct chunk c = chunk_table_get(p->target.table, i, &off);
        assert_ok(image_reader_chunk(r, i, &raw, &e));
        assert_memory_equal(raw, p->room->new_rootfs + off, c.raw_len);
    }
}

static void a_chunk_is_read_once_while_it_is_asked_for(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    uint8_t bytes[1000];
    CLEANUP(cleanup_image_reader) struct image_reader *r = new_reader(p);
    for (uint64_t off = 0; off < PACK_ROOM_CHUNK - 1000; off += 500) {
        assert_ok(image_reader_read(r, 0, off, sizeof(bytes), bytes, &e));
    }
    assert_int_equal(read_bytes, chunk_table_get(p->target.table, 0, NULL).stored_len);
    assert_ok(image_reader_read(r, 0, (uint64_t)4 * PACK_ROOM_CHUNK, 1000, bytes, &e)); // zeros
    assert_int_equal(read_bytes, chunk_table_get(p->target.table, 0, NULL).stored_len);
}

static void a_damaged_chunk_is_named_and_not_given(void **state)
{
    struct delta_pair *p = *state;
    struct error e;
    const uint8_t *raw = NULL;
    struct chunk c = chunk_table_get(p->target.table, 3, NULL);
    host_flip(p->target_path, p->target_file->header.payload_offset + c.stored_off + 5);
    CLEANUP(cleanup_image_reader) struct image_reader *r = new_reader(p);
    assert_fails(ERR_FORMAT, "record 3: chunk: corrupt", image_reader_chunk(r, 3, &raw, &e));
    assert_contains(e.msg, p->target_path);
    assert_null(raw);
    // And not taken for loaded by the next call.
    assert_fails(ERR_FORMAT, "record 3: chunk: corrupt", image_reader_chunk(r, 3, &raw, &e));
    assert_ok(image_reader_chunk(r, 2, &raw, &e));
}

#define in_pair(test) cmocka_unit_test_setup_teardown(test, delta_pair_setup, delta_pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_pair(every_range_is_what_the_image_was_made_of),
        in_pair(a_chunk_is_given_as_a_whole),
        in_pair(a_chunk_is_read_once_while_it_is_asked_for),
        in_pair(a_damaged_chunk_is_named_and_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
