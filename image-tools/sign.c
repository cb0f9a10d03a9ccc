// SPDX-License-Identifier: Apache-2.0
#include "image-tools/sign.h"

#include "image-tools/image_file.h"
#include "image-tools/output_file.h"
#include "image-tools/tool.h"

#include <string.h>
#include <sys/file.h>

const struct option_spec sign_option_specs[] = {
    {"cert", 0, "PEM", "certificate of the signer", false, true},
    {"key", 0, "PEM", "its private key", false, true},
    {0},
};

// The lock belongs to the file that was opened. If another sign replaced it in between, signing
// the old one would lose the other's signature.
static enum err lock(const struct image_file *f, struct error *e)
{
    struct stat now;
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail(e, ERR_AGAIN, 0, "%s: is just being signed by somebody else", f->path)
                   : fail(e, ERR_IO, errno, "%s: lock", f->path);
    }
    if (stat(f->path, &now) != 0 || now.st_ino != f->st.st_ino || now.st_dev != f->st.st_dev) {
        return fail(e, ERR_AGAIN, 0, "%s: was replaced just now, sign again", f->path);
    }
    return OK;
}

static enum err check_signer(const struct image_contents *c, const struct signer *signer,
                             struct error *e)
{
    char created[TOOL_TIME_SIZE];
    char ends[TOOL_TIME_SIZE];
    bool present;
    if (c->manifest->created > signer_not_after(signer)) {
        return fail(e, ERR_TRUST, 0,
                    "the image was created at %s, after the certificate ends at %s: no device "
                    "would accept this signature",
                    tool_format_time(c->manifest->created, created, sizeof(created)),
                    tool_format_time(signer_not_after(signer), ends, sizeof(ends)));
    }
    enum err err = signer_has_signed(signer, &c->signatures, &present, e);
    if (err == OK && present) {
        err = fail(e, ERR_TRUST, 0, "this key has signed the image already");
    }
    return err;
}

// Adds a record to the signature area in memory.
static enum err add_record(struct image_file *f, const struct signature_list *list,
                           const struct signer *signer, struct sign_result *ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    uint16_t type;
    size_t len;
    size_t signed_size = header_signed_size(&f->header);
    size_t area_size = f->header.signature_area_size;
    enum err err = signer_sign(signer, f->prefix, signed_size, &type, &data, &len, e);
    if (err == OK) {
        err = signature_area_append(f->prefix + signed_size, area_size, list, type, data, len, e);
    }
    if (err == OK) {
        ret->signature_bytes = len;
        ret->records = list->count + 1;
        ret->room_bytes = area_size - list->used_bytes - SIGNATURE_RECORD_HEADER - len;
    }
    return err;
}

// A whole new file, because the area can be larger than what a disk writes at once. The kernel
// shares the payload's blocks between old and new file where the file system can.
static enum err replace_file(const struct image_file *f, struct error *e)
{
    CLEANUP(cleanup_output_file) struct output_file *out = NULL;
    size_t signed_size = header_signed_size(&f->header);
    enum err err = output_file_begin(f->path, OUTPUT_NAMELESS_IF_POSSIBLE, &out, e);
    if (err == OK) {
        err = output_file_copy(out, f->fd, 0, 0, f->header.file_size, e);
    }
    if (err == OK) {
        err = output_file_write(out, f->prefix + signed_size, f->header.signature_area_size,
                                signed_size, e);
    }
    if (err == OK) {
        err = output_file_take_mode(out, &f->st, e);
    }
    if (err == OK) {
        err = output_file_commit(out, e);
    }
    return err;
}

enum err sign_image(const char *path, const struct signer *signer, struct sign_result *ret,
                    struct error *e)
{
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(image_contents_clear) struct image_contents contents = {0};
    struct sign_result result = {0};
    enum err err = image_file_open(path, &f, e);
    if (err == OK) {
        err = lock(f, e);
    }
    if (err == OK) {
        err = image_file_contents(f, &contents, e);
    }
    if (err != OK) {
        return err;
    }
    err = check_signer(&contents, signer, e);
    if (err == OK) {
        err = add_record(f, &contents.signatures, signer, &result, e);
    }
    if (err != OK) {
        return error_context(e, "%s", path);
    }
    err = replace_file(f, e);
    if (err == OK) {
        *ret = result;
    }
    return err;
}

enum err verb_sign(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    CLEANUP(cleanup_signer) struct signer *signer = NULL;
    struct sign_result result = {0};
    enum err err = signer_load(parsed_option(args, "cert"), parsed_option(args, "key"), &signer, e);
    if (err == OK) {
        err = sign_image(args->args[0], signer, &result, e);
    }
    if (err != OK) {
        return err;
    }
    fprintf(tool->out,
            "%s: signed; %zu signature record%s, this one of %zu bytes, room for %zu more bytes\n",
            args->args[0], result.records, result.records == 1 ? "" : "s", result.signature_bytes,
            result.room_bytes);
    return tool_finish_output(tool, e);
}
