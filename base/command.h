// SPDX-License-Identifier: Apache-2.0
// A program as a table of commands: finds the verb, parses its options, prints help.
//
// Invariants
// 1. A verb or option that is not in the table is ERR_USAGE with one sentence that names it.
// 2. `--help` prints to stdout and exits 0, for the program and for each verb.
// 3. Options may stand before or after positional arguments; `--` ends them.
#ifndef BASE_COMMAND_H
#define BASE_COMMAND_H

#include "base/error.h"

#include <stddef.h>
#include <stdio.h>

enum { COMMAND_MAX_VALUES = 64 };

struct option_spec {
    const char *name;  // "partition" for --partition
    char letter;       // 'o' for -o, or 0
    const char *value; // "NAME=FILE": takes a value of this meaning; NULL: a switch
    const char *help;
    bool repeatable;
    bool required;
};

struct parsed;

struct command {
    const char *name;
    const char *args; // "URL|FILE": positional arguments for the usage line; "" for none
    size_t min_args, max_args;
    const char *help;                  // one line
    const struct option_spec *options; // ends with a NULL name; may be NULL
    MUST_CHECK enum err (*run)(void *context, const struct parsed *args, struct error *e);
};

struct program {
    const char *name;
    const char *summary;
    const char *version;
    const struct option_spec *options; // before the verb, and after it too
    const struct command *commands;    // ends with a NULL name
};

// Values of one invocation. Strings point into argv.
struct parsed {
    const struct program *program;
    const struct command *command;
    size_t arg_count;
    const char *args[COMMAND_MAX_VALUES];
    size_t value_count;
    struct {
        const struct option_spec *spec;
        const char *value; // "" for a switch
    } values[COMMAND_MAX_VALUES];
    bool help; // help was asked for and printed; nothing is to be run
};

// Fills `ret`. On `--help`/`--version` prints to `out` and sets ret->help.
MUST_CHECK enum err command_parse(const struct program *p, int argc, char **argv, FILE *out,
                                  struct parsed *ret, struct error *e);

// The value of an option, "" for a given switch, NULL when not given. `n` counts repetitions.
const char *parsed_option(const struct parsed *p, const char *name);
const char *parsed_option_nth(const struct parsed *p, const char *name, size_t n);

#endif
