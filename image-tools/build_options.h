// SPDX-License-Identifier: Apache-2.0
// The command line of `vv-image build` as values that hold together.
#ifndef IMAGE_TOOLS_BUILD_OPTIONS_H
#define IMAGE_TOOLS_BUILD_OPTIONS_H

#include "base/command.h"
#include "format/codec.h"
#include "format/manifest.h"
#include "image-tools/cut_plan.h"

#include <stdint.h>

enum {
    BUILD_LEVEL_ZSTD = 12, // download sizes in the documentation were measured with it
    BUILD_LEVEL_ZLIB = 9,
    BUILD_SIGNATURE_RESERVE = 8 * 1024, // six signatures with P-256 certificates
};

struct build_options {
    const char *output;
    // What is known before the inputs are read: product, compatible, version, release, times,
    // devices, and per partition id and name.
    struct manifest manifest;
    const char *paths[MANIFEST_PARTITIONS_MAX]; // of the partition images
    enum codec codec;
    int level;
    struct cut_request cut;
    unsigned jobs;
    uint32_t signature_reserve; // bytes
};

extern const struct option_spec build_option_specs[];

// ERR_USAGE names the option and what it takes. `created` is `source_date_epoch` (the text of that
// environment variable, NULL when it is not set) or else `now_s`. Strings point into argv.
MUST_CHECK enum err build_options_parse(const struct parsed *args, const char *source_date_epoch,
                                        uint64_t now_s, struct build_options *ret, struct error *e);

#endif
