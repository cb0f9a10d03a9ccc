// SPDX-License-Identifier: Apache-2.0
#include "image-tools/payload_check.h"

#include "format/image.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <sys/syscall.h>
#include <time.h>

static uint64_t read_bytes;
static int fail_read;

// Two reads put in an order: the early one begins after the late one has begun, and the late one
// ends long after the early one. Offsets in the file; 0: not in use.
static struct {
    off_t early;
    off_t late;
    bool late_begun;
} race;

static void run_race(off_t off)
{
    const struct timespec tick = {.tv_nsec = 1000 * 1000};
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    if (race.late != 0 && off == race.late) {
        __atomic_store_n(&race.late_begun, true, __ATOMIC_RELEASE);
        nanosleep(&pause, NULL);
    }
    // Bounded, should the other never begin.
    for (int i = 0; i < 5000 && race.early != 0 && off == race.early; i++) {
        if (__atomic_load_n(&race.late_begun, __ATOMIC_ACQUIRE)) {
            break;
        }
        nanosleep(&tick, NULL);
    }
}

// Stands in for the C library's, to count what is read. Several threads call it.
ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    if (fail_read != 0) {
        errno = fail_read;
        return -1;
    }
    run_race(off);
    ssize_t n = syscall(SYS_pread64, fd, data, len, off);
    if (n > 0) {
        __atomic_add_fetch(&read_bytes, (uint64_t)n, __ATOMIC_RELAXED);
    }
    return n;
}

struct sample {
    uint8_t data[HOST_SAMPLE_SIZE];
    char path[HOST_PATH_MAX];
    struct image_file *file;
    struct image_contents contents;
};

static void close_sample(struct sample *s)
{
    image_contents_clear(&s->contents);
    image_file_free(s->file);
}

// Five chunks: text, zeros, random data, text, the random data again.
static void open_recipe(struct sample *s, const char *dir, const struct image_recipe *r)
{
    struct error e;
    struct image_recipe recipe = *r;
    host_write_image(temp_dir_path(s->path, sizeof(s->path), dir, "image.vvi"), &recipe);
    s->file = NULL;
    s->contents = (struct image_contents){0};
    assert_ok(image_file_open(s->path, &s->file, &e));
    assert_ok(image_file_contents(s->file, &s->contents, &e));
    read_bytes = 0;
}

static void open_sample(struct sample *s, const char *dir)
{
    struct image_recipe r = host_recipe(s->data);
    open_recipe(s, dir, &r);
}

static enum err check(const struct sample *s, unsigned jobs, struct error *e)
{
    struct progress quiet = {.kind = PROGRESS_NONE};
    return payload_check(s->file, s->contents.table, jobs, &quiet, e);
}

static uint64_t payload_at(const struct sample *s, uint32_t record, uint64_t off)
{
    return s->file->header.payload_offset +
           chunk_table_get(s->contents.table, record, NULL).stored_off + off;
}

static void a_good_payload_is_read_once_whatever_the_number_of_jobs(void **state)
{
    for (unsigned jobs = 1; jobs < 9; jobs += 3) {
        struct error e;
        CLEANUP(close_sample) struct sample s;
        open_sample(&s, *state);
        assert_ok(check(&s, jobs, &e));
        assert_int_equal(read_bytes, s.file->header.payload_size);
    }
}

static void every_codec_is_checked(void **state)
{
    static const enum codec codecs[] = {CODEC_ZSTD, CODEC_ZLIB, CODEC_RAW};
    for (size_t i = 0; i < 3; i++) {
        struct error e;
        CLEANUP(close_sample) struct sample s;
        struct image_recipe r = host_recipe(s.data);
        r.codec = codecs[i];
        open_recipe(&s, *state, &r);
        assert_ok(check(&s, 2, &e));
    }
}

static void every_flipped_byte_of_the_payload_is_found(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    uint64_t end = s.file->header.file_size;
    // All would take long; a prime step hits every chunk at many places.
    for (uint64_t off = s.file->header.payload_offset; off < end; off += 131) {
        host_flip(s.path, off);
        assert_fails(ERR_FORMAT, "stored bytes do not match", check(&s, 1, &e));
        host_flip(s.path, off);
    }
    host_flip(s.path, end - 1);
    assert_fails(ERR_FORMAT, "stored bytes do not match", check(&s, 1, &e));
}

static void the_first_bad_chunk_is_named_whatever_the_number_of_jobs(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    host_flip(s.path, payload_at(&s, 3, 7));
    assert_fails(ERR_FORMAT, "record 3: chunk: corrupt", check(&s, 1, &e));
    assert_contains(e.msg, s.path);
    host_flip(s.path, payload_at(&s, 2, 0));
    for (unsigned jobs = 1; jobs < 6; jobs++) {
        assert_fails(ERR_FORMAT, "record 2: chunk: corrupt", check(&s, jobs, &e));
    }
    host_flip(s.path, payload_at(&s, 0, 0));
    for (unsigned jobs = 1; jobs < 6; jobs++) {
        assert_fails(ERR_FORMAT, "record 0: chunk: corrupt", check(&s, jobs, &e));
    }
}

static void a_later_bad_chunk_that_is_found_later_does_not_take_over(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    host_flip(s.path, payload_at(&s, 0, 0));
    host_flip(s.path, payload_at(&s, 2, 0));
    race.early = (off_t)payload_at(&s, 0, 0);
    race.late = (off_t)payload_at(&s, 2, 0);
    enum err err = check(&s, 2, &e);
    race.early = race.late = 0;
    assert_int_equal(err, ERR_FORMAT);
    assert_true(race.late_begun);
    assert_contains(e.msg, "record 0: chunk: corrupt");
}

static void spoil_raw_hash_of_the_first(uint8_t *table, size_t len)
{
    (void)len;
    table[0] ^= 1;
}

static void a_raw_hash_that_does_not_match_is_found_behind_a_good_stored_one(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    struct image_recipe r = host_recipe(s.data);
    r.spoil_table = spoil_raw_hash_of_the_first;
    open_recipe(&s, *state, &r);
    assert_fails(ERR_FORMAT, "record 0: chunk: corrupt: its raw bytes", check(&s, 2, &e));
}

static void a_read_error_is_told(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    fail_read = EIO;
    enum err err = check(&s, 2, &e);
    fail_read = 0;
    assert_int_equal(err, ERR_IO);
    assert_contains(e.msg, "record 0");
}

static void a_file_that_was_cut_since_it_was_opened_is_told(void **state)
{
    struct error e;
    CLEANUP(close_sample) struct sample s;
    open_sample(&s, *state);
    assert_int_equal(truncate(s.path, (off_t)s.file->header.file_size - 1), 0);
    assert_fails(ERR_FORMAT, "it ends early", check(&s, 2, &e));
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_good_payload_is_read_once_whatever_the_number_of_jobs),
        WITH_DIR(every_codec_is_checked),
        WITH_DIR(every_flipped_byte_of_the_payload_is_found),
        WITH_DIR(the_first_bad_chunk_is_named_whatever_the_number_of_jobs),
        WITH_DIR(a_later_bad_chunk_that_is_found_later_does_not_take_over),
        WITH_DIR(a_raw_hash_that_does_not_match_is_found_behind_a_good_stored_one),
        WITH_DIR(a_read_error_is_told),
        WITH_DIR(a_file_that_was_cut_since_it_was_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
