// SPDX-License-Identifier: Apache-2.0
#include "image-tools/verify.h"

#include "image-tools/image_file.h"
#include "image-tools/sign.h"
#include "image-tools/tool.h"
#include "keys/keygen.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

enum { CREATED = 1700000000, PART_SIZE = 6000 };

struct sample {
    char *dir;
    char part[HOST_PATH_MAX];
    char image[HOST_PATH_MAX];
    struct trust_store *store;
    struct verify_request request;
};

static void sign_with(const struct sample *s, const char *name)
{
    struct error e;
    char cert[HOST_PATH_MAX + 32];
    char key[HOST_PATH_MAX + 32];
    CLEANUP(cleanup_signer) struct signer *signer = NULL;
    struct sign_result result;
    snprintf(cert, sizeof(cert), "%s/keys/%s.pem", s->dir, name);
    snprintf(key, sizeof(key), "%s/keys/%s.key", s->dir, name);
    assert_ok(signer_load(cert, key, &signer, &e));
    assert_ok(sign_image(s->image, signer, &result, &e));
}

// Some text and some zeros: a payload of a few hundred bytes.
static void build(const struct sample *s, uint64_t not_after)
{
    uint8_t data[PART_SIZE] = {0};
    fill_text(data, 1000, 1);
    host_write(s->part, data, sizeof(data));
    struct build_options o = host_options(s->image);
    host_add_partition(&o, "rootfs", s->part);
    o.cut =
        (struct cut_request){.rule = CUT_FIXED, .average = 4096, .max_records = CUT_PLAN_RECORDS};
    o.signature_reserve = 2048;
    o.manifest.not_after = not_after;
    host_build(&o);
}

static int setup(void **state)
{
    struct error e;
    void *base = NULL;
    char path[HOST_PATH_MAX];
    struct sample *s = calloc(1, sizeof(*s));
    if (s == NULL || temp_dir_make(&base) != 0) {
        free(s);
        return -1;
    }
    s->dir = base;
    temp_dir_path(s->part, sizeof(s->part), base, "part.img");
    temp_dir_path(s->image, sizeof(s->image), base, "image.vvi");
    assert_ok(keygen_make(temp_dir_path(path, sizeof(path), base, "keys"), &e));
    assert_ok(
        trust_store_load(temp_dir_path(path, sizeof(path), base, "keys/trust"), &s->store, &e));
    s->request =
        (struct verify_request){.store = s->store, .signers = 1, .time_floor = CREATED, .jobs = 2};
    build(s, 0);
    sign_with(s, "release");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;
    void *base = s->dir;
    trust_store_free(s->store);
    free(s);
    return temp_dir_remove(&base);
}

static enum err verify(const struct sample *s, const struct verify_request *r, struct error *e)
{
    struct progress quiet = {.kind = PROGRESS_NONE};
    struct verify_result result = {0};
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    enum err err = image_file_open(s->image, &f, e);
    if (err == OK) {
        err = verify_image(f, r, &quiet, &result, e);
    }
    image_free(result.image);
    return err;
}

static void a_signed_image_is_accepted_and_its_signer_named(void **state)
{
    struct error e;
    struct sample *s = *state;
    struct progress quiet = {.kind = PROGRESS_NONE};
    struct verify_result result = {0};
    struct stat st;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    assert_ok(image_file_open(s->image, &f, &e));
    assert_ok(verify_image(f, &s->request, &quiet, &result, &e));
    assert_string_equal(result.image->manifest->version, "1.0.0");
    assert_int_equal(result.signer_count, 1);
    assert_contains(result.signers[0].subject, "Release signer");
    assert_int_equal(stat(s->image, &st), 0);
    assert_int_equal(result.file_bytes, st.st_size);
    image_free(result.image);
}

static void an_image_without_a_signature_is_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    build(s, 0);
    assert_fails(ERR_TRUST, s->image, verify(s, &s->request, &e));
}

static void a_threshold_of_two_needs_two_keys(void **state)
{
    struct error e;
    struct sample *s = *state;
    s->request.signers = 2;
    assert_fails(ERR_TRUST, s->image, verify(s, &s->request, &e));
    sign_with(s, "second");
    assert_ok(verify(s, &s->request, &e));
    s->request.signers = 3;
    assert_fails(ERR_TRUST, s->image, verify(s, &s->request, &e));
}

static void strangers_keys_are_not_trusted(void **state)
{
    struct error e;
    struct sample *s = *state;
    char path[HOST_PATH_MAX];
    CLEANUP(cleanup_trust_store) struct trust_store *other = NULL;
    assert_ok(keygen_make(temp_dir_path(path, sizeof(path), s->dir, "other"), &e));
    temp_dir_path(path, sizeof(path), s->dir, "other/trust");
    assert_ok(trust_store_load(path, &other, &e));
    struct verify_request r = s->request;
    r.store = other;
    assert_fails(ERR_TRUST, s->image, verify(s, &r, &e));
}

static void an_image_is_refused_after_its_last_second(void **state)
{
    struct error e;
    struct sample *s = *state;
    build(s, CREATED + 10);
    sign_with(s, "release");
    s->request.time_floor = CREATED + 10;
    assert_ok(verify(s, &s->request, &e));
    s->request.time_floor = CREATED + 11;
    assert_fails(ERR_TRUST, "not to be installed after 2023-11-14 22:13:30 UTC",
                 verify(s, &s->request, &e));
}

static void a_certificate_that_has_ended_does_not_count(void **state)
{
    struct error e;
    struct sample *s = *state;
    s->request.time_floor = CREATED + UINT64_C(100) * 365 * 86400;
    assert_fails(ERR_TRUST, s->image, verify(s, &s->request, &e));
}

// The signature area is not signed: an empty record of an unknown type may be put behind the last
// one by anybody, and whoever verifies ignores it. Its type is two bytes.
static bool is_room_for_a_type(const struct image_file *f, const struct signature_list *list,
                               uint64_t off)
{
    uint64_t next = header_signed_size(&f->header) + list->used_bytes;
    return off == next || off == next + 1;
}

static void every_flipped_byte_of_an_image_is_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(image_file_open(s->image, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    s->request.jobs = 1;
    // Valgrind makes a signature take fifty times as long; it still sees each kind of refusal.
    const char *preload = getenv("LD_PRELOAD");
    uint64_t step = preload != NULL && strstr(preload, "vgpreload") != NULL ? 37 : 1;
    for (uint64_t off = 0; off < f->header.file_size; off += step) {
        host_flip(s->image, off);
        enum err err = verify(s, &s->request, &e);
        bool refused = err == ERR_FORMAT || err == ERR_TRUST;
        if (!refused && !is_room_for_a_type(f, &c.signatures, off)) {
            fail_msg("a flip of byte %llu is not refused: %d %s", (unsigned long long)off, err,
                     e.msg);
        }
        host_flip(s->image, off);
    }
    assert_ok(verify(s, &s->request, &e));
}

static void an_image_cut_anywhere_is_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    size_t len;
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(s->image, &len);
    for (size_t cut = 0; cut < len; cut += 61) {
        host_write(s->image, bytes, cut);
        assert_fails(ERR_FORMAT, s->image, verify(s, &s->request, &e));
    }
    host_write(s->image, bytes, len - 1);
    assert_fails(ERR_FORMAT, "fewer than", verify(s, &s->request, &e));
}

static void bytes_behind_the_end_are_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    struct stat st;
    assert_int_equal(stat(s->image, &st), 0);
    assert_int_equal(truncate(s->image, st.st_size + 1), 0);
    assert_fails(ERR_FORMAT, "more than", verify(s, &s->request, &e));
}

static void a_missing_image_is_an_io_error(void **state)
{
    struct error e;
    struct sample *s = *state;
    assert_int_equal(unlink(s->image), 0);
    assert_fails(ERR_IO, s->image, verify(s, &s->request, &e));
}

// Runs `verify IMG --trust TRUST WORDS...`; its output goes to `*ret_text` (malloced).
static enum err run_verb(struct sample *s, const char *trust, char *option, char *value,
                         char **ret_text, struct error *e)
{
    static const struct command commands[] = {
        {"verify", "IMG", 1, 1, "", verify_option_specs, verb_verify}, {0}};
    static const struct program program = {
        .name = "p", .summary = "", .version = "", .commands = commands};
    char words[][8] = {"p", "verify", "--trust"};
    char dir[HOST_PATH_MAX];
    temp_dir_path(dir, sizeof(dir), s->dir, trust);
    char *argv[] = {words[0], words[1], s->image, words[2], dir, option, value, NULL};
    size_t len;
    FILE *out = open_memstream(ret_text, &len);
    struct tool tool = {.log = {.stream = stderr}, .out = out, .clock = &clock_system};
    struct parsed args;
    assert_int_equal(command_parse(&program, option != NULL ? 7 : 5, argv, stdout, &args, e), OK);
    enum err err = verb_verify(&tool, &args, e);
    fclose(out);
    return err;
}

static void the_verb_says_ok_and_who_signed(void **state)
{
    struct error e;
    struct sample *s = *state;
    char option[] = "--signers";
    char two[] = "2";
    char *text = NULL;
    sign_with(s, "second");
    assert_ok(run_verb(s, "keys/trust", option, two, &text, &e));
    assert_contains(text, "OK: product vv-test version 1.0.0 (release 1), 1 partition, ");
    assert_contains(text, "Release signer");
    assert_contains(text, " and ");
    assert_contains(text, "Second signer");
    free(text);
}

static void the_verb_prints_nothing_when_it_refuses(void **state)
{
    struct error e;
    struct sample *s = *state;
    char *text = NULL;
    build(s, 0);
    assert_int_equal(run_verb(s, "keys/trust", NULL, NULL, &text, &e), ERR_TRUST);
    assert_string_equal(text, "");
    free(text);
}

static void the_verb_refuses_bad_options_and_an_empty_trust_directory(void **state)
{
    struct error e;
    struct sample *s = *state;
    char signers[] = "--signers";
    char jobs[] = "--jobs";
    char zero[] = "0";
    char many[] = "17";
    char path[HOST_PATH_MAX];
    char *text = NULL;
    assert_fails(ERR_USAGE, "--signers 0", run_verb(s, "keys/trust", signers, zero, &text, &e));
    free(text);
    assert_fails(ERR_USAGE, "--signers 17", run_verb(s, "keys/trust", signers, many, &text, &e));
    free(text);
    assert_fails(ERR_USAGE, "--jobs 0", run_verb(s, "keys/trust", jobs, zero, &text, &e));
    free(text);
    assert_int_equal(mkdir(temp_dir_path(path, sizeof(path), s->dir, "empty"), 0755), 0);
    assert_fails(ERR_CONFIG, "empty", run_verb(s, "empty", NULL, NULL, &text, &e));
    free(text);
    assert_fails(ERR_CONFIG, "none", run_verb(s, "none", NULL, NULL, &text, &e));
    free(text);
}

#define WITH_IMAGE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_IMAGE(a_signed_image_is_accepted_and_its_signer_named),
        WITH_IMAGE(an_image_without_a_signature_is_refused),
        WITH_IMAGE(a_threshold_of_two_needs_two_keys),
        WITH_IMAGE(strangers_keys_are_not_trusted),
        WITH_IMAGE(an_image_is_refused_after_its_last_second),
        WITH_IMAGE(a_certificate_that_has_ended_does_not_count),
        WITH_IMAGE(every_flipped_byte_of_an_image_is_refused),
        WITH_IMAGE(an_image_cut_anywhere_is_refused),
        WITH_IMAGE(bytes_behind_the_end_are_refused),
        WITH_IMAGE(a_missing_image_is_an_io_error),
        WITH_IMAGE(the_verb_says_ok_and_who_signed),
        WITH_IMAGE(the_verb_prints_nothing_when_it_refuses),
        WITH_IMAGE(the_verb_refuses_bad_options_and_an_empty_trust_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
