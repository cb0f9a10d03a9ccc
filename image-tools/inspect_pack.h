// SPDX-License-Identifier: Apache-2.0
// `vv-image inspect` of a delta pack. Like of an image, signatures and payload are not checked.
#ifndef IMAGE_TOOLS_INSPECT_PACK_H
#define IMAGE_TOOLS_INSPECT_PACK_H

#include "image-tools/pack_file.h"

#include <stdio.h>

void inspect_pack_print_text(FILE *out, const struct image_file *f, const struct pack_contents *c);
// One JSON object and a newline. ERR_IO when out of memory.
MUST_CHECK enum err inspect_pack_print_json(FILE *out, const struct image_file *f,
                                            const struct pack_contents *c, struct error *e);

#endif
