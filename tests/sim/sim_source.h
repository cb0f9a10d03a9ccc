// SPDX-License-Identifier: Apache-2.0
// A simulated source: the bytes of an image, or of the delta pack beside it. A call that is made to
// fail loses the connection (ECONNRESET), ends the file early (ENODATA), or hands out a wrong byte
// and says nothing (EBADMSG).
#ifndef TESTS_SIM_SIM_SOURCE_H
#define TESTS_SIM_SIM_SOURCE_H

#include "tests/sim/sim.h"
#include "updater/source.h"

struct sim_source {
    struct source base; // first: the ops get this pointer
    struct sim *sim;
    const uint8_t *data;
    size_t len;
    size_t pos, end; // the range under way
    size_t lost_off; // whoever reads on from here loses the connection; 0: nobody does
    // What stands beside it, and the name of that; NULL: nothing does.
    struct sim_source *beside;
    const char *suffix;
};

void sim_source_init(struct sim_source *s, struct sim *sim, const uint8_t *data, size_t len);

#endif
