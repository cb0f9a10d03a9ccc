// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta.h"

#include "base/parse.h"
#include "image-tools/build_options.h"
#include "image-tools/chunk_index.h"
#include "image-tools/delta_worker.h"
#include "image-tools/pack_writer.h"
#include "image-tools/tool.h"

#include <inttypes.h>
#include <string.h>

const struct option_spec delta_option_specs[] = {
    {"base", 0, "OLD.vvi", "the image that devices have", false, true},
    {"new", 0, "NEW.vvi", "the image they are to get", false, true},
    {"output", 'o', "PACK.vvd", "the pack to write: NEW.vvi.from-N.vvd, N the release of OLD.vvi",
     false, true},
    {"jobs", 0, "N", "threads (all processors); the pack is the same", false, false},
    {"sig-reserve", 0, "SIZE", "room for signatures (8K, at most 64K)", false, false},
    {0},
};

struct opened {
    struct image_file *file;
    struct image_contents contents;
};

static void close_opened(struct opened *o)
{
    image_contents_clear(&o->contents);
    image_file_free(o->file);
}

static enum err open_image(const char *path, const char *output, struct opened *ret,
                           struct error *e)
{
    struct stat st;
    enum err err = image_file_open(path, &ret->file, e);
    if (err == OK) {
        err = image_file_contents(ret->file, &ret->contents, e);
    }
    if (err == OK && stat(output, &st) == 0 && st.st_dev == ret->file->st.st_dev &&
        st.st_ino == ret->file->st.st_ino) {
        err = fail(e, ERR_USAGE, 0, "%s: is also the output", path);
    }
    return err;
}

// --- Which chunks are new ---

static enum err index_base(const struct chunk_table *base, struct chunk_index **ret,
                           struct error *e)
{
    const uint8_t *table = chunk_table_bytes(base);
    enum err err = chunk_index_new(ret, e);
    for (uint32_t i = 0; err == OK && i < chunk_table_count(base); i++) {
        uint32_t earlier;
        // A record begins with its raw hash.
        if (!chunk_index_find(*ret, table, table + (size_t)i * CHUNK_RECORD_SIZE, &earlier)) {
            chunk_index_add(*ret, table, i);
        }
    }
    return err;
}

// Records of the target, malloced: those that store something of their own which the base has not.
static enum err list_new_chunks(const struct chunk_table *base, const struct chunk_table *target,
                                uint32_t **ret, struct delta_totals *totals, struct error *e)
{
    CLEANUP(cleanup_chunk_index) struct chunk_index *index = NULL;
    enum err err = index_base(base, &index, e);
    if (err != OK) {
        return err;
    }
    uint32_t *list = calloc(chunk_table_count(target), sizeof(*list));
    if (list == NULL) {
        return fail_memory(e);
    }
    for (uint32_t i = 0; i < chunk_table_count(target); i++) {
        uint32_t same;
        struct chunk c = chunk_table_get(target, i, NULL);
        if (c.codec != CODEC_ZERO && chunk_table_origin(target, i) == i &&
            !chunk_index_find(index, chunk_table_bytes(base), c.raw_sha256, &same)) {
            list[totals->new_chunks++] = i;
            totals->new_bytes += c.stored_len;
        }
    }
    *ret = list;
    return OK;
}

// --- Making it ---

static enum err write_deltas(struct worker_pool *pool, const struct chunk_table *target,
                             const uint32_t *chunks, struct container_writer *writer,
                             struct progress *progress, struct delta_totals *totals,
                             struct error *e)
{
    uint32_t put = 0;
    for (uint32_t i = 0; i < totals->new_chunks; i++) {
        const void *taken = NULL;
        struct chunk c = chunk_table_get(target, chunks[i], NULL);
        while (put < totals->new_chunks && !worker_pool_is_full(pool)) {
            struct delta_item *next = worker_pool_room(pool);
            next->record.chunk = chunks[put++];
            worker_pool_put(pool);
        }
        enum err err = worker_pool_take(pool, &taken, e);
        const struct delta_item *item = taken;
        if (err == OK && item->record.stored_len > 0) {
            err = pack_writer_add(writer, &item->record, item->stored, e);
            totals->chunks++;
            totals->stored_bytes += c.stored_len;
            totals->delta_bytes += item->record.stored_len;
        }
        if (err != OK) {
            return err;
        }
        progress_add(progress, c.raw_len);
    }
    return OK;
}

static uint64_t raw_bytes(const struct chunk_table *t, const uint32_t *chunks, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += chunk_table_get(t, chunks[i], NULL).raw_len;
    }
    return sum;
}

static enum err make_deltas(const struct delta_options *o, const struct delta_images *images,
                            const uint32_t *chunks, struct container_writer *writer,
                            struct progress *progress, struct delta_totals *totals, struct error *e)
{
    CLEANUP(cleanup_worker_pool) struct worker_pool *pool = NULL;
    const struct chunk_table *target = images->target->table;
    enum err err = worker_pool_new(o->jobs, &delta_work, images, &pool, e);
    progress_begin(progress, "delta", raw_bytes(target, chunks, totals->new_chunks));
    if (err == OK) {
        err = write_deltas(pool, target, chunks, writer, progress, totals, e);
    }
    progress_end(progress);
    if (err == OK && totals->chunks == 0) {
        err = fail(e, ERR_USAGE, 0,
                   "%s: a pack from %s would save nothing (%" PRIu32
                   " new chunks); devices need none",
                   o->target, o->base, totals->new_chunks);
    }
    return err;
}

static struct pack_end end_of(const struct opened *image)
{
    struct pack_end end = {.release_index = image->contents.manifest->release_index};
    memcpy(end.manifest_sha256, image->file->header.manifest_sha256, SHA256_SIZE);
    return end;
}

static enum err make_pack(const struct delta_options *o, const struct opened *base,
                          const struct opened *target, struct progress *progress,
                          struct delta_totals *totals, struct error *e)
{
    CLEANUP(cleanup_base_index) struct base_index *index = NULL;
    CLEANUP(cleanup_container_writer) struct container_writer *writer = NULL;
    CLEANUP(cleanup_free) uint32_t *chunks = NULL;
    struct delta_images images = {.base_file = base->file,
                                  .base = &base->contents,
                                  .target_file = target->file,
                                  .target = &target->contents};
    // With the target's time and no clock the same images give the same pack.
    struct pack_manifest m = {.created = target->contents.manifest->created,
                              .base = end_of(base),
                              .target = end_of(target)};
    enum err err = container_writer_new(FILE_PACK, o->output, &writer, e);
    if (err == OK) {
        err = list_new_chunks(base->contents.table, target->contents.table, &chunks, totals, e);
    }
    if (err == OK) {
        err = base_index_new(base->file, &base->contents, progress, &index, e);
        images.index = index;
    }
    if (err == OK) {
        err = make_deltas(o, &images, chunks, writer, progress, totals, e);
    }
    if (err == OK) {
        err = pack_writer_finish(writer, &m, o->signature_reserve, &totals->file_bytes, e);
    }
    return err;
}

enum err delta_make(const struct delta_options *o, struct progress *progress,
                    struct delta_totals *ret, struct error *e)
{
    CLEANUP(close_opened) struct opened base = {0};
    CLEANUP(close_opened) struct opened target = {0};
    enum err err = open_image(o->base, o->output, &base, e);
    if (err == OK) {
        err = open_image(o->target, o->output, &target, e);
    }
    if (err == OK && memcmp(base.file->header.manifest_sha256, target.file->header.manifest_sha256,
                            SHA256_SIZE) == 0) {
        err = fail(e, ERR_USAGE, 0, "%s and %s are the same image", o->base, o->target);
    }
    if (err != OK) {
        return err;
    }
    struct delta_totals totals = {.base_release_index = base.contents.manifest->release_index,
                                  .target_release_index = target.contents.manifest->release_index};
    err = make_pack(o, &base, &target, progress, &totals, e);
    if (err == OK) {
        *ret = totals;
    }
    return err;
}

// --- The verb ---

static enum err parse_options(const struct parsed *args, struct delta_options *ret, struct error *e)
{
    uint64_t jobs = tool_default_jobs();
    uint64_t reserve = BUILD_SIGNATURE_RESERVE;
    enum err err = tool_option_number(args, "jobs", 1, TOOL_JOBS_MAX, &jobs, e);
    if (err == OK) {
        err = tool_option_size(args, "sig-reserve", SIGNATURE_AREA_MAX, &reserve, e);
    }
    *ret = (struct delta_options){
        .base = parsed_option(args, "base"),
        .target = parsed_option(args, "new"),
        .output = parsed_option(args, "output"),
        .jobs = (unsigned)jobs,
        .signature_reserve = (uint32_t)reserve,
    };
    return err;
}

static void print_summary(FILE *out, const struct delta_options *o, const struct delta_totals *t)
{
    char file[16];
    char with[16];
    char without[16];
    fprintf(out,
            "%s: release %" PRIu64 " to %" PRIu64 ", %" PRIu32 " of %" PRIu32
            " new chunks, pack %s (%" PRIu64 " bytes); an update fetches %s in place of %s; not "
            "signed yet\n",
            o->output, t->base_release_index, t->target_release_index, t->chunks, t->new_chunks,
            format_size(t->file_bytes, file, sizeof(file)), t->file_bytes,
            format_size(t->new_bytes - t->stored_bytes + t->file_bytes, with, sizeof(with)),
            format_size(t->new_bytes, without, sizeof(without)));
}

enum err verb_delta(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    struct delta_options o;
    struct delta_totals totals;
    enum err err = parse_options(args, &o, e);
    if (err != OK) {
        return err;
    }
    struct progress progress = tool_progress(tool);
    err = delta_make(&o, &progress, &totals, e);
    if (err != OK) {
        return err;
    }
    print_summary(tool->out, &o, &totals);
    return tool_finish_output(tool, e);
}
