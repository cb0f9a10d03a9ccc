// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/file_release.h"
#include "tests/support/temp_dir.h"
#include "tests/support/verb_run.h"

#include <sys/stat.h>

struct stage {
    char *dir;
    struct file_device device;
    struct file_release release;
    char image[512]; // version 2.0, release 2
};

static int make(void **state)
{
    void *dir = NULL;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(temp_dir_make(&dir), 0);
    s->dir = dir;
    file_device_make(&s->device, s->dir, NULL, NULL);
    file_release_prepare(&s->release, &s->device);
    file_release_write(&s->release, "edge.vvi", "2.0", 2, s->image, sizeof s->image);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    void *dir = s->dir;
    file_release_clear(&s->release);
    free(s);
    return temp_dir_remove(&dir);
}

static void install(struct verb_run *r, const struct stage *s, const char *from, const char *a,
                    const char *b)
{
    verb_run(r, verb_install, (const char *[]){"-c", s->device.conf, from, a, b, NULL});
}

static void an_image_file_is_installed_and_told_in_a_sentence(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, s->image, NULL, NULL);
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "2.0 (release 2) is in slot b: ");
    assert_contains(r.out, " fetched, 0 B copied, 52.0 KiB written, 0 B in place already. It ");
    assert_contains(r.out, "in place already. It boots next, on trial.\n");
    file_release_expect_in_slot_b(&s->release);
}

static void a_file_url_is_an_image_file(void **state)
{
    struct stage *s = *state;
    char url[600];
    snprintf(url, sizeof url, "file://%s", s->image);
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, url, NULL, NULL);
    assert_int_equal(r.err, OK);
    file_release_expect_in_slot_b(&s->release);
    CLEANUP(verb_run_clear) struct verb_run refused;
    install(&refused, s, "file://server/edge.vvi", NULL, NULL);
    assert_int_equal(refused.err, ERR_USAGE);
    assert_contains(refused.log, "not another host");
}

static void with_json_the_result_is_one_object_on_one_line(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, s->image, "--json", NULL);
    assert_int_equal(r.err, OK);
    assert_ptr_equal(strchr(r.out, '\n'), r.out + r.out_len - 1);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    const char *result;
    const char *slot;
    const char *version;
    const char *manifest;
    json_int_t index;
    json_int_t planned;
    json_int_t to_copy;
    json_int_t to_zero;
    json_int_t to_write;
    json_int_t fetched;
    json_int_t copied;
    json_int_t written;
    json_int_t reused;
    int activated;
    assert_int_equal(
        json_unpack(root,
                    "{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b !}",
                    "result", &result, "slot", &slot, "version", &version, "release_index", &index,
                    "manifest_sha256", &manifest, "planned_bytes", &planned, "planned_copy_bytes",
                    &to_copy, "planned_zero_bytes", &to_zero, "planned_write_bytes", &to_write,
                    "fetched_bytes", &fetched, "copied_bytes", &copied, "written_bytes", &written,
                    "reused_bytes", &reused, "activated", &activated),
        0);
    assert_int_equal(strlen(manifest), SHA256_HEX_SIZE - 1);
    assert_string_equal(result, "installed");
    assert_string_equal(slot, "b");
    assert_string_equal(version, "2.0");
    assert_int_equal(index, 2);
    assert_true(planned > 0 && planned < FILE_RELEASE_LEN);
    assert_true(fetched > planned);
    assert_int_equal(to_copy + to_zero + copied, 0);
    assert_int_equal(to_write, 50000);
    assert_int_equal(written, 53248); // in whole blocks
    assert_int_equal(reused, 0);
    assert_true(activated);
}

static void the_same_again_is_nothing_to_do(void **state)
{
    struct stage *s = *state;
    struct verb_run first;
    install(&first, s, s->image, NULL, NULL);
    verb_run_clear(&first);
    CLEANUP(verb_run_clear) struct verb_run text;
    install(&text, s, s->image, NULL, NULL);
    assert_int_equal(text.err, OK);
    assert_string_equal(text.out, "Slot b holds 2.0 (release 2) already: nothing was fetched or "
                                  "written. It boots next, on trial.\n");
    CLEANUP(verb_run_clear) struct verb_run json;
    install(&json, s, s->image, "--json", NULL);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "nothing_to_do");
    assert_int_equal(json_integer_value(json_object_get(root, "written_bytes")), 0);
}

static void a_dry_run_says_what_would_be_done(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run text;
    install(&text, s, s->image, "--dry-run", NULL);
    assert_int_equal(text.err, OK);
    assert_contains(text.out, "2.0 (release 2) can be installed into slot b: ");
    assert_contains(text.out, " to fetch, 0 B to copy, 48.8 KiB to write, 0 B to zero, 0 B in "
                              "place already.\n");
    CLEANUP(verb_run_clear) struct verb_run json;
    install(&json, s, s->image, "--dry-run", "--json");
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&json);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "planned");
    assert_true(json_is_false(json_object_get(root, "activated")));
}

static void without_activation_it_says_how_to_go_on(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, s->image, "--no-activate", NULL);
    assert_int_equal(r.err, OK);
    assert_contains(r.out, "The next boot is as before; 'vv-update activate' changes that.\n");
    file_release_expect_in_slot_b(&s->release);
}

// The reboot command of this device leaves a file.
static bool reboots(const struct stage *s, const char *option)
{
    char path[512];
    char text[1024];
    struct stat st;
    temp_dir_path(path, sizeof path, s->dir, "update.conf.d");
    (void)mkdir(path, 0700);
    snprintf(text, sizeof text, "[device]\nreboot_command=touch %s/rebooted\n", s->dir);
    file_device_write(path, "50-reboot.conf", text);
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, s->image, option, "--reboot");
    assert_int_equal(r.err, OK);
    return stat(temp_dir_path(path, sizeof path, s->dir, "rebooted"), &st) == 0;
}

static void it_reboots_only_into_an_activated_slot(void **state)
{
    struct stage *s = *state;
    assert_false(reboots(s, "--dry-run"));
    assert_false(reboots(s, "--no-activate"));
    assert_true(reboots(s, "--json"));
}

// As after cuts in the read-back: nothing but the first chunks is left.
static void cut_off_20_times(const struct stage *s)
{
    struct error e;
    struct journal j;
    CLEANUP(cleanup_state_store) struct state_store *state = NULL;
    assert_ok(state_dir_open(s->device.state, &state, &e));
    assert_ok(journal_load(state, &j, &e));
    j.step = STEP_INSTALLING;
    j.slot = 1;
    j.restarts = RESTARTS_MAX;
    j.left_bytes = 0;
    assert_ok(journal_save(state, &j, &e));
}

static void what_was_cut_off_too_often_is_begun_with_again_only(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct journal j;
    CLEANUP(cleanup_state_store) struct state_store *store = NULL;
    CLEANUP(verb_run_clear) struct verb_run first;
    install(&first, s, s->image, "--no-activate", NULL);
    char slot[512];
    FILE *f = fopen(temp_dir_path(slot, sizeof slot, s->dir, "slot-b"), "r+b");
    assert_non_null(f);
    assert_int_equal(fputc(0xee, f), 0xee);
    assert_int_equal(fclose(f), 0);
    cut_off_20_times(s);
    CLEANUP(verb_run_clear) struct verb_run refused;
    install(&refused, s, s->image, NULL, NULL);
    assert_int_equal(refused.err, ERR_NOT_NOW);
    assert_contains(refused.log, "the installation of 2.0 was cut off 20 times in a row");
    CLEANUP(verb_run_clear) struct verb_run again;
    install(&again, s, s->image, "--again", NULL);
    assert_int_equal(again.err, OK);
    file_release_expect_in_slot_b(&s->release);
    assert_ok(state_dir_open(s->device.state, &store, &e));
    assert_ok(journal_load(store, &j, &e));
    assert_int_equal(j.restarts, 0);
}

// The hash of the manifest of the image, in hexadecimal.
static const char *manifest_of(const char *image, char hex[SHA256_HEX_SIZE])
{
    struct error e;
    struct header header;
    uint8_t *data = NULL;
    size_t len = 0;
    assert_ok(file_read(image, 1024 * 1024, &data, &len, &e));
    assert_ok(header_parse(data, &header, &e));
    hex_encode(header.manifest_sha256, SHA256_SIZE, hex);
    free(data);
    return hex;
}

static void only_the_release_whose_manifest_was_named_is_installed(void **state)
{
    struct stage *s = *state;
    char hex[SHA256_HEX_SIZE];
    char other[512];
    manifest_of(s->image, hex);
    file_release_write(&s->release, "other.vvi", "3.0", 3, other, sizeof other);
    CLEANUP(verb_run_clear) struct verb_run refused;
    install(&refused, s, other, "--manifest", hex);
    assert_int_equal(refused.err, ERR_NOT_NOW);
    assert_contains(refused.log, "/other.vvi: it is release 3 (3.0), and not the one that was ");
    file_release_write(&s->release, "edge.vvi", "2.0", 2, s->image, sizeof s->image);
    CLEANUP(verb_run_clear) struct verb_run done;
    install(&done, s, s->image, "--manifest", hex);
    assert_int_equal(done.err, OK);
    file_release_expect_in_slot_b(&s->release);
}

static void a_manifest_is_named_by_its_whole_hash(void **state)
{
    struct stage *s = *state;
    char hex[SHA256_HEX_SIZE + 1];
    static const size_t lengths[] = {0, SHA256_HEX_SIZE - 2, SHA256_HEX_SIZE};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(hex, 'a', sizeof hex);
        hex[lengths[i]] = '\0';
        CLEANUP(verb_run_clear) struct verb_run r;
        install(&r, s, s->image, "--manifest", hex);
        assert_int_equal(r.err, ERR_USAGE);
        assert_contains(r.log, "--manifest: wants the 64 hexadecimal digits, in lower case, of ");
    }
}

static char input[8192];

static enum err install_as_told(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_fclose) FILE *in = fmemopen(input, strlen(input), "r");
    assert_non_null(in);
    a->in = in;
    return verb_install(app, args, e);
}

// A password in it is in no process list.
static void the_url_may_be_read_from_standard_input(void **state)
{
    struct stage *s = *state;
    const char *const ends[] = {"", "\n", "\nmore\n"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(input, sizeof input, "%s%s", s->image, ends[i]);
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, install_as_told, (const char *[]){"-c", s->device.conf, "-", NULL});
        assert_int_equal(r.err, OK);
    }
    file_release_expect_in_slot_b(&s->release);
}

static void a_standard_input_without_an_url_is_a_usage_error(void **state)
{
    struct stage *s = *state;
    const size_t lengths[] = {0, 4096, sizeof input - 2};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(input, 'x', lengths[i]);
        snprintf(input + lengths[i], sizeof input - lengths[i], "\n");
        CLEANUP(verb_run_clear) struct verb_run r;
        verb_run(&r, install_as_told, (const char *[]){"-c", s->device.conf, "-", NULL});
        assert_int_equal(r.err, ERR_USAGE);
        assert_contains(r.log, "-: wants one line on standard input, of 4095 bytes at most: a URL");
    }
}

static void another_kind_of_url_is_a_usage_error(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, "ftp://127.0.0.1/edge.vvi", NULL, NULL);
    assert_int_equal(r.err, ERR_USAGE);
    assert_contains(r.log, "only http://, https:// and file:// URLs");
}

static void a_missing_file_is_an_input_error(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, "/nowhere/edge.vvi", NULL, NULL);
    assert_int_equal(r.err, ERR_IO);
    assert_contains(r.log, "/nowhere/edge.vvi");
    assert_int_equal(r.out_len, 0);
}

static void an_url_is_fetched_and_not_opened(void **state)
{
    struct stage *s = *state;
    CLEANUP(verb_run_clear) struct verb_run r;
    char path[512];
    temp_dir_path(path, sizeof path, s->dir, "update.conf.d");
    assert_int_equal(mkdir(path, 0700), 0);
    file_device_write(path, "50-network.conf", "[network]\nretries=0\n");
    install(&r, s, "http://127.0.0.1:1/edge.vvi", NULL, NULL); // nobody listens there
    assert_int_equal(r.err, ERR_NETWORK);
}

static void a_refusal_is_told_and_leaves_the_slot_alone(void **state)
{
    struct stage *s = *state;
    struct stat before;
    struct stat after;
    char path[512];
    char slot[512];
    file_device_write(s->dir, "bad.vvi",
                      "this is no image, whatever its name says, and it is "
                      "longer than a header of one hundred and twenty-eight "
                      "bytes would be, so that it is read");
    assert_int_equal(stat(temp_dir_path(slot, sizeof slot, s->dir, "slot-b"), &before), 0);
    CLEANUP(verb_run_clear) struct verb_run r;
    install(&r, s, temp_dir_path(path, sizeof path, s->dir, "bad.vvi"), NULL, NULL);
    assert_int_equal(r.err, ERR_FORMAT);
    assert_contains(r.log, "not a .vvi image");
    assert_int_equal(stat(slot, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

#define verb_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        verb_test(an_image_file_is_installed_and_told_in_a_sentence),
        verb_test(a_file_url_is_an_image_file),
        verb_test(with_json_the_result_is_one_object_on_one_line),
        verb_test(the_same_again_is_nothing_to_do),
        verb_test(a_dry_run_says_what_would_be_done),
        verb_test(without_activation_it_says_how_to_go_on),
        verb_test(it_reboots_only_into_an_activated_slot),
        verb_test(what_was_cut_off_too_often_is_begun_with_again_only),
        verb_test(only_the_release_whose_manifest_was_named_is_installed),
        verb_test(a_manifest_is_named_by_its_whole_hash),
        verb_test(the_url_may_be_read_from_standard_input),
        verb_test(a_standard_input_without_an_url_is_a_usage_error),
        verb_test(another_kind_of_url_is_a_usage_error),
        verb_test(a_missing_file_is_an_input_error),
        verb_test(an_url_is_fetched_and_not_opened),
        verb_test(a_refusal_is_told_and_leaves_the_slot_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
