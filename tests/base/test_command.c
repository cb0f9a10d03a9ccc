// SPDX-License-Identifier: Apache-2.0
#include "base/command.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"

static enum err run_nothing(void *context, const struct parsed *args, struct error *e)
{
    (void)context;
    (void)args;
    (void)e;
    return OK;
}

static const struct option_spec program_options[] = {
    {.name = "config", .letter = 'c', .value = "FILE", .help = "read FILE"},
    {.name = "json", .help = "print JSON"},
    {0},
};

static const struct option_spec build_options[] = {
    {.name = "output", .letter = 'o', .value = "FILE", .help = "write FILE", .required = true},
    {.name = "partition",
     .letter = 'p',
     .value = "NAME=FILE",
     .help = "add a partition",
     .repeatable = true},
    {.name = "force", .letter = 'f', .help = "overwrite"},
    {0},
};

static const struct command commands[] = {
    {.name = "install",
     .args = "URL|FILE",
     .min_args = 1,
     .max_args = 1,
     .help = "install an image",
     .run = run_nothing},
    {.name = "build",
     .args = "[PART]...",
     .max_args = 1000,
     .help = "build an image",
     .options = build_options,
     .run = run_nothing},
    {.name = "status", .args = "", .help = "say what is", .run = run_nothing},
    {0},
};

static const struct program program = {
    .name = "vv-update",
    .summary = "Installs images.",
    .version = "1.2.3",
    .options = program_options,
    .commands = commands,
};

// What one command line gives: `argv` holds copies, because parsing takes no const strings.
struct line {
    char text[8192];
    char *argv[256];
    int argc;
    struct parsed parsed;
    struct error e;
    char *out;
    size_t out_len;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct line));
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct line *l = *state;
    free(l->out);
    free(l);
    return 0;
}

// Splits at blanks; '_' stands for an empty argument.
static enum err parse(struct line *l, const char *text)
{
    free(l->out);
    l->out = NULL;
    l->argc = 0;
    static char name[] = "vv-update";
    static char empty[] = "";
    l->argv[l->argc++] = name;
    snprintf(l->text, sizeof l->text, "%s", text);
    char *rest = NULL;
    for (char *w = strtok_r(l->text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        l->argv[l->argc++] = strcmp(w, "_") == 0 ? empty : w;
    }
    l->argv[l->argc] = NULL;
    CLEANUP(cleanup_fclose) FILE *out = open_memstream(&l->out, &l->out_len);
    assert_non_null(out);
    l->e = (struct error){0};
    return command_parse(&program, l->argc, l->argv, out, &l->parsed, &l->e);
}

static void accept(struct line *l, const char *text)
{
    if (parse(l, text) != OK) {
        fail_msg("expected success of '%s', got: %s", text, l->e.msg);
    }
    assert_false(l->parsed.help);
    assert_string_equal(l->out, "");
}

static void refuse(struct line *l, const char *text, const char *why)
{
    if (parse(l, text) == OK) {
        fail_msg("expected a refusal of '%s'", text);
    }
    assert_int_equal(l->e.code, ERR_USAGE);
    assert_string_equal(l->e.msg, why);
    assert_string_equal(l->out, "");
}

static void a_verb_and_its_arguments_are_found(void **state)
{
    struct line *l = *state;
    accept(l, "install a.vvi");
    assert_ptr_equal(l->parsed.program, &program);
    assert_ptr_equal(l->parsed.command, &commands[0]);
    assert_int_equal(l->parsed.arg_count, 1);
    assert_string_equal(l->parsed.args[0], "a.vvi");
    assert_null(parsed_option(&l->parsed, "json"));
    assert_null(parsed_option(&l->parsed, "config"));
}

static void a_program_option_stands_before_or_after_the_verb(void **state)
{
    struct line *l = *state;
    static const char *const lines[] = {
        "--json -c x install a.vvi", "install --json a.vvi --config x",
        "-c x install a.vvi --json", "install --config=x --json a.vvi",
        "-cx install --json a.vvi",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        accept(l, lines[i]);
        assert_string_equal(parsed_option(&l->parsed, "config"), "x");
        assert_string_equal(parsed_option(&l->parsed, "json"), "");
        assert_string_equal(l->parsed.args[0], "a.vvi");
    }
}

static void a_value_is_written_in_four_ways(void **state)
{
    struct line *l = *state;
    static const char *const lines[] = {"build --output a=b", "build --output=a=b", "build -o a=b",
                                        "build -oa=b"};
    for (size_t i = 0; i < 4; i++) {
        accept(l, lines[i]);
        assert_string_equal(parsed_option(&l->parsed, "output"), "a=b");
    }
}

static void a_value_may_be_empty_or_look_like_an_option(void **state)
{
    struct line *l = *state;
    accept(l, "build --output=");
    assert_string_equal(parsed_option(&l->parsed, "output"), "");
    accept(l, "build --output _");
    assert_string_equal(parsed_option(&l->parsed, "output"), "");
    accept(l, "build -o --force");
    assert_string_equal(parsed_option(&l->parsed, "output"), "--force");
    assert_null(parsed_option(&l->parsed, "force"));
}

static void repetitions_are_counted_in_their_order(void **state)
{
    struct line *l = *state;
    accept(l, "build -p a=1 -o out --partition=b=2 -pc=3");
    assert_string_equal(parsed_option(&l->parsed, "partition"), "a=1");
    assert_string_equal(parsed_option_nth(&l->parsed, "partition", 1), "b=2");
    assert_string_equal(parsed_option_nth(&l->parsed, "partition", 2), "c=3");
    assert_null(parsed_option_nth(&l->parsed, "partition", 3));
    assert_null(parsed_option_nth(&l->parsed, "output", 1));
}

static void two_dashes_end_the_options(void **state)
{
    struct line *l = *state;
    accept(l, "install -- --json");
    assert_string_equal(l->parsed.args[0], "--json");
    assert_null(parsed_option(&l->parsed, "json"));
    accept(l, "-- status");
    assert_ptr_equal(l->parsed.command, &commands[2]);
    accept(l, "install -- --");
    assert_string_equal(l->parsed.args[0], "--");
}

static void one_dash_and_an_empty_text_are_arguments(void **state)
{
    struct line *l = *state;
    accept(l, "install -");
    assert_string_equal(l->parsed.args[0], "-");
    accept(l, "install _");
    assert_string_equal(l->parsed.args[0], "");
}

static void an_unknown_verb_is_named(void **state)
{
    refuse(*state, "instal a.vvi", "unknown command 'instal'; see 'vv-update --help'");
    refuse(*state, "_", "unknown command ''; see 'vv-update --help'");
}

static void no_verb_is_refused(void **state)
{
    refuse(*state, "", "no command given; see 'vv-update --help'");
    refuse(*state, "--json", "no command given; see 'vv-update --help'");
}

static void an_unknown_option_is_named(void **state)
{
    struct line *l = *state;
    refuse(l, "install --jsn a", "unknown option --jsn; see 'vv-update install --help'");
    refuse(l, "install --jso a", "unknown option --jso; see 'vv-update install --help'");
    refuse(l, "install --jsonx=1 a", "unknown option --jsonx; see 'vv-update install --help'");
    refuse(l, "install -x a", "unknown option -x; see 'vv-update install --help'");
    refuse(l, "--bad install a", "unknown option --bad; see 'vv-update --help'");
    refuse(l, "install --= a", "unknown option --; see 'vv-update install --help'");
}

static void an_option_of_a_verb_is_unknown_before_it_and_to_others(void **state)
{
    refuse(*state, "--force build -o x", "unknown option --force; see 'vv-update --help'");
    refuse(*state, "install --force a", "unknown option --force; see 'vv-update install --help'");
}

static void a_missing_value_is_refused(void **state)
{
    refuse(*state, "build --output",
           "option --output needs a value (FILE); see 'vv-update build --help'");
    refuse(*state, "build -o",
           "option --output needs a value (FILE); see 'vv-update build --help'");
    refuse(*state, "-c", "option --config needs a value (FILE); see 'vv-update --help'");
}

static void a_value_for_a_switch_is_refused(void **state)
{
    refuse(*state, "status --json=yes",
           "option --json takes no value; see 'vv-update status --help'");
    refuse(*state, "build -o x -fx", "option --force takes no value; see 'vv-update build --help'");
    refuse(*state, "--help=x", "option --help takes no value; see 'vv-update --help'");
}

static void an_option_given_twice_is_refused(void **state)
{
    refuse(*state, "build -o a -o b",
           "option --output is given twice; see 'vv-update build --help'");
    refuse(*state, "--json status --json",
           "option --json is given twice; see 'vv-update status --help'");
}

static void a_required_option_is_named_when_missing(void **state)
{
    refuse(*state, "build --force", "option --output is required; see 'vv-update build --help'");
}

static void too_few_or_many_arguments_show_the_usage(void **state)
{
    refuse(*state, "install",
           "install: an argument is missing; usage: vv-update install [OPTION]... URL|FILE");
    refuse(*state, "install a b",
           "install: unexpected argument 'b'; usage: vv-update install [OPTION]... URL|FILE");
    refuse(*state, "status a",
           "status: unexpected argument 'a'; usage: vv-update status [OPTION]...");
}

static void more_than_64_arguments_or_options_are_refused(void **state)
{
    struct line *l = *state;
    char args[1024] = "build -o x";
    char options[1024] = "build -o x";
    for (int i = 0; i < COMMAND_MAX_VALUES - 1; i++) {
        strcat(args, " y");
        strcat(options, " -p z");
    }
    strcat(args, " y");
    accept(l, args);
    assert_int_equal(l->parsed.arg_count, COMMAND_MAX_VALUES);
    accept(l, options);
    assert_int_equal(l->parsed.value_count, COMMAND_MAX_VALUES);
    strcat(args, " last");
    strcat(options, " -p last");
    refuse(l, args,
           "build: unexpected argument 'last'; usage: vv-update build [OPTION]... [PART]...");
    refuse(l, options, "more than 64 options; see 'vv-update build --help'");
}

static void help_of_the_program_lists_commands_and_options(void **state)
{
    struct line *l = *state;
    static const char *const lines[] = {"--help", "-h", "--json -h status", "-h --bad"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(parse(l, lines[i]), OK);
        assert_true(l->parsed.help);
        assert_string_equal(l->out, "usage: vv-update [OPTION]... COMMAND [ARGUMENT]...\n"
                                    "\n"
                                    "Installs images.\n"
                                    "\n"
                                    "commands:\n"
                                    "  install  install an image\n"
                                    "  build    build an image\n"
                                    "  status   say what is\n"
                                    "\n"
                                    "options:\n"
                                    "  -c, --config FILE  read FILE\n"
                                    "      --json         print JSON\n"
                                    "  -h, --help         print this help\n"
                                    "      --version      print the version\n"
                                    "\n"
                                    "'vv-update COMMAND --help' tells more about one command.\n");
    }
}

static void help_of_a_verb_needs_no_arguments(void **state)
{
    struct line *l = *state;
    assert_int_equal(parse(l, "build --help"), OK);
    assert_true(l->parsed.help);
    assert_ptr_equal(l->parsed.command, &commands[1]);
    assert_string_equal(l->out, "usage: vv-update build [OPTION]... [PART]...\n"
                                "\n"
                                "build an image\n"
                                "\n"
                                "options:\n"
                                "  -o, --output FILE          write FILE (required)\n"
                                "  -p, --partition NAME=FILE  add a partition (may be repeated)\n"
                                "  -f, --force                overwrite\n"
                                "  -c, --config FILE          read FILE\n"
                                "      --json                 print JSON\n"
                                "  -h, --help                 print this help\n"
                                "      --version              print the version\n");
    assert_int_equal(parse(l, "install -h"), OK);
    assert_contains(l->out, "usage: vv-update install [OPTION]... URL|FILE\n");
}

static void an_option_of_a_verb_hides_the_built_in_one_of_its_name(void **state)
{
    (void)state;
    static const struct option_spec own[] = {
        {.name = "version", .value = "TEXT", .help = "of what is built"}, {0}};
    static const struct command verbs[] = {{"make", "", 0, 0, "makes", own, NULL}, {0}};
    static const struct program p = {
        .name = "maker", .summary = "", .version = "0", .commands = verbs};
    char *argv[] = {(char[]){"maker"}, (char[]){"make"}, (char[]){"--help"}, NULL};
    char *text = NULL;
    size_t len = 0;
    struct parsed r;
    struct error e;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_ok(command_parse(&p, 3, argv, out, &r, &e));
    fclose(out);
    assert_contains(text, "--version TEXT  of what is built");
    assert_null(strstr(text, "print the version"));
    free(text);
}

static void the_version_is_printed(void **state)
{
    struct line *l = *state;
    assert_int_equal(parse(l, "--version"), OK);
    assert_true(l->parsed.help);
    assert_string_equal(l->out, "vv-update 1.2.3\n");
    assert_int_equal(parse(l, "status --version"), OK);
    assert_string_equal(l->out, "vv-update 1.2.3\n");
}

static void help_that_cannot_be_printed_is_an_error(void **state)
{
    (void)state;
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    struct error e;
    struct parsed parsed = {0};
    char name[] = "vv-update";
    char help[] = "--help";
    char *argv[] = {name, help, NULL};
    assert_fails(ERR_IO, "print the help", command_parse(&program, 2, argv, full, &parsed, &e));
    assert_null(parsed.program);
}

static void tables_without_options_are_allowed(void **state)
{
    (void)state;
    static const struct program bare = {
        .name = "bare", .summary = "", .version = "0", .commands = commands};
    struct error e;
    struct parsed parsed;
    char name[] = "bare";
    char verb[] = "status";
    char json[] = "--json";
    char *argv[] = {name, verb, json, NULL};
    assert_ok(command_parse(&bare, 2, argv, stdout, &parsed, &e));
    assert_ptr_equal(parsed.command, &commands[2]);
    assert_fails(ERR_USAGE, "unknown option --json",
                 command_parse(&bare, 3, argv, stdout, &parsed, &e));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_verb_and_its_arguments_are_found),
        T(a_program_option_stands_before_or_after_the_verb),
        T(a_value_is_written_in_four_ways),
        T(a_value_may_be_empty_or_look_like_an_option),
        T(repetitions_are_counted_in_their_order),
        T(two_dashes_end_the_options),
        T(one_dash_and_an_empty_text_are_arguments),
        T(an_unknown_verb_is_named),
        T(no_verb_is_refused),
        T(an_unknown_option_is_named),
        T(an_option_of_a_verb_is_unknown_before_it_and_to_others),
        T(a_missing_value_is_refused),
        T(a_value_for_a_switch_is_refused),
        T(an_option_given_twice_is_refused),
        T(a_required_option_is_named_when_missing),
        T(too_few_or_many_arguments_show_the_usage),
        T(more_than_64_arguments_or_options_are_refused),
        T(help_of_the_program_lists_commands_and_options),
        T(help_of_a_verb_needs_no_arguments),
        T(an_option_of_a_verb_hides_the_built_in_one_of_its_name),
        T(the_version_is_printed),
        cmocka_unit_test(help_that_cannot_be_printed_is_an_error),
        cmocka_unit_test(tables_without_options_are_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
