// SPDX-License-Identifier: Apache-2.0
// A file on a server in memory, read side by side: a source and its clones, each in a thread of its
// own. Counts what the server sees, and behaves as badly as ordered.
#ifndef TESTS_SUPPORT_SIDE_SOURCE_H
#define TESTS_SUPPORT_SIDE_SOURCE_H

#include "updater/source.h"

#include <pthread.h>

enum { SIDE_NOWHERE = -1 };

struct side_server {
    const uint8_t *data;
    size_t len;
    bool no_clones;
    bool one_at_a_time;      // a second range beside one under way is refused, to a clone
    uint64_t clone_bytes;    // a clone loses its connection after so many; 0: never
    int64_t lost_off;        // whoever reads this byte fails
    int64_t flip_off;        // this byte comes over wrong
    int64_t silent_off;      // before this byte: silence until interrupted
    pthread_mutex_t lock;    // for all below
    unsigned clones, starts; // made, asked for
    unsigned under_way, most_under_way;
    uint64_t asked, most_asked; // bytes asked for and not yet read
    uint64_t read_bytes;
    unsigned interrupted; // waits that were
    unsigned closed;
};

void side_server_init(struct side_server *s, const void *data, size_t len);
// The first source; it is closed as any other.
struct source *side_source_open(struct side_server *s);

#endif
