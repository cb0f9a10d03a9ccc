// SPDX-License-Identifier: Apache-2.0
#include "image-tools/inspect_pack.h"

#include "base/json.h"
#include "image-tools/inspect.h"
#include "image-tools/tool.h"

#include <inttypes.h>

static void print_end(FILE *out, const char *label, const struct pack_end *end)
{
    char sha256[SHA256_HEX_SIZE];
    hex_encode(end->manifest_sha256, SHA256_SIZE, sha256);
    fprintf(out, "%-16srelease %" PRIu64 ", manifest %s\n", label, end->release_index, sha256);
}

// Bytes of the base that a device reads to use all of the pack.
static uint64_t window_bytes(const struct pack_table *t)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pack_table_count(t); i++) {
        sum += pack_table_get(t, i).base_len;
    }
    return sum;
}

void inspect_pack_print_text(FILE *out, const struct image_file *f, const struct pack_contents *c)
{
    char time[TOOL_TIME_SIZE];
    const struct pack_manifest *m = c->manifest;
    fprintf(out, "%-16s%s\n", "delta pack", f->path);
    fprintf(out, "%-16s%d.%u\n", "format", FORMAT_MAJOR, f->header.format_minor);
    print_end(out, "from", &m->base);
    print_end(out, "to", &m->target);
    fprintf(out, "%-16s%s\n", "created", tool_format_time(m->created, time, sizeof(time)));
    fprintf(out, "%-16s%" PRIu32 ", %" PRIu64 " bytes stored, %" PRIu64 " bytes of windows\n",
            "chunks", m->body.table_records, m->body.payload_size, window_bytes(c->table));
    inspect_print_sections(out, &f->header);
    inspect_print_signatures(out, &c->signatures);
}

enum err inspect_pack_print_json(FILE *out, const struct image_file *f,
                                 const struct pack_contents *c, struct error *e)
{
    CLEANUP(cleanup_json) json_t *manifest = NULL;
    enum err err = inspect_parse_manifest(f, &manifest, e);
    if (err != OK) {
        return err;
    }
    CLEANUP(cleanup_json)
    json_t *root = json_pack(
        "{s:o, s:O, s:{s:I, s:I, s:I}, s:o}", "header", inspect_header_json(&f->header), "manifest",
        manifest, "sums", "chunks", (json_int_t)c->manifest->body.table_records, "stored_bytes",
        (json_int_t)c->manifest->body.payload_size, "window_bytes",
        (json_int_t)window_bytes(c->table), "signatures", inspect_signatures_json(&c->signatures));
    return inspect_dump(out, root, e);
}
