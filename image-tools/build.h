// SPDX-License-Identifier: Apache-2.0
// `vv-image build`: read, cut, encode, write.
//
// Invariants
// 1. The same inputs and options give the same bytes, whatever the number of jobs.
// 2. A build that fails or is killed leaves no output, and an older output as it was.
#ifndef IMAGE_TOOLS_BUILD_H
#define IMAGE_TOOLS_BUILD_H

#include "base/command.h"
#include "base/progress.h"
#include "image-tools/build_options.h"
#include "image-tools/image_writer.h"

// Fills what is still open in o->manifest. An output that is also an input is ERR_USAGE.
MUST_CHECK enum err build_image(struct build_options *o, struct progress *progress,
                                struct image_totals *ret, struct error *e);

// `context` is a struct tool.
MUST_CHECK enum err verb_build(void *context, const struct parsed *args, struct error *e);

#endif
