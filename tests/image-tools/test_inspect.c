// SPDX-License-Identifier: Apache-2.0
#include "image-tools/inspect.h"

#include "base/json.h"
#include "image-tools/tool.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

struct sample {
    uint8_t data[HOST_SAMPLE_SIZE];
    char path[HOST_PATH_MAX];
    char *text;
};

static void free_sample(struct sample *s)
{
    free(s->text);
}

// Runs `inspect IMG [--json]`; what it prints is then in s->text.
static enum err inspect(struct sample *s, bool json, struct error *e)
{
    static const struct command commands[] = {
        {"inspect", "IMG", 1, 1, "", inspect_option_specs, verb_inspect}, {0}};
    static const struct program program = {
        .name = "p", .summary = "", .version = "", .commands = commands};
    char words[][8] = {"p", "inspect", "--json"};
    char *argv[] = {words[0], words[1], s->path, words[2], NULL};
    size_t len;
    free(s->text);
    s->text = NULL;
    FILE *out = open_memstream(&s->text, &len);
    struct tool tool = {.log = {.stream = stderr}, .out = out, .clock = &clock_system};
    struct parsed args;
    assert_int_equal(command_parse(&program, json ? 4 : 3, argv, stdout, &args, e), OK);
    enum err err = verb_inspect(&tool, &args, e);
    fclose(out);
    return err;
}

static struct image_recipe recipe(struct sample *s)
{
    struct image_recipe r = host_recipe(s->data);
    r.manifest.min_release_index = 1;
    r.manifest.min_from = 2;
    r.manifest.allow_downgrade = true;
    r.manifest.created = 1700000000;
    r.manifest.not_after = 1800000000;
    r.manifest.device_ids = (struct name_list){.count = 2, .names = {"device-0001", "device-0002"}};
    return r;
}

static void write_signed(struct sample *s, const char *dir, const struct image_recipe *r)
{
    s->text = NULL;
    temp_dir_path(s->path, sizeof(s->path), dir, "image.vvi");
    struct built_image image = image_build(r);
    built_image_attach(&image, SIGNATURE_CMS, "0123456789", 10);
    built_image_attach(&image, SIGNATURE_ED25519, "0123", 4);
    built_image_attach(&image, SIGNATURE_RFC3161, "01", 2);
    built_image_attach(&image, 999, "", 0);
    host_write(s->path, image.bytes, image.len);
    built_image_free(&image);
}

static void the_text_says_everything_and_that_signatures_were_not_checked(void **state)
{
    struct error e;
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    write_signed(&s, *state, &r);
    assert_ok(inspect(&s, false, &e));
    static const char *const parts[] = {
        "image           /",
        "format          1.0\n",
        "product         vv-test\n",
        "compatible      vv-test-board\n",
        "version         1.0.0\n",
        "release         1\n",
        "floor           1 (once confirmed, nothing below it installs)\n",
        "installs from   release 2 or later\n",
        "downgrade       allowed\n",
        "created         2023-11-14 22:13:20 UTC\n",
        "not after       2027-01-15 08:00:00 UTC\n",
        "devices         device-0001, device-0002\n",
        "chunk table",
        "  rootfs                   81920         5       1       1       1",
        "  all                      81920         5       1       1       1",
        "signatures: 4 records, not checked (use vv-image verify)\n",
        "  cms, 10 bytes\n",
        "  ed25519, 4 bytes\n",
        "  rfc3161, 2 bytes\n",
        "  unknown, 0 bytes\n",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_contains(s.text, parts[i]);
    }
}

static void what_is_not_set_is_not_shown(void **state)
{
    struct error e;
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = host_recipe(s.data);
    s.text = NULL;
    host_write_image(temp_dir_path(s.path, sizeof(s.path), *state, "image.vvi"), &r);
    assert_ok(inspect(&s, false, &e));
    static const char *const parts[] = {"floor", "installs from", "downgrade", "not after",
                                        "devices"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_null(strstr(s.text, parts[i]));
    }
    assert_contains(s.text, "signatures: 0 records, not checked");
}

static json_int_t number(const json_t *root, const char *object, const char *key)
{
    const json_t *value = json_object_get(json_object_get(root, object), key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static json_t *inspect_json(struct sample *s)
{
    struct error e;
    json_t *root = NULL;
    assert_ok(inspect(s, true, &e));
    assert_ok(json_parse(s->text, strlen(s->text), &root, &e));
    return root;
}

static void the_json_has_the_same_and_says_unchecked(void **state)
{
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    write_signed(&s, *state, &r);
    CLEANUP(cleanup_json) json_t *root = inspect_json(&s);
    struct stat st;
    assert_int_equal(stat(s.path, &st), 0);
    assert_int_equal(number(root, "header", "file_size"), st.st_size);
    assert_int_equal(number(root, "header", "format_major"), 1);
    assert_int_equal(number(root, "header", "table_size"), 320);
    assert_int_equal(number(root, "manifest", "release_index"), 1);
    assert_int_equal(number(root, "manifest", "not_after"), 1800000000);
    assert_int_equal(number(root, "sums", "chunks"), 5);
    assert_int_equal(number(root, "sums", "repeated_chunks"), 1);
    assert_int_equal(number(root, "sums", "stored_bytes"), number(root, "header", "payload_size"));
    const json_t *signatures = json_object_get(root, "signatures");
    assert_true(json_is_false(json_object_get(signatures, "checked")));
    const json_t *records = json_object_get(signatures, "records");
    assert_int_equal(json_array_size(records), 4);
    assert_string_equal(json_string_value(json_object_get(json_array_get(records, 1), "type")),
                        "ed25519");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(records, 3), "type_number")),
                     999);
}

static void the_json_counts_each_partition_and_codec(void **state)
{
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    static const uint8_t zeros[4096];
    image_recipe_add(&r, "data", zeros, sizeof(zeros));
    write_signed(&s, *state, &r);
    CLEANUP(cleanup_json) json_t *root = inspect_json(&s);
    const json_t *list = json_object_get(root, "partitions");
    assert_int_equal(json_array_size(list), 2);
    const json_t *rootfs = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(rootfs, "name")), "rootfs");
    const json_t *sums = json_object_get(rootfs, "sums");
    const json_t *codecs = json_object_get(sums, "codecs");
    assert_int_equal(number(codecs, "zstd", "chunks"), 2);
    assert_int_equal(number(codecs, "raw", "chunks"), 1);
    assert_int_equal(number(codecs, "raw", "raw_bytes"), HOST_SAMPLE_SIZE / 5);
    assert_int_equal(number(codecs, "raw", "stored_bytes"), HOST_SAMPLE_SIZE / 5);
    assert_int_equal(number(codecs, "zero", "chunks"), 1);
    assert_int_equal(number(codecs, "zero", "stored_bytes"), 0);
    assert_int_equal(number(codecs, "zlib", "chunks"), 0);
    const json_t *data = json_object_get(json_array_get(list, 1), "sums");
    assert_int_equal(number(json_object_get(data, "codecs"), "zero", "chunks"), 1);
    assert_int_equal(json_integer_value(json_object_get(data, "stored_bytes")), 0);
}

static void add_unknown_key(json_t *root)
{
    json_object_set_new(root, "x_ticket", json_string("4711"));
}

static void keys_this_program_does_not_know_are_in_the_json_too(void **state)
{
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    r.spoil_manifest = add_unknown_key;
    write_signed(&s, *state, &r);
    CLEANUP(cleanup_json) json_t *root = inspect_json(&s);
    const json_t *manifest = json_object_get(root, "manifest");
    assert_string_equal(json_string_value(json_object_get(manifest, "x_ticket")), "4711");
}

static void a_damaged_image_is_refused_and_nothing_printed(void **state)
{
    struct error e;
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    write_signed(&s, *state, &r);
    host_flip(s.path, HEADER_SIZE + 3);
    assert_fails(ERR_FORMAT, "manifest: corrupt", inspect(&s, false, &e));
    assert_string_equal(s.text, "");
    assert_fails(ERR_FORMAT, "manifest: corrupt", inspect(&s, true, &e));
    assert_string_equal(s.text, "");
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
    struct error e;
    CLEANUP(free_sample) struct sample s;
    struct image_recipe r = recipe(&s);
    write_signed(&s, *state, &r);
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(image_file_open(s.path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    assert_fails(ERR_IO, "write to standard output", inspect_print_json(full, f, &c, &e));
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_text_says_everything_and_that_signatures_were_not_checked),
        WITH_DIR(what_is_not_set_is_not_shown),
        WITH_DIR(the_json_has_the_same_and_says_unchecked),
        WITH_DIR(the_json_counts_each_partition_and_codec),
        WITH_DIR(keys_this_program_does_not_know_are_in_the_json_too),
        WITH_DIR(a_damaged_image_is_refused_and_nothing_printed),
        WITH_DIR(output_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
