// SPDX-License-Identifier: Apache-2.0
// vv-update: installs, activates, confirms and rolls back the system of a device with two slots.
#include "base/version.h"
#include "updater/agent/ask.h"
#include "updater/agent/verbs.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

// Where libcurl was built with rtmp and ldap it brings GnuTLS along, which we never use: OpenSSL
// does TLS. It asks the program by this name whether to leave out setting itself up at the start
// (GNUTLS_SKIP_GLOBAL_INIT of gnutls.h), which takes 700 KiB of memory.
int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
    return 1;
}

static const struct option_spec common_options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "CONF",
     .help = "read CONF and CONF.d/*.conf instead of the standard files"},
    {.name = "json", .help = "print one JSON object on stdout, events as JSON lines on stderr"},
    {0},
};

static const struct option_spec install_options[] = {
    {.name = "dry-run", .letter = 'n', .help = "verify and plan; change nothing"},
    {.name = "no-activate", .help = "leave the next boot as it is; 'activate' comes later"},
    {.name = "manifest",
     .value = "HEX",
     .help = "only the release whose manifest has this SHA-256"},
    {.name = "again", .help = "begin anew an installation that was cut off too often"},
    {.name = "reboot", .help = "run [device] reboot_command when the new slot boots next"},
    {0},
};

static const struct option_spec reboot_options[] = {
    {.name = "reboot", .help = "run [device] reboot_command when the other slot boots next"},
    {0},
};

static const struct option_spec check_options[] = {
    {.name = "dry-run", .letter = 'n', .help = "ask the source here, and leave it at that"},
    {.name = "seen", .value = "TEXT", .help = "only for something else than had this 'seen'"},
    {0},
};

static const struct option_spec owner_options[] = {
    {.name = "owner", .value = "NAME", .help = "whose hold it is, instead of the caller's"},
    {0},
};

static const struct option_spec hold_options[] = {
    {.name = "for", .value = "TIME", .help = "how long; without it until it is released"},
    {.name = "phases", .value = "LIST", .help = "some of download, install, reboot; all without"},
    {.name = "owner", .value = "NAME", .help = "whose hold it is, instead of the caller's"},
    {.name = "lock", .help = "an application's lock: it ends after a day at the latest"},
    {0},
};

static const struct command commands[] = {
    {"install", "URL|FILE|-", 1, 1,
     "install an image into the other slot and boot it next, on trial", install_options,
     verb_install},
    {"activate", "", 0, 0, "boot the installed slot next, on trial", reboot_options, verb_activate},
    {"status", "", 0, 0, "show slots, versions, the last result and what happens next", NULL,
     verb_status},
    {"confirm", "", 0, 0, "keep the running trial if it is healthy, else reject it and reboot",
     NULL, verb_confirm},
    {"health", "", 0, 0, "run every health check once", NULL, verb_health},
    {"mark", "good|bad|active [SLOT]", 1, 2, "change what the boot loader does with a slot", NULL,
     verb_mark},
    {"rollback", "", 0, 0, "return to the other slot", reboot_options, verb_rollback},
    {"agent", "", 0, 0, "ask the configured source for updates and install them", NULL, verb_agent},
    {"check", "", 0, 0, "let the agent ask its source now", check_options, verb_check},
    {"cancel", "", 0, 0, "end the update that the agent is at, before the flip", NULL, verb_cancel},
    {"hold", "[REASON]", 0, 1, "keep the agent from updating", hold_options, verb_hold},
    {"release", "", 0, 0, "end a hold", owner_options, verb_release},
    {"consent", "", 0, 0, "let the update that waits for consent be installed", NULL, verb_consent},
    {"history", "", 0, 0, "show the last updates of the agent", NULL, verb_history},
    {"allow", "[all|VERSION|HASH]", 0, 1, "take releases again that failed here; list them", NULL,
     verb_allow},
    {"config", "", 0, 0, "show each effective value and where it comes from", NULL, verb_config},
    {0},
};

static const struct program program = {
    .name = "vv-update",
    .summary = "A/B system updates: verified, resumable, and back to the old slot when unhealthy.",
    .version = vv_version,
    .options = common_options,
    .commands = commands,
};

// Known before the command line was understood, so that a usage error is JSON too.
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

static enum err run(struct app *app, int argc, char **argv, struct error *e)
{
    struct parsed args;
    enum err err = command_parse(&program, argc, argv, app->out, &args, e);
    if (err == OK && !args.help) {
        err = args.command->run(app, &args, e);
    }
    if (err == OK && fflush(app->out) != 0) {
        return fail(e, ERR_IO, errno, "write to stdout");
    }
    return err;
}

int main(int argc, char **argv)
{
    // A closed pipe is an error of one write, not the end of an installation; records and locks
    // are nobody else's to read.
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    bool json = wants_json(argc, argv);
    struct app app = {
        .log = {.stream = stderr, .program = program.name, .json = json},
        .out = stdout,
        .in = stdin,
        .ask_agent = agent_ask_status,
    };
    struct error e = {0};
    enum err err = run(&app, argc, argv, &e);
    if (err != OK) {
        app_report_error(&app, json, &e);
    }
    return (int)err;
}
