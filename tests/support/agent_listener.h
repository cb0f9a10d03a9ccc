// SPDX-License-Identifier: Apache-2.0
// A client that listens to the events of an agent room, in the same process.
#ifndef TESTS_SUPPORT_AGENT_LISTENER_H
#define TESTS_SUPPORT_AGENT_LISTENER_H

#include "base/json.h"
#include "tests/support/agent_room.h"

struct agent_listener {
    int fd;
    size_t count;
    json_t *events; // an array, in the order in which they came
    char rest[8192];
    size_t len;
};

// The agent of the room runs. Its answer to "events" is none of them.
void agent_listener_begin(struct agent_listener *l, struct agent_room *r);
void agent_listener_end(struct agent_listener *l);

// Turns of the agent until one of this kind came; none ends the test.
void agent_listener_until(struct agent_listener *l, struct agent_room *r, const char *kind);
// Takes what was sent by now. How many of this kind there are; the last of them is `*ret`, NULL
// without any, and belongs to the listener.
size_t agent_listener_count(struct agent_listener *l, const char *kind, const json_t **ret);

#endif
