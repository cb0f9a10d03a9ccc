// SPDX-License-Identifier: Apache-2.0
// A pipeline on an image that a server in memory has (side_source.h).
#ifndef TESTS_SUPPORT_PIPELINE_BENCH_H
#define TESTS_SUPPORT_PIPELINE_BENCH_H

#include "tests/support/install_bench.h"
#include "tests/support/side_source.h"
#include "updater/pipeline.h"

// Raw chunks, so that the payload is the content but for the one that is zeros and the one that is
// repeated.
enum {
    LINE_CHUNK = 64 * 1024,
    LINE_CHUNKS = 160,
    LINE_LEN = LINE_CHUNKS * LINE_CHUNK,
    LINE_ZERO = 20,
    LINE_REPEAT = 40,
};

struct line {
    struct bench *bench;
    struct bench_target t;
    struct side_server server;
    struct source *source;
    struct pipeline *pipeline; // NULL until line_open()
    uint64_t payload, payload_len;
    uint8_t *content;
};

// Set-up and tear-down of a test; `*state` is the line.
int line_make(void **state);
int line_clear(void **state);

#define line_test(name) cmocka_unit_test_setup_teardown(name, line_make, line_clear)

// A new pipeline on the same source; it reads nothing back.
void line_open(struct line *s, unsigned workers, unsigned lanes);
// One that reads back what is filled into the bench's target.
void line_open_checking(struct line *s, unsigned workers, unsigned lanes);
// Of the chunks of the image.
bool line_is_fetched(uint32_t index);
// All of the image is wanted.
void line_begin(struct line *s);
// Takes all from `*index` on, until one fails; what comes is right.
MUST_CHECK enum err line_take_all(struct line *s, uint32_t *index, struct error *e);
// All of the image, from begin to end.
void line_run(struct line *s);
// The stored byte of a chunk in the file.
int64_t line_off(const struct line *s, uint32_t chunk);

#endif
