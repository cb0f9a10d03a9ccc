// SPDX-License-Identifier: Apache-2.0
#include "image-tools/inspect.h"

#include "base/json.h"
#include "base/parse.h"
#include "format/codec.h"
#include "image-tools/inspect_pack.h"
#include "image-tools/tool.h"

#include <inttypes.h>

const struct option_spec inspect_option_specs[] = {
    {"json", 0, NULL, "print one JSON object", false, false},
    {0},
};

struct inspect_sums inspect_sum(const struct chunk_table *table, uint32_t first, uint32_t count)
{
    struct inspect_sums s = {.chunks = count};
    for (uint32_t i = first; i < first + count; i++) {
        if (chunk_table_origin(table, i) != i) {
            s.repeated++;
            continue;
        }
        struct chunk c = chunk_table_get(table, i, NULL);
        s.by_codec[c.codec].chunks++;
        s.by_codec[c.codec].raw_bytes += c.raw_len;
        s.by_codec[c.codec].stored_bytes += c.stored_len;
        s.stored_bytes += c.stored_len;
    }
    return s;
}

static const char *signature_name(uint16_t type)
{
    switch (type) {
    case SIGNATURE_CMS:
        return "cms";
    case SIGNATURE_ED25519:
        return "ed25519";
    case SIGNATURE_RFC3161:
        return "rfc3161";
    default:
        return "unknown";
    }
}

// --- Text ---

static void print_names(FILE *out, const char *label, const struct name_list *names)
{
    if (names->count == 0) {
        return;
    }
    fprintf(out, "%-16s", label);
    for (size_t i = 0; i < names->count; i++) {
        fprintf(out, "%s%s", i > 0 ? ", " : "", names->names[i]);
    }
    fputc('\n', out);
}

static void print_release(FILE *out, const struct manifest *m)
{
    char time[TOOL_TIME_SIZE];
    fprintf(out, "%-16s%s\n", "product", m->product);
    print_names(out, "compatible", &m->compatible);
    fprintf(out, "%-16s%s\n", "version", m->version);
    fprintf(out, "%-16s%" PRIu64 "\n", "release", m->release_index);
    if (m->min_release_index != 0) {
        fprintf(out, "%-16s%" PRIu64 " (once confirmed, nothing below it installs)\n", "floor",
                m->min_release_index);
    }
    if (m->min_from != 0) {
        fprintf(out, "%-16srelease %" PRIu64 " or later\n", "installs from", m->min_from);
    }
    if (m->allow_downgrade) {
        fprintf(out, "%-16sallowed\n", "downgrade");
    }
    fprintf(out, "%-16s%s\n", "created", tool_format_time(m->created, time, sizeof(time)));
    if (m->not_after != 0) {
        fprintf(out, "%-16s%s\n", "not after", tool_format_time(m->not_after, time, sizeof(time)));
    }
    print_names(out, "devices", &m->device_ids);
}

static void print_section(FILE *out, const char *name, uint64_t off, uint64_t len)
{
    fprintf(out, "  %-16s%14" PRIu64 "%14" PRIu64 "\n", name, off, len);
}

void inspect_print_sections(FILE *out, const struct header *h)
{
    fprintf(out, "\n  %-16s%14s%14s\n", "section", "offset", "bytes");
    print_section(out, "header", 0, HEADER_SIZE);
    print_section(out, "manifest", HEADER_SIZE, h->manifest_size);
    print_section(out, "signatures", header_signed_size(h), h->signature_area_size);
    print_section(out, "chunk table", h->table_offset, h->table_size);
    print_section(out, "payload", h->payload_offset, h->payload_size);
    print_section(out, "file", 0, h->file_size);
}

static void print_sums(FILE *out, const char *name, uint64_t size, const struct inspect_sums *s,
                       const char *cut)
{
    fprintf(out,
            "  %-16s%14" PRIu64 "%10" PRIu32 "%8" PRIu32 "%8" PRIu32 "%8" PRIu32 "%14" PRIu64
            "  %s\n",
            name, size, s->chunks, s->by_codec[CODEC_ZERO].chunks, s->by_codec[CODEC_RAW].chunks,
            s->repeated, s->stored_bytes, cut);
}

static void print_partitions(FILE *out, const struct image_contents *c)
{
    const struct manifest *m = c->manifest;
    uint64_t total = 0;
    fprintf(out, "\n  %-16s%14s%10s%8s%8s%8s%14s  %s\n", "partition", "bytes", "chunks", "zero",
            "raw", "repeat", "stored", "cut");
    for (size_t i = 0; i < m->partition_count; i++) {
        const struct partition_info *p = &m->partitions[i];
        struct inspect_sums s = inspect_sum(c->table, p->first, p->count);
        print_sums(out, p->name, p->image_size, &s, p->cut);
        total += p->image_size;
    }
    struct inspect_sums s = inspect_sum(c->table, 0, chunk_table_count(c->table));
    print_sums(out, "all", total, &s, "");
}

void inspect_print_signatures(FILE *out, const struct signature_list *list)
{
    fprintf(out, "\nsignatures: %zu record%s, not checked (use vv-image verify)\n", list->count,
            list->count == 1 ? "" : "s");
    for (size_t i = 0; i < list->count; i++) {
        fprintf(out, "  %s, %" PRIu32 " bytes\n", signature_name(list->records[i].type),
                list->records[i].len);
    }
}

void inspect_print_text(FILE *out, const struct image_file *f, const struct image_contents *c)
{
    fprintf(out, "%-16s%s\n", "image", f->path);
    fprintf(out, "%-16s%d.%u\n", "format", FORMAT_MAJOR, f->header.format_minor);
    print_release(out, c->manifest);
    inspect_print_sections(out, &f->header);
    print_partitions(out, c);
    inspect_print_signatures(out, &c->signatures);
}

// --- JSON ---

// Sizes and counts of an image that was accepted fit into a signed integer.
static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *sums_json(const struct inspect_sums *s)
{
    CLEANUP(cleanup_json) json_t *codecs = json_object();
    for (int i = 0; i < INSPECT_CODECS; i++) {
        json_t *one = json_pack("{s:o, s:o, s:o}", "chunks", number(s->by_codec[i].chunks),
                                "raw_bytes", number(s->by_codec[i].raw_bytes), "stored_bytes",
                                number(s->by_codec[i].stored_bytes));
        // Takes `one`, NULL too, and then fails.
        if (json_object_set_new(codecs, codec_name((enum codec)i), one) != 0) {
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o, s:O}", "chunks", number(s->chunks), "repeated_chunks",
                     number(s->repeated), "stored_bytes", number(s->stored_bytes), "codecs",
                     codecs);
}

static json_t *partitions_json(const struct image_contents *c)
{
    CLEANUP(cleanup_json) json_t *list = json_array();
    for (size_t i = 0; i < c->manifest->partition_count; i++) {
        const struct partition_info *p = &c->manifest->partitions[i];
        struct inspect_sums s = inspect_sum(c->table, p->first, p->count);
        json_t *one = json_pack("{s:s, s:o, s:o}", "name", p->name, "image_size",
                                number(p->image_size), "sums", sums_json(&s));
        if (json_array_append_new(list, one) != 0) {
            return NULL;
        }
    }
    return TAKE_PTR(list);
}

json_t *inspect_signatures_json(const struct signature_list *records)
{
    CLEANUP(cleanup_json) json_t *list = json_array();
    for (size_t i = 0; i < records->count; i++) {
        json_t *one = json_pack("{s:s, s:i, s:o}", "type", signature_name(records->records[i].type),
                                "type_number", (int)records->records[i].type, "bytes",
                                number(records->records[i].len));
        if (json_array_append_new(list, one) != 0) {
            return NULL;
        }
    }
    return json_pack("{s:b, s:O}", "checked", 0, "records", list);
}

json_t *inspect_header_json(const struct header *h)
{
    char manifest_sha256[SHA256_HEX_SIZE];
    hex_encode(h->manifest_sha256, SHA256_SIZE, manifest_sha256);
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "format_major",
                     (int)FORMAT_MAJOR, "format_minor", (int)h->format_minor, "file_size",
                     number(h->file_size), "manifest_size", number(h->manifest_size),
                     "signature_area_size", number(h->signature_area_size), "table_offset",
                     number(h->table_offset), "table_size", number(h->table_size), "payload_offset",
                     number(h->payload_offset), "payload_size", number(h->payload_size),
                     "manifest_sha256", manifest_sha256);
}

enum err inspect_parse_manifest(const struct image_file *f, json_t **ret, struct error *e)
{
    const char *text = (const char *)f->prefix + HEADER_SIZE;
    enum err err = json_parse_canonical(text, f->header.manifest_size, ret, e);
    return err == OK ? OK : error_context(e, "%s: manifest", f->path);
}

enum err inspect_dump(FILE *out, const json_t *root, struct error *e)
{
    if (root == NULL) {
        return fail_memory(e);
    }
    if (json_dumpf(root, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF) {
        return fail(e, ERR_IO, errno, "write to standard output");
    }
    return OK;
}

enum err inspect_print_json(FILE *out, const struct image_file *f, const struct image_contents *c,
                            struct error *e)
{
    CLEANUP(cleanup_json) json_t *manifest = NULL;
    enum err err = inspect_parse_manifest(f, &manifest, e);
    if (err != OK) {
        return err;
    }
    struct inspect_sums all = inspect_sum(c->table, 0, chunk_table_count(c->table));
    CLEANUP(cleanup_json)
    json_t *root =
        json_pack("{s:o, s:O, s:o, s:o, s:o}", "header", inspect_header_json(&f->header),
                  "manifest", manifest, "partitions", partitions_json(c), "sums", sums_json(&all),
                  "signatures", inspect_signatures_json(&c->signatures));
    return inspect_dump(out, root, e);
}

static enum err run_image(struct tool *tool, const struct image_file *f, bool json, struct error *e)
{
    CLEANUP(image_contents_clear) struct image_contents contents = {0};
    enum err err = image_file_contents(f, &contents, e);
    if (err == OK && json) {
        err = inspect_print_json(tool->out, f, &contents, e);
    } else if (err == OK) {
        inspect_print_text(tool->out, f, &contents);
    }
    return err;
}

static enum err run_pack(struct tool *tool, const struct image_file *f, bool json, struct error *e)
{
    CLEANUP(pack_contents_clear) struct pack_contents contents = {0};
    enum err err = pack_file_contents(f, &contents, e);
    if (err == OK && json) {
        err = inspect_pack_print_json(tool->out, f, &contents, e);
    } else if (err == OK) {
        inspect_pack_print_text(tool->out, f, &contents);
    }
    return err;
}

enum err verb_inspect(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    bool json = parsed_option(args, "json") != NULL;
    CLEANUP(cleanup_image_file) struct image_file *f = NULL;
    enum err err = image_file_open(args->args[0], &f, e);
    if (err == OK) {
        err =
            f->header.kind == FILE_PACK ? run_pack(tool, f, json, e) : run_image(tool, f, json, e);
    }
    return err == OK ? tool_finish_output(tool, e) : err;
}
