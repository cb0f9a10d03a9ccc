// SPDX-License-Identifier: Apache-2.0
// Signing and verifying a pack; what is signed of an image is in test_sign.c.
#include "image-tools/verify_pack.h"

#include "image-tools/sign.h"
#include "keys/keygen.h"
#include "tests/support/expect.h"
#include "tests/support/pack_on_disk.h"
#include "tests/support/temp_dir.h"

enum { CREATED = 1700000000 };

struct signed_pack {
    struct pack_on_disk *disk;
    char keys[HOST_PATH_MAX];
    struct trust_store *store;
    struct verify_request request;
};

static enum err sign_with(const struct signed_pack *s, const char *name, struct error *ret_e)
{
    struct error e;
    char cert[HOST_PATH_MAX + 32];
    char key[HOST_PATH_MAX + 32];
    CLEANUP(cleanup_signer) struct signer *signer = NULL;
    struct sign_result result;
    snprintf(cert, sizeof(cert), "%s/%s.pem", s->keys, name);
    snprintf(key, sizeof(key), "%s/%s.key", s->keys, name);
    assert_ok(signer_load(cert, key, &signer, &e));
    return sign_image(s->disk->path, signer, &result, ret_e);
}

static int setup(void **state)
{
    struct error e;
    void *disk = NULL;
    char path[HOST_PATH_MAX + 32];
    struct signed_pack *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    assert_int_equal(pack_on_disk_setup(&disk), 0);
    s->disk = disk;
    temp_dir_path(s->keys, sizeof(s->keys), s->disk->dir, "keys");
    snprintf(path, sizeof(path), "%s/trust", s->keys);
    assert_ok(keygen_make(s->keys, &e));
    assert_ok(trust_store_load(path, &s->store, &e));
    s->request =
        (struct verify_request){.store = s->store, .signers = 1, .time_floor = CREATED, .jobs = 1};
    assert_ok(sign_with(s, "release", &e));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct signed_pack *s = *state;
    void *disk = s->disk;
    trust_store_free(s->store);
    free(s);
    return pack_on_disk_teardown(&disk);
}

static enum err verify(const struct signed_pack *s, struct verify_pack_result *ret, struct error *e)
{
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    struct verify_pack_result result = {0};
    enum err err = image_file_open(s->disk->path, &f, e);
    if (err == OK) {
        err = verify_pack(f, &s->request, &result, e);
    }
    pack_free(result.pack);
    result.pack = NULL;
    if (ret != NULL) {
        *ret = result;
    }
    return err;
}

static void a_signed_pack_is_accepted_and_its_signer_named(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    struct verify_pack_result result;
    assert_ok(verify(s, &result, &e));
    assert_int_equal(result.signer_count, 1);
    assert_contains(result.signers[0].subject, "Release signer");
    assert_int_equal(result.file_bytes, s->disk->header.file_size);
}

static void two_may_sign_and_each_once(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    s->request.signers = 2;
    assert_fails(ERR_TRUST, s->disk->path, verify(s, NULL, &e));
    assert_fails(ERR_TRUST, "this key has signed the pack already", sign_with(s, "release", &e));
    assert_ok(sign_with(s, "second", &e));
    assert_ok(verify(s, NULL, &e));
}

static void a_pack_without_a_signature_is_refused(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    pack_on_disk_write(s->disk);
    assert_fails(ERR_TRUST, s->disk->path, verify(s, NULL, &e));
}

// The same manifest and the same signature, under the other magic.
static void the_signature_of_a_pack_fits_no_image(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    struct signature_list list;
    assert_ok(image_file_open(s->disk->path, &f, &e));
    size_t signed_size = header_signed_size(&f->header);
    assert_ok(
        signature_area_parse(f->prefix + signed_size, f->header.signature_area_size, &list, &e));
    assert_ok(trust_verify(s->store, 1, CREATED, f->prefix, signed_size, &list, &e));
    f->prefix[3] = 'I';
    assert_fails(ERR_TRUST, "",
                 trust_verify(s->store, 1, CREATED, f->prefix, signed_size, &list, &e));
}

static void damage_anywhere_is_found(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    const struct header *h = &s->disk->header;
    const struct {
        uint64_t at;
        enum err code;
        const char *sentence;
    } places[] = {
        {50, ERR_FORMAT, "header: corrupt"},
        {HEADER_SIZE + 9, ERR_FORMAT, "manifest: corrupt"},
        {header_signed_size(h) + 100, ERR_TRUST, ""},
        {h->table_offset + 20, ERR_FORMAT, "pack table: corrupt"},
        {h->payload_offset, ERR_FORMAT, "record 0: delta: corrupt"},
        {h->file_size - 1, ERR_FORMAT, "record 7: delta: corrupt"},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        host_flip(s->disk->path, places[i].at);
        assert_fails(places[i].code, places[i].sentence, verify(s, NULL, &e));
        assert_contains(e.msg, s->disk->path);
        host_flip(s->disk->path, places[i].at);
    }
    assert_ok(verify(s, NULL, &e));
}

static void a_damaged_pack_is_not_signed(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    host_flip(s->disk->path, s->disk->header.table_offset);
    assert_fails(ERR_FORMAT, "pack table: corrupt", sign_with(s, "second", &e));
}

static void year_2100(struct pack_manifest *m)
{
    m->created = UINT64_C(4102444800);
}

static void a_pack_from_after_the_certificate_is_not_signed(void **state)
{
    struct signed_pack *s = *state;
    struct error e;
    s->disk->room->recipe.spoil_pack = year_2100;
    pack_on_disk_write(s->disk);
    assert_fails(ERR_TRUST,
                 "the pack was created at 2100-01-01 00:00:00 UTC, after the certificate",
                 sign_with(s, "release", &e));
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_signed_pack_is_accepted_and_its_signer_named),
        in_room(two_may_sign_and_each_once),
        in_room(a_pack_without_a_signature_is_refused),
        in_room(the_signature_of_a_pack_fits_no_image),
        in_room(damage_anywhere_is_found),
        in_room(a_damaged_pack_is_not_signed),
        in_room(a_pack_from_after_the_certificate_is_not_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
