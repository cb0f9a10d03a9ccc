// SPDX-License-Identifier: Apache-2.0
#include "image-tools/inspect_pack.h"

#include "base/json.h"
#include "tests/support/expect.h"
#include "tests/support/pack_on_disk.h"

#include <stdlib.h>

struct shown {
    struct image_file *file;
    struct pack_contents contents;
    char *text;
    size_t len;
};

static struct shown show(const struct pack_on_disk *p, bool json)
{
    struct error e;
    struct shown s = {0};
    assert_ok(image_file_open(p->path, &s.file, &e));
    assert_ok(pack_file_contents(s.file, &s.contents, &e));
    FILE *out = open_memstream(&s.text, &s.len);
    assert_non_null(out);
    if (json) {
        assert_ok(inspect_pack_print_json(out, s.file, &s.contents, &e));
    } else {
        inspect_pack_print_text(out, s.file, &s.contents);
    }
    assert_int_equal(fclose(out), 0);
    return s;
}

static void clear_shown(struct shown *s)
{
    pack_contents_clear(&s->contents);
    image_file_free(s->file);
    free(s->text);
}

static void the_text_names_both_images_and_says_unchecked(void **state)
{
    struct pack_on_disk *p = *state;
    char line[256];
    char sha256[SHA256_HEX_SIZE];
    CLEANUP(clear_shown) struct shown s = show(p, false);
    hex_encode(p->room->base->header.manifest_sha256, SHA256_SIZE, sha256);
    snprintf(line, sizeof(line), "from            release 1, manifest %s\n", sha256);
    assert_contains(s.text, line);
    hex_encode(p->room->target->header.manifest_sha256, SHA256_SIZE, sha256);
    snprintf(line, sizeof(line), "to              release 2, manifest %s\n", sha256);
    assert_contains(s.text, line);
    assert_contains(s.text, "delta pack      ");
    assert_contains(s.text, "created         2023-11-14 22:13:20 UTC\n");
    // Seven whole chunks and one of 5000 bytes, each with a window of its own length.
    snprintf(line, sizeof(line), "chunks          8, %llu bytes stored, %d bytes of windows\n",
             (unsigned long long)p->header.payload_size, 7 * PACK_ROOM_CHUNK + 5000);
    assert_contains(s.text, line);
    assert_contains(s.text, "payload ");
    assert_contains(s.text, "signatures: 0 records, not checked (use vv-image verify)");
}

static json_int_t number(const json_t *root, const char *object, const char *key)
{
    const json_t *value = json_object_get(json_object_get(root, object), key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void add_unknown_key(json_t *root)
{
    json_object_set_new(root, "x_ticket", json_string("4711"));
}

static void the_json_has_the_manifest_as_it_stands(void **state)
{
    struct pack_on_disk *p = *state;
    struct error e;
    p->room->recipe.spoil_manifest = add_unknown_key;
    pack_on_disk_write(p);
    CLEANUP(clear_shown) struct shown s = show(p, true);
    CLEANUP(cleanup_json) json_t *root = NULL;
    assert_ok(json_parse(s.text, s.len, &root, &e));
    assert_int_equal(number(root, "header", "file_size"), p->header.file_size);
    assert_int_equal(number(root, "sums", "chunks"), PACK_ROOM_RECORDS);
    assert_int_equal(number(root, "sums", "stored_bytes"), p->header.payload_size);
    assert_int_equal(number(root, "sums", "window_bytes"), 7 * PACK_ROOM_CHUNK + 5000);
    const json_t *manifest = json_object_get(root, "manifest");
    assert_string_equal(json_string_value(json_object_get(manifest, "x_ticket")), "4711");
    assert_int_equal(number(manifest, "base", "release_index"), 1);
    const json_t *signatures = json_object_get(root, "signatures");
    assert_true(json_is_false(json_object_get(signatures, "checked")));
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
    struct pack_on_disk *p = *state;
    struct error e;
    CLEANUP(clear_shown) struct shown s = show(p, true);
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    assert_fails(ERR_IO, "write to standard output",
                 inspect_pack_print_json(full, s.file, &s.contents, &e));
}

#define on_disk(t) cmocka_unit_test_setup_teardown(t, pack_on_disk_setup, pack_on_disk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_disk(the_text_names_both_images_and_says_unchecked),
        on_disk(the_json_has_the_manifest_as_it_stands),
        on_disk(output_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
