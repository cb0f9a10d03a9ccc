// SPDX-License-Identifier: Apache-2.0
// Runs a verb of this program in a process of its own, with --json: what the agent does is what the
// command line does, and its memory is gone afterwards.
//
// Invariants
// 1. One at a time. It ends with the agent, however that ends (PR_SET_PDEATHSIG). SIGHUP, SIGINT
//    and SIGTERM are not blocked in it.
// 2. What it prints is bounded: a line of its talk or an answer that is longer than VERB_CHILD_MAX
//    is dropped, and the process goes on.
// 3. Its end is told once, after all that it printed.
// 4. One that has a limit is killed when its time is over. If it cannot be ended even so (it waits
//    for a dead disk), its end is told all the same, and no other one is started until it is gone.
#ifndef UPDATER_AGENT_VERB_CHILD_H
#define UPDATER_AGENT_VERB_CHILD_H

#include "base/json.h"
#include "updater/agent/loop.h"

enum { VERB_CHILD_MAX = 16 * 1024, VERB_CHILD_WORDS = 12 };

struct verb_program {
    const char *path;   // of the program: "/proc/self/exe"
    const char *config; // for -c; NULL: the standard files
};

// How it ended: the exit status as an error code, and its sentence where it is not OK.
struct verb_end {
    struct error error;
    const json_t *answer; // the object it printed; NULL: none
};

struct verb_child {
    struct loop *loop;
    // One event of its talk: {"event":"progress",...}, {"event":"log",...}. May be NULL.
    void (*event)(void *ctx, const json_t *event);
    // It may start the next one.
    void (*ended)(void *ctx, const struct verb_end *end);
    void *ctx;
    // Of verb_child.c.
    struct loop_child child;
    struct verb_stream {
        struct loop_fd watch;
        char *line; // VERB_CHILD_MAX bytes while it runs
        size_t len;
        bool skips; // the rest of a line that was too long
    } out, talk;
    const char *verb; // borrowed
    struct loop_deadline limit;
    uint64_t limit_ms;
    bool runs;
    bool stopped;
    bool late;  // its time is over
    bool hangs; // its end was told, and it is not gone yet
    int status;
};

// Members before "Of verb_child.c" are set. `words`: verb and its arguments, ends with NULL;
// the verb outlives the process. `input`: the line that it reads on standard input, for what is in
// no process list; NULL: none. ERR_AGAIN: the last one cannot be ended.
MUST_CHECK enum err verb_child_start(struct verb_child *c, const struct verb_program *program,
                                     const char *const *words, const char *input, struct error *e);
bool verb_child_runs(const struct verb_child *c);
// One that runs may take so long from now on. Its end is told then with ERR_AGAIN.
void verb_child_limit(struct verb_child *c, uint64_t limit_ms);
// Asks it to end (SIGTERM): its end is told as ever, with ERR_AGAIN.
void verb_child_stop(struct verb_child *c);
// For good: kills it, and nothing is told. One that cannot be ended is not waited for.
void verb_child_close(struct verb_child *c);

#endif
