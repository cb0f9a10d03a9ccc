// SPDX-License-Identifier: Apache-2.0
// A simulated source: the bytes of an image. A call that is made to fail loses the connection
// (ECONNRESET), ends the file early (ENODATA), or hands out a wrong byte and says nothing
// (EBADMSG).
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
};

void sim_source_init(struct sim_source *s, struct sim *sim, const uint8_t *data, size_t len);

#endif
