// SPDX-License-Identifier: Apache-2.0
#include "image-tools/sign.h"

#include "image-tools/image_file.h"
#include "image-tools/tool.h"
#include "keys/keygen.h"
#include "keys/trust.h"
#include "tests/support/expect.h"
#include "tests/support/host_files.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>

static const char *replace_with; // renamed over `replace` when the image gets locked
static const char *replace;
static int fail_fsync;
static int fail_flock;

int flock(int fd, int operation)
{
    if (replace_with != NULL) {
        assert_int_equal(rename(replace_with, replace), 0);
        replace_with = NULL;
    }
    if (fail_flock != 0) {
        errno = fail_flock;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

int fsync(int fd)
{
    if (fail_fsync != 0) {
        errno = fail_fsync;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

struct sample {
    uint8_t data[HOST_SAMPLE_SIZE];
    char keys[HOST_PATH_MAX];
    char dir[HOST_PATH_MAX]; // holds nothing but the image
    char path[HOST_PATH_MAX];
    struct signer *release;
    struct signer *second;
};

static struct signer *load(const struct sample *s, const char *name)
{
    struct error e;
    struct signer *signer = NULL;
    char cert[HOST_PATH_MAX + 32];
    char key[HOST_PATH_MAX + 32];
    snprintf(cert, sizeof(cert), "%s/%s.pem", s->keys, name);
    snprintf(key, sizeof(key), "%s/%s.key", s->keys, name);
    assert_ok(signer_load(cert, key, &signer, &e));
    return signer;
}

static void make_image(struct sample *s, uint32_t room, uint64_t created)
{
    struct image_recipe r = host_recipe(s->data);
    r.signature_room = room;
    r.manifest.created = created;
    host_write_image(s->path, &r);
}

static int setup(void **state)
{
    void *base = NULL;
    struct error e;
    struct sample *s = calloc(1, sizeof(*s));
    if (s == NULL || temp_dir_make(&base) != 0) {
        free(s);
        return -1;
    }
    temp_dir_path(s->keys, sizeof(s->keys), base, "keys");
    temp_dir_path(s->dir, sizeof(s->dir), base, "images");
    temp_dir_path(s->path, sizeof(s->path), base, "images/image.vvi");
    free(base);
    assert_int_equal(mkdir(s->dir, 0755), 0);
    assert_ok(keygen_make(s->keys, &e));
    s->release = load(s, "release");
    s->second = load(s, "second");
    make_image(s, 8192, 1700000000);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;
    void *base = strndup(s->dir, strlen(s->dir) - strlen("/images"));
    signer_free(s->release);
    signer_free(s->second);
    free(s);
    return temp_dir_remove(&base);
}

static struct sign_result sign(const struct sample *s, const struct signer *signer)
{
    struct error e;
    struct sign_result result;
    assert_ok(sign_image(s->path, signer, &result, &e));
    return result;
}

static void refuse(const struct sample *s, const struct signer *signer, enum err code,
                   const char *part)
{
    struct error e;
    struct sign_result result;
    size_t before_len;
    size_t after_len;
    CLEANUP(cleanup_free) uint8_t *before = host_read(s->path, &before_len);
    assert_fails(code, part, sign_image(s->path, signer, &result, &e));
    assert_contains(e.msg, s->path);
    CLEANUP(cleanup_free) uint8_t *after = host_read(s->path, &after_len);
    assert_int_equal(after_len, before_len);
    assert_memory_equal(after, before, before_len);
    assert_int_equal(host_count(s->dir), 1);
}

// How many distinct keys of the set have signed, by the device's own judgement.
static void assert_signed_by(const struct sample *s, unsigned signers)
{
    struct error e;
    char trust[HOST_PATH_MAX + 32];
    snprintf(trust, sizeof(trust), "%s/trust", s->keys);
    CLEANUP(cleanup_trust_store) struct trust_store *store = NULL;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents c = {0};
    assert_ok(trust_store_load(trust, &store, &e));
    assert_ok(image_file_open(s->path, &f, &e));
    assert_ok(image_file_contents(f, &c, &e));
    size_t len = header_signed_size(&f->header);
    assert_ok(trust_verify(store, signers, 0, f->prefix, len, &c.signatures, &e));
    assert_int_equal(trust_verify(store, signers + 1, 0, f->prefix, len, &c.signatures, &e),
                     ERR_TRUST);
}

static void a_signature_is_added_and_holds(void **state)
{
    struct sample *s = *state;
    struct sign_result r = sign(s, s->release);
    assert_int_equal(r.records, 1);
    assert_int_equal(r.room_bytes, 8192 - 8 - r.signature_bytes);
    assert_signed_by(s, 1);
    assert_int_equal(host_count(s->dir), 1);
}

static void a_second_key_adds_a_second_signature(void **state)
{
    struct sample *s = *state;
    sign(s, s->release);
    struct sign_result r = sign(s, s->second);
    assert_int_equal(r.records, 2);
    assert_signed_by(s, 2);
}

static void only_the_signature_area_changes(void **state)
{
    struct error e;
    struct sample *s = *state;
    size_t len;
    size_t signed_len;
    CLEANUP(cleanup_free) uint8_t *before = host_read(s->path, &len);
    sign(s, s->release);
    CLEANUP(cleanup_free) uint8_t *after = host_read(s->path, &signed_len);
    struct header h;
    assert_ok(header_parse(before, &h, &e));
    size_t from = header_signed_size(&h);
    size_t to = header_head_size(&h);
    assert_int_equal(len, signed_len);
    assert_memory_equal(before, after, from);
    assert_memory_not_equal(before + from, after + from, to - from);
    assert_memory_equal(before + to, after + to, len - to);
}

static void the_same_key_signs_once(void **state)
{
    struct sample *s = *state;
    sign(s, s->release);
    refuse(s, s->release, ERR_TRUST, "this key has signed the image already");
    assert_signed_by(s, 1);
}

static void an_image_created_after_the_certificate_ends_is_refused(void **state)
{
    struct sample *s = *state;
    uint64_t ends = signer_not_after(s->release);
    make_image(s, 8192, ends + 1);
    refuse(s, s->release, ERR_TRUST, "after the certificate ends at");
    make_image(s, 8192, ends);
    sign(s, s->release);
}

static void room_that_is_missing_is_counted(void **state)
{
    struct sample *s = *state;
    make_image(s, 100, 1700000000);
    refuse(s, s->release, ERR_FORMAT, "bytes of room are missing for a signature of");
    refuse(s, s->release, ERR_FORMAT, "--sig-reserve");
    make_image(s, 0, 1700000000);
    refuse(s, s->release, ERR_FORMAT, "bytes of room are missing");
}

static void garbage_is_not_signed(void **state)
{
    struct error e;
    struct sample *s = *state;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    assert_ok(image_file_open(s->path, &f, &e));
    const uint64_t places[] = {0,
                               100,
                               HEADER_SIZE,
                               header_head_size(&f->header) - 1,
                               f->header.table_offset,
                               f->header.payload_offset - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        host_flip(s->path, places[i]);
        refuse(s, s->release, ERR_FORMAT, "");
        host_flip(s->path, places[i]);
    }
    assert_int_equal(truncate(s->path, (off_t)f->header.file_size - 1), 0);
    refuse(s, s->release, ERR_FORMAT, "fewer than");
}

static void an_image_somebody_else_is_signing_is_left_alone(void **state)
{
    struct sample *s = *state;
    CLEANUP(cleanup_close) int fd = open(s->path, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    refuse(s, s->release, ERR_AGAIN, "being signed by somebody else");
    assert_int_equal(flock(fd, LOCK_UN), 0);
    sign(s, s->release);
}

static void an_image_that_was_replaced_meanwhile_is_left_alone(void **state)
{
    struct sample *s = *state;
    char other[HOST_PATH_MAX + 8];
    size_t len;
    snprintf(other, sizeof(other), "%s.new", s->path);
    CLEANUP(cleanup_free) uint8_t *bytes = host_read(s->path, &len);
    host_write(other, bytes, len);
    replace = s->path;
    replace_with = other;
    struct error e;
    struct sign_result result;
    assert_fails(ERR_AGAIN, "was replaced just now", sign_image(s->path, s->release, &result, &e));
    assert_null(replace_with);
    sign(s, s->release);
}

static void a_lock_that_fails_is_told(void **state)
{
    struct sample *s = *state;
    fail_flock = ENOLCK;
    refuse(s, s->release, ERR_IO, "lock");
    fail_flock = 0;
}

static void a_disk_that_does_not_sync_leaves_the_old_image(void **state)
{
    struct sample *s = *state;
    fail_fsync = EIO;
    refuse(s, s->release, ERR_IO, "sync");
    fail_fsync = 0;
    sign(s, s->release);
}

static void the_mode_of_the_file_stays(void **state)
{
    struct sample *s = *state;
    struct stat st;
    assert_int_equal(chmod(s->path, 0640), 0);
    sign(s, s->release);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void the_verb_says_what_it_did(void **state)
{
    struct error e;
    struct sample *s = *state;
    char cert[HOST_PATH_MAX + 32];
    char key[HOST_PATH_MAX + 32];
    char words[][8] = {"p", "sign", "--cert", "--key"};
    snprintf(cert, sizeof(cert), "%s/release.pem", s->keys);
    snprintf(key, sizeof(key), "%s/release.key", s->keys);
    char *argv[] = {words[0], words[1], s->path, words[2], cert, words[3], key, NULL};
    static const struct command commands[] = {
        {"sign", "IMG", 1, 1, "", sign_option_specs, verb_sign}, {0}};
    static const struct program program = {
        .name = "p", .summary = "", .version = "", .commands = commands};
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    struct tool tool = {.log = {.stream = stderr}, .out = out, .clock = &clock_system};
    struct parsed args;
    assert_ok(command_parse(&program, 7, argv, stdout, &args, &e));
    assert_ok(verb_sign(&tool, &args, &e));
    assert_fails(ERR_TRUST, "signed the image already", verb_sign(&tool, &args, &e));
    fclose(out);
    assert_contains(text, "image.vvi: signed; 1 signature record, this one of ");
    assert_signed_by(s, 1);
}

#define WITH_KEYS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEYS(a_signature_is_added_and_holds),
        WITH_KEYS(a_second_key_adds_a_second_signature),
        WITH_KEYS(only_the_signature_area_changes),
        WITH_KEYS(the_same_key_signs_once),
        WITH_KEYS(an_image_created_after_the_certificate_ends_is_refused),
        WITH_KEYS(room_that_is_missing_is_counted),
        WITH_KEYS(garbage_is_not_signed),
        WITH_KEYS(an_image_somebody_else_is_signing_is_left_alone),
        WITH_KEYS(an_image_that_was_replaced_meanwhile_is_left_alone),
        WITH_KEYS(a_lock_that_fails_is_told),
        WITH_KEYS(a_disk_that_does_not_sync_leaves_the_old_image),
        WITH_KEYS(the_mode_of_the_file_stays),
        WITH_KEYS(the_verb_says_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
