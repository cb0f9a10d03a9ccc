// SPDX-License-Identifier: Apache-2.0
// `vv-image inspect`: what an image says about itself, for people or as JSON. Structure and hashes
// before the payload are checked; signatures and payload are not, and the output says so. Of a
// delta pack: image-tools/inspect_pack.h.
#ifndef IMAGE_TOOLS_INSPECT_H
#define IMAGE_TOOLS_INSPECT_H

#include "base/command.h"
#include "image-tools/image_file.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

extern const struct option_spec inspect_option_specs[];

enum { INSPECT_CODECS = 4 };

// Chunks of one partition, or of all.
struct inspect_sums {
    uint32_t chunks;
    uint32_t repeated; // their content is stored earlier in the image; counted in no codec
    struct {
        uint32_t chunks;
        uint64_t raw_bytes;
        uint64_t stored_bytes;
    } by_codec[INSPECT_CODECS]; // index: enum codec
    uint64_t stored_bytes;
};

// Records [first, first + count) of `table`.
struct inspect_sums inspect_sum(const struct chunk_table *table, uint32_t first, uint32_t count);

void inspect_print_text(FILE *out, const struct image_file *f, const struct image_contents *c);
// One JSON object and a newline. ERR_IO when out of memory.
MUST_CHECK enum err inspect_print_json(FILE *out, const struct image_file *f,
                                       const struct image_contents *c, struct error *e);

// What is shown of images and packs alike. A NULL object means that memory ran out.
void inspect_print_sections(FILE *out, const struct header *h);
void inspect_print_signatures(FILE *out, const struct signature_list *list);
json_t *inspect_header_json(const struct header *h);
json_t *inspect_signatures_json(const struct signature_list *records);
// The manifest as it stands in the file, with keys this program does not know.
MUST_CHECK enum err inspect_parse_manifest(const struct image_file *f, json_t **ret,
                                           struct error *e);
// Prints `root`; ERR_IO when it is NULL, for lack of memory.
MUST_CHECK enum err inspect_dump(FILE *out, const json_t *root, struct error *e);

// `context` is a struct tool.
MUST_CHECK enum err verb_inspect(void *context, const struct parsed *args, struct error *e);

#endif
