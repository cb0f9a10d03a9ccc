// SPDX-License-Identifier: Apache-2.0
// An agent of a device made of files, in this process, with a shell script in the place of the
// program whose verbs it runs. Anything that fails here fails the running test.
#ifndef TESTS_SUPPORT_AGENT_ROOM_H
#define TESTS_SUPPORT_AGENT_ROOM_H

#include "tests/support/file_device.h"
#include "tests/support/full_state.h"
#include "tests/support/moved_clock.h"
#include "updater/agent/agent.h"

struct agent_room {
    const char *dir;
    struct file_device file;
    struct log log;
    char *talk;
    size_t talk_len;
    char program[256];
    struct moved_clock clock; // of the device
    struct full_state state;  // of the device, from agent_room_open() on
    const char *full_for;     // what agent_room_open() begins it with
    struct device *device;
    struct agent *agent; // NULL: closed
};

// The source is the directory DIR/drop, reports go to DIR/reports, the socket is DIR/agent.sock.
// `extra` (NULL: none) is put behind the configuration. The script answers as it is told below.
void agent_room_make(struct agent_room *r, const char *dir, const char *extra);
void agent_room_clear(struct agent_room *r);
// Gives the device an id, for an agent that is opened then.
void agent_room_name(const struct agent_room *r, const char *id);

// What the script prints for "check --dry-run" and exits with; the release is named by its index.
void agent_room_offer(const struct agent_room *r, unsigned release_index);
void agent_room_offer_nothing(const struct agent_room *r);
// What is done while the source is asked: a line of shell.
void agent_room_poll_with(const struct agent_room *r, const char *line);
// What "install" does: a line of shell.
void agent_room_install(const struct agent_room *r, const char *line);
// How often the script was run for a verb.
unsigned agent_room_runs(const struct agent_room *r, const char *verb);
// Waits until that many have counted themselves. What is stopped before may not hear of it: under
// valgrind a signal between fork() and exec() is lost.
void agent_room_await_run(const struct agent_room *r, const char *verb, unsigned runs);

// Whether `part` is in the command line of the last of them.
bool agent_room_words_have(const struct agent_room *r, const char *verb, const char *part);

void agent_room_open(struct agent_room *r);
void agent_room_close(struct agent_room *r);
// Turns of the loop until `condition`; those that do not come end the test.
void agent_room_until(struct agent_room *r, bool (*condition)(const struct agent_room *r));
// The wall clock shows `wall_s`, and the agent is told.
void agent_room_set_clock(struct agent_room *r, uint64_t wall_s);
// What it shows.
uint64_t agent_room_wall_s(const struct agent_room *r);
// How many lines of the log have `part`.
unsigned agent_room_said(struct agent_room *r, const char *part);
// A request as a client of uid 0; the answer (NULL: none) is the caller's.
enum err agent_room_ask(struct agent_room *r, const char *request, json_t **ret, struct error *e);
const char *agent_room_talk(struct agent_room *r);

#endif
