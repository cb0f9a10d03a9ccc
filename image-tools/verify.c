// SPDX-License-Identifier: Apache-2.0
#include "image-tools/verify.h"

#include "image-tools/image_file.h"
#include "image-tools/payload_check.h"
#include "image-tools/tool.h"

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

static enum err list_signers(const struct image *image, const struct verify_request *r,
                             struct verify_result *ret, struct error *e)
{
    size_t signed_size = header_signed_size(&image->header);
    struct signature_list signatures;
    enum err err = signature_area_parse(image->head + signed_size,
                                        image->header.signature_area_size, &signatures, e);
    if (err == OK) {
        err = trust_list_signers(r->store, r->time_floor, image->head, signed_size, &signatures,
                                 ret->signers, SIGNATURE_RECORDS_MAX, &ret->signer_count, e);
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

enum err verify_image(const char *path, const struct verify_request *r, struct progress *progress,
                      struct verify_result *ret, struct error *e)
{
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    CLEANUP(cleanup_image) struct image *image = NULL;
    struct verify_result result = {0};
    enum err err = image_file_open(path, &f, e);
    if (err == OK) {
        err = check_head(f, r, &image, e);
    }
    if (err == OK) {
        err = payload_check(f, image->table, r->jobs, progress, e);
    }
    if (err == OK) {
        err = list_signers(image, r, &result, e);
    }
    if (err == OK) {
        result.file_bytes = f->header.file_size;
        result.image = TAKE_PTR(image);
        *ret = result;
    }
    return err;
}

static void print_result(FILE *out, const struct verify_result *v)
{
    const struct manifest *m = v->image->manifest;
    fprintf(out,
            "OK: product %s version %s (release %" PRIu64 "), %zu partition%s, %" PRIu64
            " bytes, signed by ",
            m->product, m->version, m->release_index, m->partition_count,
            m->partition_count == 1 ? "" : "s", v->file_bytes);
    for (size_t i = 0; i < v->signer_count; i++) {
        fprintf(out, "%s%s", i > 0 ? " and " : "", v->signers[i].subject);
    }
    fputc('\n', out);
}

enum err verb_verify(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    CLEANUP(cleanup_trust_store) struct trust_store *store = NULL;
    struct verify_result result;
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
    struct progress progress = tool_progress(tool);
    err = verify_image(args->args[0], &request, &progress, &result, e);
    if (err != OK) {
        return err;
    }
    print_result(tool->out, &result);
    image_free(result.image);
    return tool_finish_output(tool, e);
}
