// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static enum err read_at(int fd, void *buf, size_t len, uint64_t off, struct error *e)
{
    uint8_t *at = buf;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_IO, errno, "read");
        }
        if (n == 0) {
            return fail(e, ERR_FORMAT, 0, "it ends early, at %" PRIu64 " bytes", off);
        }
        at += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return OK;
}

static enum err check_length(const struct image_file *f, struct error *e)
{
    uint64_t size = (uint64_t)f->st.st_size;
    if (size == f->header.file_size) {
        return OK;
    }
    return fail(e, ERR_FORMAT, 0, "corrupt: it has %" PRIu64 " bytes, %s the %" PRIu64 " it says",
                size, size < f->header.file_size ? "fewer than" : "more than", f->header.file_size);
}

static enum err read_prefix(struct image_file *f, struct error *e)
{
    uint8_t bytes[HEADER_SIZE];
    if (f->st.st_size < HEADER_SIZE) {
        return fail(e, ERR_FORMAT, 0, "not a .vvi image: %" PRIu64 " bytes, a header alone has %d",
                    (uint64_t)f->st.st_size, HEADER_SIZE);
    }
    enum err err = read_at(f->fd, bytes, sizeof(bytes), 0, e);
    if (err == OK) {
        enum file_kind kind;
        if (!header_kind(bytes, &kind)) {
            kind = FILE_IMAGE; // what is neither is called not an image
        }
        err = header_parse_kind(bytes, kind, &f->header, e);
    }
    if (err == OK) {
        err = check_length(f, e);
    }
    if (err != OK) {
        return err;
    }
    // At most IMAGE_PREFIX_MAX, by the header's invariants.
    f->prefix_len = (size_t)f->header.payload_offset;
    f->prefix = malloc(f->prefix_len);
    if (f->prefix == NULL) {
        return fail_memory(e);
    }
    return read_at(f->fd, f->prefix, f->prefix_len, 0, e);
}

enum err image_file_open(const char *path, struct image_file **ret, struct error *e)
{
    CLEANUP(cleanup_image_file) struct image_file *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return fail_memory(e);
    }
    f->path = path;
    // Not to wait for a writer, should it be a FIFO.
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &f->st) != 0) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    if (!S_ISREG(f->st.st_mode)) {
        return fail(e, ERR_IO, 0, "%s: it is not a regular file", path);
    }
    enum err err = read_prefix(f, e);
    if (err != OK) {
        return error_context(e, "%s", path);
    }
    *ret = TAKE_PTR(f);
    return OK;
}

void image_file_free(struct image_file *f)
{
    if (f == NULL) {
        return;
    }
    cleanup_close(&f->fd);
    free(f->prefix);
    free(f);
}

enum err image_file_read(const struct image_file *f, void *buf, size_t len, uint64_t off,
                         struct error *e)
{
    enum err err = read_at(f->fd, buf, len, off, e);
    return err == OK ? OK : error_context(e, "%s", f->path);
}

// --- Contents, unverified ---

enum err image_file_check_kind(const struct image_file *f, enum file_kind kind, struct error *e)
{
    if (f->header.kind == kind) {
        return OK;
    }
    return fail(e, ERR_FORMAT, 0, "%s: it is %s, not %s", f->path,
                kind == FILE_IMAGE ? "a delta pack" : "an image",
                kind == FILE_IMAGE ? "an image" : "a delta pack");
}

enum err image_file_check_head(const struct image_file *f, struct hasher *hasher,
                               struct signature_list *ret, struct error *e)
{
    enum err err = container_check_manifest(&f->header, f->prefix + HEADER_SIZE, hasher, e);
    if (err == OK) {
        err = signature_area_parse(f->prefix + header_signed_size(&f->header),
                                   f->header.signature_area_size, ret, e);
    }
    return err;
}

enum err image_file_copy_table(const struct image_file *f, const struct file_body *body,
                               uint8_t **ret, struct error *e)
{
    enum err err = container_check_agreement(&f->header, body, e);
    if (err != OK) {
        return err;
    }
    size_t head_size = header_head_size(&f->header);
    size_t len = f->prefix_len - head_size;
    CLEANUP(cleanup_free) uint8_t *rest = malloc(len);
    if (rest == NULL) {
        return fail_memory(e);
    }
    memcpy(rest, f->prefix + head_size, len);
    err = container_move_table(&f->header, rest, len, e);
    if (err == OK) {
        *ret = TAKE_PTR(rest);
    }
    return err;
}

static enum err read_contents(const struct image_file *f, struct image_contents *c, struct error *e)
{
    const struct header *h = &f->header;
    uint8_t *table = NULL;
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = image_file_check_head(f, hasher, &c->signatures, e);
    }
    if (err == OK) {
        err = manifest_parse(f->prefix + HEADER_SIZE, h->manifest_size, &c->manifest, e);
    }
    if (err == OK) {
        err = image_file_copy_table(f, &c->manifest->body, &table, e);
    }
    if (err == OK) {
        err = chunk_table_parse(table, h->table_size, c->manifest, hasher, &c->table, e);
    }
    return err;
}

enum err image_file_contents(const struct image_file *f, struct image_contents *ret,
                             struct error *e)
{
    struct image_contents c = {0};
    enum err err = image_file_check_kind(f, FILE_IMAGE, e);
    if (err != OK) {
        return err;
    }
    err = read_contents(f, &c, e);
    if (err != OK) {
        image_contents_clear(&c);
        return error_context(e, "%s", f->path);
    }
    *ret = c;
    return OK;
}

void image_contents_clear(struct image_contents *c)
{
    manifest_free(c->manifest);
    chunk_table_free(c->table);
    *c = (struct image_contents){0};
}
