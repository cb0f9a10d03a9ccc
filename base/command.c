// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"

#include "base/cleanup.h"

#include <string.h>

// Built in, invariant 2.
static const struct option_spec built_in[] = {
    {.name = "help", .letter = 'h', .help = "print this help"},
    {.name = "version", .help = "print the version"},
    {0},
};

// One walk over argv.
struct walk {
    const struct program *program;
    int argc;
    char **argv;
    int next;
    bool options_ended; // "--" was seen
    FILE *out;
    struct parsed *parsed;
};

// "vv-update" or "vv-update install": the start of each sentence and what --help is asked of.
static const char *who(const struct parsed *r, char *buf, size_t len)
{
    snprintf(buf, len, "%s%s%s", r->program->name, r->command != NULL ? " " : "",
             r->command != NULL ? r->command->name : "");
    return buf;
}

static enum err PRINTF_LIKE(3, 4)
    fail_usage(struct error *e, const struct parsed *r, const char *fmt, ...)
{
    char why[256];
    char name[96];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return fail(e, ERR_USAGE, 0, "%s; see '%s --help'", why, who(r, name, sizeof name));
}

static void usage_of_command(const struct program *p, const struct command *c, char *buf,
                             size_t len)
{
    snprintf(buf, len, "usage: %s %s [OPTION]...%s%s", p->name, c->name,
             c->args[0] != '\0' ? " " : "", c->args);
}

// "  -o, --output FILE", "      --json": returns its length.
static size_t option_label(const struct option_spec *o, char *buf, size_t len)
{
    char letter[8] = "    ";
    if (o->letter != '\0') {
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    }
    snprintf(buf, len, "  %s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
             o->value != NULL ? o->value : "");
    return strlen(buf);
}

static size_t widest_option(const struct option_spec *o, size_t width)
{
    char label[96];
    for (; o != NULL && o->name != NULL; o++) {
        size_t len = option_label(o, label, sizeof label);
        width = len > width ? len : width;
    }
    return width;
}

// By name of `len` bytes, or by letter when `name` is NULL.
static const struct option_spec *find_in(const struct option_spec *o, const char *name, size_t len,
                                         char letter)
{
    for (; o != NULL && o->name != NULL; o++) {
        if (name == NULL ? o->letter == letter
                         : strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

// Without those that a verb's `own` options of the same name hide.
static void print_options(FILE *out, const struct option_spec *o, const struct option_spec *own,
                          size_t width)
{
    char label[96];
    for (; o != NULL && o->name != NULL; o++) {
        const struct option_spec *shown = find_in(own, o->name, strlen(o->name), '\0');
        if (shown != NULL && shown != o) {
            continue;
        }
        option_label(o, label, sizeof label);
        fprintf(out, "%-*s  %s%s%s\n", (int)width, label, o->help, o->required ? " (required)" : "",
                o->repeatable ? " (may be repeated)" : "");
    }
}

static void print_all_options(FILE *out, const struct program *p, const struct option_spec *own)
{
    size_t width = widest_option(own, widest_option(p->options, widest_option(built_in, 0)));
    fprintf(out, "\noptions:\n");
    print_options(out, own, own, width);
    print_options(out, p->options, own, width);
    print_options(out, built_in, own, width);
}

static void print_command_help(FILE *out, const struct program *p, const struct command *c)
{
    char usage[256];
    usage_of_command(p, c, usage, sizeof usage);
    fprintf(out, "%s\n\n%s\n", usage, c->help);
    print_all_options(out, p, c->options);
}

static void print_program_help(FILE *out, const struct program *p)
{
    fprintf(out, "usage: %s [OPTION]... COMMAND [ARGUMENT]...\n\n%s\n\ncommands:\n", p->name,
            p->summary);
    size_t width = 0;
    for (const struct command *c = p->commands; c->name != NULL; c++) {
        width = strlen(c->name) > width ? strlen(c->name) : width;
    }
    for (const struct command *c = p->commands; c->name != NULL; c++) {
        fprintf(out, "  %-*s  %s\n", (int)width, c->name, c->help);
    }
    print_all_options(out, p, NULL);
    fprintf(out, "\n'%s COMMAND --help' tells more about one command.\n", p->name);
}

static enum err print_built_in(struct walk *w, const struct option_spec *o, struct error *e)
{
    const struct parsed *r = w->parsed;
    if (strcmp(o->name, "version") == 0) {
        fprintf(w->out, "%s %s\n", w->program->name, w->program->version);
    } else if (r->command != NULL) {
        print_command_help(w->out, w->program, r->command);
    } else {
        print_program_help(w->out, w->program);
    }
    if (fflush(w->out) != 0) {
        return fail(e, ERR_IO, errno, "print the help");
    }
    w->parsed->help = true;
    return OK;
}

static const struct option_spec *find_option(const struct walk *w, const char *name, size_t len,
                                             char letter)
{
    const struct command *c = w->parsed->command;
    const struct option_spec *o = find_in(c != NULL ? c->options : NULL, name, len, letter);
    if (o == NULL) {
        o = find_in(w->program->options, name, len, letter);
    }
    return o != NULL ? o : find_in(built_in, name, len, letter);
}

static bool is_built_in(const struct option_spec *o)
{
    return o == &built_in[0] || o == &built_in[1];
}

static enum err add_value(struct walk *w, const struct option_spec *o, const char *value,
                          struct error *e)
{
    struct parsed *r = w->parsed;
    if (!o->repeatable && parsed_option(r, o->name) != NULL) {
        return fail_usage(e, r, "option --%s is given twice", o->name);
    }
    if (r->value_count == COMMAND_MAX_VALUES) {
        return fail_usage(e, r, "more than %d options", COMMAND_MAX_VALUES);
    }
    r->values[r->value_count].spec = o;
    r->values[r->value_count].value = value;
    r->value_count++;
    return OK;
}

// `attached` is what stands in the same argument, behind '=' or the letter; NULL for nothing.
static enum err take_option(struct walk *w, const struct option_spec *o, const char *attached,
                            struct error *e)
{
    if (o->value == NULL && attached != NULL) {
        return fail_usage(e, w->parsed, "option --%s takes no value", o->name);
    }
    if (is_built_in(o)) {
        return print_built_in(w, o, e);
    }
    if (o->value == NULL) {
        return add_value(w, o, "", e);
    }
    if (attached == NULL && w->next == w->argc) {
        return fail_usage(e, w->parsed, "option --%s needs a value (%s)", o->name, o->value);
    }
    return add_value(w, o, attached != NULL ? attached : w->argv[w->next++], e);
}

static enum err take_long(struct walk *w, const char *arg, struct error *e)
{
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const struct option_spec *o = find_option(w, name, len, '\0');
    if (o == NULL) {
        return fail_usage(e, w->parsed, "unknown option --%.*s", (int)len, name);
    }
    return take_option(w, o, name[len] == '=' ? name + len + 1 : NULL, e);
}

static enum err take_short(struct walk *w, const char *arg, struct error *e)
{
    const struct option_spec *o = find_option(w, NULL, 0, arg[1]);
    if (o == NULL) {
        return fail_usage(e, w->parsed, "unknown option -%c", arg[1]);
    }
    return take_option(w, o, arg[2] != '\0' ? arg + 2 : NULL, e);
}

static enum err take_positional(struct walk *w, const char *arg, struct error *e)
{
    struct parsed *r = w->parsed;
    if (r->command == NULL) {
        for (const struct command *c = w->program->commands; c->name != NULL; c++) {
            if (strcmp(c->name, arg) == 0) {
                r->command = c;
                return OK;
            }
        }
        return fail_usage(e, r, "unknown command '%s'", arg);
    }
    if (r->arg_count == COMMAND_MAX_VALUES || r->arg_count == r->command->max_args) {
        char usage[256];
        usage_of_command(w->program, r->command, usage, sizeof usage);
        return fail(e, ERR_USAGE, 0, "%s: unexpected argument '%s'; %s", r->command->name, arg,
                    usage);
    }
    r->args[r->arg_count++] = arg;
    return OK;
}

static enum err take_next(struct walk *w, struct error *e)
{
    const char *arg = w->argv[w->next++];
    // "-" alone is an argument: by custom, standard input or output.
    if (w->options_ended || arg[0] != '-' || arg[1] == '\0') {
        return take_positional(w, arg, e);
    }
    if (strcmp(arg, "--") == 0) {
        w->options_ended = true;
        return OK;
    }
    return arg[1] == '-' ? take_long(w, arg, e) : take_short(w, arg, e);
}

static enum err check_required(const struct parsed *r, const struct option_spec *o, struct error *e)
{
    for (; o != NULL && o->name != NULL; o++) {
        if (o->required && parsed_option(r, o->name) == NULL) {
            return fail_usage(e, r, "option --%s is required", o->name);
        }
    }
    return OK;
}

static enum err check_complete(const struct parsed *r, struct error *e)
{
    if (r->command == NULL) {
        return fail_usage(e, r, "no command given");
    }
    if (r->arg_count < r->command->min_args) {
        char usage[256];
        usage_of_command(r->program, r->command, usage, sizeof usage);
        return fail(e, ERR_USAGE, 0, "%s: an argument is missing; %s", r->command->name, usage);
    }
    enum err err = check_required(r, r->program->options, e);
    if (err != OK) {
        return err;
    }
    return check_required(r, r->command->options, e);
}

enum err command_parse(const struct program *p, int argc, char **argv, FILE *out,
                       struct parsed *ret, struct error *e)
{
    struct parsed r = {.program = p};
    struct walk w = {.program = p, .argc = argc, .argv = argv, .next = 1, .out = out, .parsed = &r};
    while (w.next < argc && !r.help) {
        enum err err = take_next(&w, e);
        if (err != OK) {
            return err;
        }
    }
    if (!r.help) {
        enum err err = check_complete(&r, e);
        if (err != OK) {
            return err;
        }
    }
    *ret = r;
    return OK;
}

const char *parsed_option(const struct parsed *p, const char *name)
{
    return parsed_option_nth(p, name, 0);
}

const char *parsed_option_nth(const struct parsed *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->value_count; i++) {
        if (strcmp(p->values[i].spec->name, name) == 0 && n-- == 0) {
            return p->values[i].value;
        }
    }
    return NULL;
}
