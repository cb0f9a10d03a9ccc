// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build.h"

#include "base/parse.h"
#include "image-tools/chunk_worker.h"
#include "image-tools/cut_plan.h"
#include "image-tools/input_file.h"
#include "image-tools/tool.h"

#include <inttypes.h>

struct inputs {
    struct input_file *files[MANIFEST_PARTITIONS_MAX];
    size_t count;
    uint64_t total_bytes;
};

static void close_inputs(struct inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        input_file_free(in->files[i]);
    }
}

static enum err open_inputs(const struct build_options *o, struct inputs *ret, struct error *e)
{
    struct stat output;
    bool output_exists = stat(o->output, &output) == 0;
    for (size_t i = 0; i < o->manifest.partition_count; i++) {
        enum err err = input_file_open(o->paths[i], &ret->files[i], e);
        if (err != OK) {
            return error_context(e, "partition %s", o->manifest.partitions[i].name);
        }
        ret->count++;
        ret->total_bytes += input_file_size(ret->files[i]);
        if (output_exists && input_file_is(ret->files[i], &output)) {
            return fail(e, ERR_USAGE, 0, "partition %s: %s is also the output",
                        o->manifest.partitions[i].name, o->paths[i]);
        }
    }
    return OK;
}

// The steps between an input and the image, and how far they are.
struct line {
    struct worker_pool *pool;
    struct image_writer *writer;
    struct progress *progress;
};

static enum err write_oldest(struct line *l, struct error *e)
{
    const void *taken = NULL;
    enum err err = worker_pool_take(l->pool, &taken, e);
    const struct chunk_item *item = taken;
    if (err == OK) {
        err = image_writer_add(l->writer, &item->chunk, item->stored, e);
    }
    if (err == OK) {
        progress_add(l->progress, item->chunk.raw_len);
    }
    return err;
}

static enum err put_next(struct line *l, const struct cutter *cutter, struct input_file *in,
                         struct error *e)
{
    const uint8_t *data;
    size_t len;
    size_t hole;
    enum err err = input_file_window(in, &data, &len, &hole, e);
    if (err == OK) {
        uint64_t at = input_file_size(in) - input_file_left(in);
        size_t cut = cutter_next(cutter, at, data, len);
        chunk_item_fill(worker_pool_room(l->pool), cut <= hole ? NULL : data, cut);
        worker_pool_put(l->pool);
        input_file_advance(in, cut);
    }
    return err;
}

static enum err build_partition(struct line *l, const struct cutter *cutter, struct input_file *in,
                                struct partition_info *p, struct error *e)
{
    enum err err = OK;
    while (err == OK && (input_file_left(in) > 0 || !worker_pool_is_empty(l->pool))) {
        if (input_file_left(in) == 0 || worker_pool_is_full(l->pool)) {
            err = write_oldest(l, e);
        } else {
            err = put_next(l, cutter, in, e);
        }
    }
    if (err == OK) {
        err = input_file_check_unchanged(in, e);
    }
    if (err == OK) {
        err = image_writer_end_partition(l->writer, p, e);
    }
    if (err != OK) {
        return error_context(e, "partition %s", p->name);
    }
    cutter_name(cutter, p->cut, sizeof(p->cut));
    return OK;
}

static enum err build_partitions(struct build_options *o, const struct inputs *in,
                                 const struct cutter cutters[], struct image_writer *writer,
                                 struct progress *progress, struct error *e)
{
    CLEANUP(cleanup_worker_pool) struct worker_pool *pool = NULL;
    struct chunk_coding coding = {o->codec, o->level};
    enum err err = worker_pool_new(o->jobs, &chunk_work, &coding, &pool, e);
    struct line l = {pool, writer, progress};
    progress_begin(progress, "build", in->total_bytes);
    for (size_t i = 0; err == OK && i < in->count; i++) {
        err = build_partition(&l, &cutters[i], in->files[i], &o->manifest.partitions[i], e);
    }
    progress_end(progress);
    return err;
}

enum err build_image(struct build_options *o, struct progress *progress, struct image_totals *ret,
                     struct error *e)
{
    CLEANUP(close_inputs) struct inputs in = {0};
    CLEANUP(cleanup_image_writer) struct image_writer *writer = NULL;
    struct cutter cutters[MANIFEST_PARTITIONS_MAX] = {0};
    enum err err = open_inputs(o, &in, e);
    if (err == OK) {
        err = image_writer_new(o->output, &writer, e);
    }
    if (err == OK) {
        err = cut_plan_choose(&o->cut, in.files, in.count, cutters, e);
    }
    if (err == OK) {
        err = build_partitions(o, &in, cutters, writer, progress, e);
    }
    if (err == OK) {
        err = image_writer_finish(writer, &o->manifest, o->signature_reserve, ret, e);
    }
    return err;
}

static void print_summary(FILE *out, const struct build_options *o, const struct image_totals *t)
{
    char raw[16];
    char file[16];
    fprintf(out,
            "%s: product %s version %s (release %" PRIu64 "), %zu partition%s, %s in %" PRIu32
            " chunks (%" PRIu32 " zero, %" PRIu32 " repeated), image %s (%" PRIu64
            " bytes), not signed yet\n",
            o->output, o->manifest.product, o->manifest.version, o->manifest.release_index,
            o->manifest.partition_count, o->manifest.partition_count == 1 ? "" : "s",
            format_size(t->raw_bytes, raw, sizeof(raw)), t->chunks, t->zero_chunks,
            t->repeated_chunks, format_size(t->file_bytes, file, sizeof(file)), t->file_bytes);
}

enum err verb_build(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    struct build_options o;
    struct image_totals totals;
    bool synchronised;
    enum err err = build_options_parse(args, getenv("SOURCE_DATE_EPOCH"),
                                       tool->clock->ops->wall_s(tool->clock, &synchronised), &o, e);
    if (err != OK) {
        return err;
    }
    struct progress progress = tool_progress(tool);
    err = build_image(&o, &progress, &totals, e);
    if (err != OK) {
        return err;
    }
    print_summary(tool->out, &o, &totals);
    return tool_finish_output(tool, e);
}
