// SPDX-License-Identifier: Apache-2.0
#include "tests/support/file_release.h"

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

void file_release_prepare(struct file_release *r, const struct file_device *d)
{
    char path[512];
    *r = (struct file_release){.device = d, .root = test_ca("release root", NULL)};
    r->signer = test_signer("release signer", &r->root);
    test_cert_write(&r->root, temp_dir_path(path, sizeof path, d->dir, "trust"), "root.pem");
    assert_int_equal(
        truncate(temp_dir_path(path, sizeof path, d->dir, "slot-a"), FILE_RELEASE_SLOT_SIZE), 0);
    assert_int_equal(
        truncate(temp_dir_path(path, sizeof path, d->dir, "slot-b"), FILE_RELEASE_SLOT_SIZE), 0);
}

void file_release_clear(struct file_release *r)
{
    test_cert_clear(&r->signer);
    test_cert_clear(&r->root);
}

const char *file_release_write(struct file_release *r, const char *name, const char *version,
                               uint64_t release_index, char *buf, size_t len)
{
    struct image_recipe recipe = image_recipe_default();
    snprintf(recipe.manifest.product, sizeof recipe.manifest.product, "vv-edge");
    snprintf(recipe.manifest.compatible.names[0], sizeof recipe.manifest.compatible.names[0],
             "vv-virtual");
    snprintf(recipe.manifest.version, sizeof recipe.manifest.version, "%s", version);
    recipe.manifest.release_index = release_index;
    recipe.manifest.allow_downgrade = r->allow_downgrade;
    recipe.manifest.min_from = r->min_from;
    fill_text(r->content, sizeof r->content, release_index);
    image_recipe_add(&recipe, "rootfs", r->content, sizeof r->content);
    struct built_image image = image_build(&recipe);
    struct signature_record record =
        test_cms(&r->signer, "SHA256", 0, NULL, image.bytes, header_signed_size(&image.header));
    built_image_attach(&image, record.type, record.data, record.len);
    test_record_clear(&record);
    FILE *f = fopen(temp_dir_path(buf, len, r->device->dir, name), "we");
    assert_non_null(f);
    assert_int_equal(fwrite(image.bytes, 1, image.len, f), image.len);
    assert_int_equal(fclose(f), 0);
    built_image_free(&image);
    return buf;
}

void file_release_expect_in_slot_b(const struct file_release *r)
{
    struct error e;
    char path[512];
    uint8_t *data = NULL;
    size_t len = 0;
    temp_dir_path(path, sizeof path, r->device->dir, "slot-b");
    assert_ok(file_read(path, FILE_RELEASE_SLOT_SIZE, &data, &len, &e));
    assert_int_equal(len, FILE_RELEASE_SLOT_SIZE);
    assert_memory_equal(data, r->content, sizeof r->content);
    free(data);
}
