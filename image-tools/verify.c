// SPDX-License-Identifier: Apache-2.0
#include "image-tools/verify.h"

#include "image-tools/payload_check.h"
#include "image-tools/tool.h"
#include "image-tools/verify_pack.h"

#include <inttypes.h>

const struct option_spec verify_option_specs[] = {
    {"trust", 0, "DIR", "certificates that are trusted", false, true},
    {"signers", 0, "N", "how many of them must have signed (1)", false, false},
    {"jobs", 0, "N", "threads (all processors)", false, false},
    {0},
};

static enum err check_time(const struct manifest *m, uint64_t time_floor, struct error *e)
{
    char text[TOOL_TIME_SIZE];
    if (m->not_after != 0 && m->not_after < time_floor) {
        return fail(e, ERR_TRUST, 0, "the image was not to be installed after %s",
                    tool_format_time(m->not_after, text, sizeof(text)));
    }
    return OK;
}

enum err verify_list_signers(const uint8_t *head, const struct header *h,
                             const struct verify_request *r, struct signer_name *ret,
                             size_t *ret_count, struct error *e)
{
    size_t signed_size = header_signed_size(h);
    struct signature_list signatures;
    enum err err = signature_area_parse(head + signed_size, h->signature_area_size, &signatures, e);
    if (err == OK) {
        err = trust_list_signers(r->store, r->time_floor, head, signed_size, &signatures, ret,
                                 SIGNATURE_RECORDS_MAX, ret_count, e);
    }
    return err;
}

static enum err check_head(const struct image_file *f, const struct verify_request *r,
                           struct image **ret, struct error *e)
{
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct image_trust trust = image_trust_with(r->store, r->signers, r->time_floor);
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = image_open_prefix(f->prefix, f->prefix_len, &trust.verifier, hasher, &image, e);
    }
    if (err == OK) {
        err = check_time(image->manifest, r->time_floor, e);
    }
    if (err != OK) {
        error_context(e, "%s", f->path);
        return err;
    }
    *ret = TAKE_PTR(image);
    return OK;
}

enum err verify_image(const struct image_file *f, const struct verify_request *r,
                      struct progress *progress, struct verify_result *ret, struct error *e)
{
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct verify_result result = {0};
    enum err err = check_head(f, r, &image, e);
    if (err == OK) {
        err = payload_check(f, image->table, r->jobs, progress, e);
    }
    if (err == OK) {
        err =
            verify_list_signers(f->prefix, &f->header, r, result.signers, &result.signer_count, e);
    }
    if (err == OK) {
        result.file_bytes = f->header.file_size;
        result.image = TAKE_PTR(image);
        *ret = result;
    }
    return err;
}

static void print_signers(FILE *out, const struct signer_name *signers, size_t count)
{
    fputs("signed by ", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i > 0 ? " and " : "", signers[i].subject);
    }
    fputc('\n', out);
}

static enum err run_image(struct tool *tool, const struct image_file *f,
                          const struct verify_request *r, struct error *e)
{
    struct verify_result v;
    struct progress progress = tool_progress(tool);
    enum err err = verify_image(f, r, &progress, &v, e);
    if (err != OK) {
        return err;
    }
    const struct manifest *m = v.image->manifest;
    fprintf(tool->out,
            "OK: product %s version %s (release %" PRIu64 "), %zu partition%s, %" PRIu64 " bytes, ",
            m->product, m->version, m->release_index, m->partition_count,
            m->partition_count == 1 ? "" : "s", v.file_bytes);
    print_signers(tool->out, v.signers, v.signer_count);
    image_free(v.image);
    return OK;
}

static enum err run_pack(struct tool *tool, const struct image_file *f,
                         const struct verify_request *r, struct error *e)
{
    struct verify_pack_result v;
    enum err err = verify_pack(f, r, &v, e);
    if (err != OK) {
        return err;
    }
    const struct pack_manifest *m = v.pack->manifest;
    fprintf(tool->out,
            "OK: delta pack from release %" PRIu64 " to release %" PRIu64 ", %" PRIu32
            " chunk%s, %" PRIu64 " bytes, ",
            m->base.release_index, m->target.release_index, m->body.table_records,
            m->body.table_records == 1 ? "" : "s", v.file_bytes);
    print_signers(tool->out, v.signers, v.signer_count);
    pack_free(v.pack);
    return OK;
}

enum err verb_verify(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    CLEANUP(cleanup_trust_store) struct trust_store *store = NULL;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    uint64_t signers = 1;
    uint64_t jobs = tool_default_jobs();
    bool synchronised;
    enum err err = tool_option_number(args, "signers", 1, SIGNATURE_RECORDS_MAX, &signers, e);
    if (err == OK) {
        err = tool_option_number(args, "jobs", 1, TOOL_JOBS_MAX, &jobs, e);
    }
    if (err == OK) {
        err = trust_store_load(parsed_option(args, "trust"), &store, e);
    }
    if (err != OK) {
        return err;
    }
    // A build host's clock is taken at its word, unlike a device's.
    struct verify_request request = {
        .store = store,
        .signers = (unsigned)signers,
        .time_floor = tool->clock->ops->wall_s(tool->clock, &synchronised),
        .jobs = (unsigned)jobs,
    };
    err = image_file_open(args->args[0], &f, e);
    if (err == OK) {
        err = f->header.kind == FILE_PACK ? run_pack(tool, f, &request, e)
                                          : run_image(tool, f, &request, e);
    }
    return err == OK ? tool_finish_output(tool, e) : err;
}
