// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_file.h"

#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <sys/syscall.h>

static struct {
    int fail_read;
    bool short_reads;
    bool interrupt_next;
} sys;

// Stands in for the C library's, to fail and to do its work in small pieces.
ssize_t pread(int fd, void *data, size_t len, off_t off)
{
    sys.interrupt_next = sys.short_reads && !sys.interrupt_next;
    if (sys.fail_read != 0 || sys.interrupt_next) {
        errno = sys.fail_read != 0 ? sys.fail_read : EINTR;
        return -1;
    }
    return syscall(SYS_pread64, fd, data, sys.short_reads && len > 50 ? 50 : len, off);
}

static int setup(void **state)
{
    memset(&sys, 0, sizeof(sys));
    return temp_dir_make(state);
}

struct sample {
    uint8_t data[HOST_SAMPLE_SIZE];
    char path[HOST_PATH_MAX];
    struct header header;
};

// An image in DIR/image.vvi.
static void make_sample(struct sample *s, const char *dir)
{
    struct error e;
    struct image_recipe r = host_recipe(s->data);
    host_write_image(temp_dir_path(s->path, sizeof(s->path), dir, "image.vvi"), &r);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    assert_ok(image_file_open(s->path, &f, &e));
    s->header = f->header;
}

static void refuse_open(const char *path, enum err code, const char *part)
{
    struct error e;
    struct image_file *f = NULL;
    assert_fails(code, part, image_file_open(path, &f, &e));
    assert_contains(e.msg, path);
    assert_null(f);
}

static void refuse_contents(const char *path, const char *part)
{
    struct error e;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    struct image_contents c = {0};
    assert_ok(image_file_open(path, &f, &e));
    assert_fails(ERR_FORMAT, part, image_file_contents(f, &c, &e));
    assert_contains(e.msg, path);
    assert_null(c.manifest);
    assert_null(c.table);
}

static void a_good_image_opens_and_shows_its_contents(void **state)
{
    struct error e;
    struct sample s;
    make_sample(&s, *state);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    sys.short_reads = true;
    assert_ok(image_file_open(s.path, &f, &e));
    assert_int_equal(f->prefix_len, f->header.payload_offset);
    assert_ok(image_file_contents(f, &c, &e));
    assert_string_equal(c.manifest->product, "vv-test");
    assert_int_equal(chunk_table_count(c.table), 5);
    assert_int_equal(c.signatures.count, 0);
    uint8_t header[HEADER_SIZE];
    assert_ok(image_file_read(f, header, sizeof(header), 0, &e));
    assert_memory_equal(header, f->prefix, sizeof(header));
}

static void a_signature_record_is_listed(void **state)
{
    struct error e;
    struct sample s;
    make_sample(&s, *state);
    struct image_recipe r = host_recipe(s.data);
    struct built_image image = image_build(&r);
    built_image_attach(&image, SIGNATURE_CMS, "abc", 3);
    host_write(s.path, image.bytes, image.len);
    built_image_free(&image);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(image_file_open(s.path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    assert_int_equal(c.signatures.count, 1);
    assert_int_equal(c.signatures.records[0].len, 3);
}

static void what_is_not_a_file_is_refused(void **state)
{
    char path[HOST_PATH_MAX];
    refuse_open(temp_dir_path(path, sizeof(path), *state, "none"), ERR_IO, "open");
    refuse_open(*state, ERR_IO, "not a regular file");
    assert_int_equal(mkfifo(temp_dir_path(path, sizeof(path), *state, "fifo"), 0600), 0);
    refuse_open(path, ERR_IO, "not a regular file");
}

static void what_is_not_an_image_is_refused(void **state)
{
    char path[HOST_PATH_MAX];
    uint8_t zeros[4096] = {0};
    host_write(temp_dir_path(path, sizeof(path), *state, "f"), "", 0);
    refuse_open(path, ERR_FORMAT, "not a .vvi image: 0 bytes");
    host_write(path, zeros, HEADER_SIZE - 1);
    refuse_open(path, ERR_FORMAT, "not a .vvi image: 127 bytes");
    host_write(path, zeros, sizeof(zeros));
    refuse_open(path, ERR_FORMAT, "not a .vvi image");
}

static void a_damaged_header_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    host_flip(s.path, 30);
    refuse_open(s.path, ERR_FORMAT, "corrupt");
}

static void a_file_shorter_or_longer_than_it_says_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    off_t size = (off_t)s.header.file_size;
    assert_int_equal(truncate(s.path, size - 1), 0);
    refuse_open(s.path, ERR_FORMAT, "fewer than");
    assert_int_equal(truncate(s.path, HEADER_SIZE), 0);
    refuse_open(s.path, ERR_FORMAT, "fewer than");
    make_sample(&s, *state);
    assert_int_equal(truncate(s.path, size + 1), 0);
    refuse_open(s.path, ERR_FORMAT, "more than");
}

static void a_read_error_is_told(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    sys.fail_read = EIO;
    refuse_open(s.path, ERR_IO, "read: ");
}

static void a_read_past_the_end_is_told(void **state)
{
    struct error e;
    struct sample s;
    uint8_t byte[2];
    make_sample(&s, *state);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    assert_ok(image_file_open(s.path, &f, &e));
    assert_fails(ERR_FORMAT, "it ends early",
                 image_file_read(f, byte, 2, f->header.file_size - 1, &e));
}

static void a_damaged_manifest_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    host_flip(s.path, HEADER_SIZE + 5);
    refuse_contents(s.path, "manifest: corrupt");
}

static void a_damaged_signature_area_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    host_flip(s.path, header_head_size(&s.header) - 1);
    refuse_contents(s.path, "signature area: corrupt");
}

static void a_byte_in_a_pad_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    assert_true(header_head_size(&s.header) < s.header.table_offset);
    host_flip(s.path, header_head_size(&s.header));
    refuse_contents(s.path, "is not zero");
    host_flip(s.path, header_head_size(&s.header));
    host_flip(s.path, s.header.payload_offset - 1);
    refuse_contents(s.path, "is not zero");
}

static void a_damaged_table_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    host_flip(s.path, s.header.table_offset + 1);
    refuse_contents(s.path, "chunk table: corrupt");
}

static void set_product_to_a_number(json_t *root)
{
    json_object_set_new(root, "product", json_integer(1));
}

static void a_manifest_that_is_wrong_is_refused(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    struct image_recipe r = host_recipe(s.data);
    r.spoil_manifest = set_product_to_a_number;
    host_write_image(s.path, &r);
    refuse_contents(s.path, "product");
}

static void set_other_payload(json_t *root)
{
    json_object_set_new(json_object_get(root, "payload"), "size", json_integer(1));
}

static void header_and_manifest_must_agree(void **state)
{
    struct sample s;
    make_sample(&s, *state);
    struct image_recipe r = host_recipe(s.data);
    r.spoil_manifest = set_other_payload;
    host_write_image(s.path, &r);
    refuse_contents(s.path, "image: the payload is");
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, setup, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(a_good_image_opens_and_shows_its_contents),
        WITH_DIR(a_signature_record_is_listed),
        WITH_DIR(what_is_not_a_file_is_refused),
        WITH_DIR(what_is_not_an_image_is_refused),
        WITH_DIR(a_damaged_header_is_refused),
        WITH_DIR(a_file_shorter_or_longer_than_it_says_is_refused),
        WITH_DIR(a_read_error_is_told),
        WITH_DIR(a_read_past_the_end_is_told),
        WITH_DIR(a_damaged_manifest_is_refused),
        WITH_DIR(a_damaged_signature_area_is_refused),
        WITH_DIR(a_byte_in_a_pad_is_refused),
        WITH_DIR(a_damaged_table_is_refused),
        WITH_DIR(a_manifest_that_is_wrong_is_refused),
        WITH_DIR(header_and_manifest_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
