// SPDX-License-Identifier: Apache-2.0
#include "image-tools/sign.h"

#include "image-tools/output_file.h"
#include "image-tools/pack_file.h"
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

// What of an image or a pack decides whether it may be signed.
struct signable {
    uint64_t created;
    struct signature_list signatures;
};

// Reads all before the payload, so that nothing damaged is signed.
static enum err read_signable(const struct image_file *f, struct signable *ret, struct error *e)
{
    CLEANUP(image_contents_clear) struct image_contents image = {0};
    CLEANUP(pack_contents_clear) struct pack_contents pack = {0};
    enum err err = OK;
    switch (f->header.kind) {
    case FILE_IMAGE:
        err = image_file_contents(f, &image, e);
        if (err == OK) {
            *ret = (struct signable){image.manifest->created, image.signatures};
        }
        break;
    case FILE_PACK:
        err = pack_file_contents(f, &pack, e);
        if (err == OK) {
            *ret = (struct signable){pack.manifest->created, pack.signatures};
        }
        break;
    }
    return err;
}

static enum err check_signer(const struct image_file *f, const struct signable *s,
                             const struct signer *signer, struct error *e)
{
    char created[TOOL_TIME_SIZE];
    char ends[TOOL_TIME_SIZE];
    bool present;
    const char *word = file_kind_word(f->header.kind);
    if (s->created > signer_not_after(signer)) {
        return fail(e, ERR_TRUST, 0,
                    "the %s was created at %s, after the certificate ends at %s: no device "
                    "would accept this signature",
                    word, tool_format_time(s->created, created, sizeof(created)),
                    tool_format_time(signer_not_after(signer), ends, sizeof(ends)));
    }
    enum err err = signer_has_signed(signer, &s->signatures, &present, e);
    if (err == OK && present) {
        err = fail(e, ERR_TRUST, 0, "this key has signed the %s already", word);
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
    struct signable signable = {0};
    struct sign_result result = {0};
    enum err err = image_file_open(path, &f, e);
    if (err == OK) {
        err = lock(f, e);
    }
    if (err == OK) {
        err = read_signable(f, &signable, e);
    }
    if (err != OK) {
        return err;
    }
    err = check_signer(f, &signable, signer, e);
    if (err == OK) {
        err = add_record(f, &signable.signatures, signer, &result, e);
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
