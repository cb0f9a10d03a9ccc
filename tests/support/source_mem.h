// SPDX-License-Identifier: Apache-2.0
// A source in memory: notes every range, counts bytes, fails, flips and ends to order.
#ifndef TESTS_SUPPORT_SOURCE_MEM_H
#define TESTS_SUPPORT_SOURCE_MEM_H

#include "tests/support/seam_sim.h"
#include "updater/source.h"

enum { SOURCE_MEM_RANGES_MAX = 1024, SOURCE_MEM_NOWHERE = -1 };

struct source_mem {
    struct source base;
    struct seam_sim *seam;
    const uint8_t *data;
    size_t len;
    int64_t flip_off;          // a bit of this byte comes over wrong
    uint64_t cut_off;          // the connection is lost for good there: ERR_NETWORK
    uint64_t refuse_off;       // no range is begun there or behind it: ERR_NETWORK
    bool changed;              // what source_changed() says
    uint64_t read_bytes;       // handed out
    uint64_t pos, end;         // the range under way
    struct source_mem *beside; // what source_beside() gives; NULL: there is no such file
    char suffix[48];           // that was asked for last
    size_t range_count;
    struct {
        uint64_t off, len;
    } ranges[SOURCE_MEM_RANGES_MAX]; // as asked for
};

// `data` and `seam` outlive it.
void source_mem_init(struct source_mem *s, const void *data, size_t len, struct seam_sim *seam);

#endif
