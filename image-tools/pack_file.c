// SPDX-License-Identifier: Apache-2.0
#include "image-tools/pack_file.h"

static enum err read_contents(const struct image_file *f, struct pack_contents *c, struct error *e)
{
    const struct header *h = &f->header;
    uint8_t *table = NULL;
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = image_file_check_head(f, hasher, &c->signatures, e);
    }
    if (err == OK) {
        err = pack_manifest_parse(f->prefix + HEADER_SIZE, h->manifest_size, &c->manifest, e);
    }
    if (err == OK) {
        err = image_file_copy_table(f, &c->manifest->body, &table, e);
    }
    if (err == OK) {
        err = pack_table_parse(table, h->table_size, c->manifest, hasher, &c->table, e);
    }
    return err;
}

enum err pack_file_contents(const struct image_file *f, struct pack_contents *ret, struct error *e)
{
    struct pack_contents c = {0};
    enum err err = image_file_check_kind(f, FILE_PACK, e);
    if (err != OK) {
        return err;
    }
    err = read_contents(f, &c, e);
    if (err != OK) {
        pack_contents_clear(&c);
        return error_context(e, "%s", f->path);
    }
    *ret = c;
    return OK;
}

void pack_contents_clear(struct pack_contents *c)
{
    pack_manifest_free(c->manifest);
    pack_table_free(c->table);
    *c = (struct pack_contents){0};
}
