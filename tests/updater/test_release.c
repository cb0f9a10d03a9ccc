// SPDX-License-Identifier: Apache-2.0
#include "updater/release.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, LEN = 24 * KIB };

static struct bench *serve_with(size_t len, uint32_t cut, uint32_t signature_room)
{
    uint8_t *data = malloc(len);
    assert_non_null(data);
    fill_random(data, len, 1);
    struct bench *b = bench_new(len, 0);
    struct image_recipe r = bench_recipe("2.0", 7);
    r.cuts = (const uint32_t[]){cut, 0};
    r.signature_room = signature_room;
    image_recipe_add(&r, "rootfs", data, len);
    bench_serve(b, &r);
    free(data);
    return b;
}

static struct bench *serve(size_t len, uint32_t cut)
{
    return serve_with(len, cut, 4 * KIB);
}

static void head_and_table_come_in_one_range_that_goes_on_into_the_payload(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(LEN, 4096);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_null(image->table);
    assert_string_equal(image->manifest->version, "2.0");
    assert_ok(release_fetch_table(&b->device, &b->source.base, image, &e));
    assert_int_equal(chunk_table_count(image->table), 6);
    assert_int_equal(b->source.range_count, 1);
    assert_int_equal(b->source.ranges[0].off, 0);
    assert_int_equal(b->source.ranges[0].len, RELEASE_FIRST_RANGE);
    assert_int_equal(b->source.pos, b->image.header.payload_offset);
    assert_int_equal(b->source.read_bytes, b->image.header.payload_offset);
    image_free(image);
    bench_free(b);
}

static void the_first_range_ends_with_a_file_whose_size_is_known(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(2 * KIB, 4096);
    b->source.base.size_bytes = b->image.len;
    assert_true(b->image.len < RELEASE_FIRST_RANGE);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_int_equal(b->source.ranges[0].len, b->image.len);
    image_free(image);
    bench_free(b);
}

static void a_table_longer_than_the_first_range_comes_in_a_second_one(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(5000 * 16, 16); // 5000 records
    uint64_t payload = b->image.header.payload_offset;
    assert_true(payload > RELEASE_FIRST_RANGE);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_ok(release_fetch_table(&b->device, &b->source.base, image, &e));
    assert_int_equal(chunk_table_count(image->table), 5000);
    assert_int_equal(b->source.range_count, 2);
    assert_int_equal(b->source.ranges[1].off, RELEASE_FIRST_RANGE);
    assert_int_equal(b->source.ranges[1].len, payload - RELEASE_FIRST_RANGE);
    assert_int_equal(b->source.read_bytes, payload);
    image_free(image);
    bench_free(b);
}

static void a_head_longer_than_the_first_range_comes_in_a_second_one(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve_with(LEN, 4096, 40 * KIB);
    size_t head = header_head_size(&b->image.header);
    uint64_t payload = b->image.header.payload_offset;
    assert_true(head > RELEASE_FIRST_RANGE);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_ok(release_fetch_table(&b->device, &b->source.base, image, &e));
    assert_int_equal(chunk_table_count(image->table), 6);
    assert_int_equal(b->source.range_count, 3);
    assert_int_equal(b->source.ranges[1].off, RELEASE_FIRST_RANGE);
    assert_int_equal(b->source.ranges[1].len, head - RELEASE_FIRST_RANGE);
    assert_int_equal(b->source.ranges[2].off, head);
    assert_int_equal(b->source.ranges[2].len, payload - head);
    assert_int_equal(b->source.read_bytes, payload);
    image_free(image);
    bench_free(b);
}

static void a_head_without_a_trusted_signature_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(LEN, 4096);
    struct test_cert stranger = test_signer("a stranger", NULL);
    struct signature_record record = test_cms(&stranger, "SHA256", 0, NULL, b->image.bytes,
                                              header_signed_size(&b->image.header));
    memset(b->image.bytes + header_signed_size(&b->image.header), 0,
           b->image.header.signature_area_size);
    built_image_attach(&b->image, record.type, record.data, record.len);
    assert_int_equal(release_fetch_head(&b->device, &b->source.base, &image, &e), ERR_TRUST);
    assert_null(image);
    test_record_clear(&record);
    test_cert_clear(&stranger);
    bench_free(b);
}

static void a_changed_byte_before_the_payload_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct bench *b = serve(LEN, 4096);
    struct signature_list signatures;
    uint64_t payload = b->image.header.payload_offset;
    size_t signed_size = header_signed_size(&b->image.header);
    assert_ok(signature_area_parse(b->image.bytes + signed_size,
                                   b->image.header.signature_area_size, &signatures, &e));
    // A step that meets header, manifest, signature, padding and table.
    for (uint64_t off = 0; off < payload; off += 61) {
        if (off - signed_size - signatures.used_bytes < 2) {
            continue; // becomes an empty record of an unknown type, which is allowed
        }
        struct image *image = NULL;
        bench_restart(b);
        b->source.flip_off = (int64_t)off;
        enum err err = release_fetch_head(&b->device, &b->source.base, &image, &e);
        if (err == OK) {
            err = release_fetch_table(&b->device, &b->source.base, image, &e);
        }
        if (err != ERR_FORMAT && err != ERR_TRUST) {
            fail_msg("expected a refusal of the image with byte %d changed, got %d", (int)off, err);
        }
        image_free(image);
    }
    bench_free(b);
}

static void a_file_of_another_length_than_its_header_says_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(LEN, 4096);
    b->source.len--;
    assert_fails(ERR_FORMAT, "its header says",
                 release_fetch_head(&b->device, &b->source.base, &image, &e));
    b->source.len = 100;
    assert_fails(ERR_FORMAT, "the file ends at 100",
                 release_fetch_head(&b->device, &b->source.base, &image, &e));
    bench_free(b);
}

static void the_first_end_of_several_signers_counts(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    uint64_t not_after = 0;
    struct bench *b = serve(LEN, 4096);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_ok(release_signer_not_after(&b->device, image, &not_after, &e));
    assert_int_equal(not_after, 2398377600); // 2046-01-01, as all test certificates
    image_free(image);
    struct test_cert early = test_cert_make(&(struct test_cert_spec){
        .subject = "early",
        .issuer = &b->root,
        .constraints = "critical,CA:FALSE",
        .usage = "critical,digitalSignature",
        .extended_usage = "codeSigning",
        .not_after = "20300101000000Z",
    });
    struct signature_record record =
        test_cms(&early, "SHA256", 0, NULL, b->image.bytes, header_signed_size(&b->image.header));
    built_image_attach(&b->image, record.type, record.data, record.len);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    assert_ok(release_signer_not_after(&b->device, image, &not_after, &e));
    assert_int_equal(not_after, 1893456000); // 2030-01-01
    image_free(image);
    test_record_clear(&record);
    test_cert_clear(&early);
    bench_free(b);
}

static void the_identity_of_a_release_is_its_manifest(void **state)
{
    (void)state;
    struct error e;
    struct image *image = NULL;
    struct bench *b = serve(LEN, 4096);
    assert_ok(release_fetch_head(&b->device, &b->source.base, &image, &e));
    struct release_id id = release_id_of(image);
    assert_string_equal(id.version, "2.0");
    assert_int_equal(id.release_index, 7);
    assert_memory_equal(id.manifest_sha256, b->image.header.manifest_sha256, SHA256_SIZE);
    image_free(image);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_table_come_in_one_range_that_goes_on_into_the_payload),
        cmocka_unit_test(the_first_range_ends_with_a_file_whose_size_is_known),
        cmocka_unit_test(a_table_longer_than_the_first_range_comes_in_a_second_one),
        cmocka_unit_test(a_head_longer_than_the_first_range_comes_in_a_second_one),
        cmocka_unit_test(a_head_without_a_trusted_signature_is_refused),
        cmocka_unit_test(a_changed_byte_before_the_payload_is_refused),
        cmocka_unit_test(a_file_of_another_length_than_its_header_says_is_refused),
        cmocka_unit_test(the_first_end_of_several_signers_counts),
        cmocka_unit_test(the_identity_of_a_release_is_its_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
