// SPDX-License-Identifier: Apache-2.0
// vv-bootsim: one power-on without a board. Does with a boot environment what the U-Boot scripts
// do, through libubootenv, and says which slot runs; so updates can be tried from end to end on
// plain files.
#include "base/parse.h"
#include "base/version.h"
#include "bootloader/boot_defaults.h"
#include "bootloader/boot_model.h"
#include "bootloader/bootenv_uboot.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_NOTHING_BOOTS = 1, NAME_SIZE = NAME_MAX_LEN + 1 };

struct options {
    const char *env_config;
    const char *cmdline_file;
    struct boot_setup setup;
    int slot_count;
    const char *unbootable[SLOT_COUNT];
    int unbootable_count;
    bool cannot_start[SLOT_COUNT];
    bool say_resets;
    enum { POWER_ON, SAY_HELP, SAY_VERSION } what;
    char default_bootnames[SLOT_COUNT][NAME_SIZE];
};

static const char usage[] =
    "usage: vv-bootsim -e FW_ENV_CONFIG [OPTION]...\n"
    "\n"
    "One power-on: reads the boot environment as the U-Boot scripts do, counts the boot,\n"
    "prints \"slot=NAME\" and exits 0; exits 1 and says why when nothing is bootable.\n"
    "\n"
    "  -e, --env-config FILE             where the environment lies (fw_env.config)\n"
    "  -o, --output FILE                 write the kernel command line there\n"
    "      --contract order|bootcount    which variables are used (default order)\n"
    "      --slot-var NAME               slot variable of bootcount (default rpipart)\n"
    "      --slot NAME=BOOTNAME,BOOTVALUE  a slot; twice (default a=A,2 and b=B,3)\n"
    "      --attempts N                  boots of a trial, 1 to 9 (default 3)\n"
    "      --unbootable NAME             this slot cannot be started; once or twice\n"
    "      --resets                      print \"resets=N\" too: of the script, on the way\n"
    "  -h, --help                        this text\n"
    "      --version                     the version\n";

// "a=A,2", cut in place.
static bool parse_slot(char *text, struct boot_slot *ret)
{
    char *name = strsep(&text, "=");
    char *bootname = strsep(&text, ",");
    char *bootvalue = text;
    if (bootname == NULL || bootvalue == NULL || !is_name(name) || !is_name(bootname) ||
        !is_name(bootvalue)) {
        return false;
    }
    *ret = (struct boot_slot){.name = name, .bootname = bootname, .bootvalue = bootvalue};
    return true;
}

static enum err add_slot(struct options *o, char *text, struct error *e)
{
    if (o->slot_count == SLOT_COUNT) {
        return fail(e, ERR_USAGE, 0, "--slot is given more than twice");
    }
    if (!parse_slot(text, &o->setup.slots[o->slot_count])) {
        return fail(e, ERR_USAGE, 0, "--slot wants NAME=BOOTNAME,BOOTVALUE, such as a=A,2");
    }
    o->slot_count++;
    return OK;
}

static enum err add_unbootable(struct options *o, const char *name, struct error *e)
{
    if (o->unbootable_count == SLOT_COUNT) {
        return fail(e, ERR_USAGE, 0, "--unbootable is given more than twice");
    }
    o->unbootable[o->unbootable_count++] = name;
    return OK;
}

static enum err set_contract(struct options *o, const char *text, struct error *e)
{
    if (strcmp(text, "order") == 0) {
        o->setup.contract = CONTRACT_ORDER;
    } else if (strcmp(text, "bootcount") == 0) {
        o->setup.contract = CONTRACT_BOOTCOUNT;
    } else {
        return fail(e, ERR_USAGE, 0, "--contract is order or bootcount, not %s", text);
    }
    return OK;
}

static enum err set_attempts(struct options *o, const char *text, struct error *e)
{
    uint64_t n;
    if (!parse_u64(text, &n) || n < 1 || n > ATTEMPTS_MAX) {
        return fail(e, ERR_USAGE, 0, "--attempts is a number from 1 to %d, not %s", ATTEMPTS_MAX,
                    text);
    }
    o->setup.attempts = (unsigned)n;
    return OK;
}

// Names become slots when all options were read: --slot may stand behind.
static enum err find_unbootable(struct options *o, struct error *e)
{
    for (int i = 0; i < o->unbootable_count; i++) {
        bool known = false;
        for (int slot = 0; slot < SLOT_COUNT; slot++) {
            if (strcmp(o->setup.slots[slot].name, o->unbootable[i]) == 0) {
                o->cannot_start[slot] = known = true;
            }
        }
        if (!known) {
            return fail(e, ERR_USAGE, 0, "--unbootable %s: there is no such slot",
                        o->unbootable[i]);
        }
    }
    return OK;
}

// What the options left open.
static enum err complete(struct options *o, struct error *e)
{
    static const char *const names[SLOT_COUNT] = {"a", "b"};
    if (o->env_config == NULL) {
        return fail(e, ERR_USAGE, 0, "-e FW_ENV_CONFIG is missing");
    }
    if (o->slot_count == 1) {
        return fail(e, ERR_USAGE, 0, "--slot is given once; two slots are needed");
    }
    for (int i = 0; i < SLOT_COUNT && o->slot_count == 0; i++) {
        boot_default_bootname(names[i], o->default_bootnames[i], NAME_SIZE);
        o->setup.slots[i] = (struct boot_slot){.name = names[i],
                                               .bootname = o->default_bootnames[i],
                                               .bootvalue = boot_default_bootvalue(i)};
    }
    return find_unbootable(o, e);
}

static enum err parse_options(int argc, char **argv, struct options *o, struct error *e)
{
    enum { CONTRACT = 256, SLOT_VAR, SLOT, ATTEMPTS, UNBOOTABLE, RESETS, VERSION };
    static const struct option table[] = {
        {"env-config", required_argument, NULL, 'e'},
        {"output", required_argument, NULL, 'o'},
        {"contract", required_argument, NULL, CONTRACT},
        {"slot-var", required_argument, NULL, SLOT_VAR},
        {"slot", required_argument, NULL, SLOT},
        {"attempts", required_argument, NULL, ATTEMPTS},
        {"unbootable", required_argument, NULL, UNBOOTABLE},
        {"resets", no_argument, NULL, RESETS},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, VERSION},
        {0},
    };
    enum err r = OK;
    int c;
    while (r == OK && (c = getopt_long(argc, argv, "e:o:h", table, NULL)) != -1) {
        if (c == 'e') {
            o->env_config = optarg;
        } else if (c == 'o') {
            o->cmdline_file = optarg;
        } else if (c == CONTRACT) {
            r = set_contract(o, optarg, e);
        } else if (c == SLOT_VAR) {
            o->setup.slot_var = optarg;
        } else if (c == SLOT) {
            r = add_slot(o, optarg, e);
        } else if (c == ATTEMPTS) {
            r = set_attempts(o, optarg, e);
        } else if (c == UNBOOTABLE) {
            r = add_unbootable(o, optarg, e);
        } else if (c == RESETS) {
            o->say_resets = true;
        } else if (c == 'h' || c == VERSION) {
            o->what = c == 'h' ? SAY_HELP : SAY_VERSION;
            return OK;
        } else {
            return fail(e, ERR_USAGE, 0, "try vv-bootsim --help");
        }
    }
    if (r == OK && optind < argc) {
        r = fail(e, ERR_USAGE, 0, "%s: vv-bootsim takes options only", argv[optind]);
    }
    return r != OK ? r : complete(o, e);
}

static enum err write_cmdline(const char *path, const char *cmdline, struct error *e)
{
    CLEANUP(cleanup_fclose) FILE *out = fopen(path, "we");
    if (out == NULL) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    fprintf(out, "%s\n", cmdline);
    FILE *done = TAKE_PTR(out);
    if (fclose(done) != 0) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    return OK;
}

static bool can_start(void *context, int slot)
{
    const struct options *o = context;
    return !o->cannot_start[slot];
}

static enum err power_on(struct options *o, struct boot_outcome *ret, struct error *e)
{
    CLEANUP(cleanup_bootenv) struct bootenv *env = NULL;
    // A machine that boots runs no other program of ours, so there is no lock of ours to take.
    enum err r = bootenv_uboot_open(o->env_config, NULL, BOOT_DEFAULT_LOCK_WAIT_MS, &env, e);
    if (r != OK) {
        return r;
    }
    r = boot_model_run(&o->setup, env, can_start, o, ret, e);
    if (r == ERR_IO && env->copies_good == 0) {
        return error_context(e, "U-Boot would start with its built-in environment here");
    }
    return r;
}

int main(int argc, char **argv)
{
    struct options o = {
        .setup = {.contract = CONTRACT_ORDER,
                  .slot_var = BOOT_DEFAULT_SLOT_VAR,
                  .attempts = BOOT_DEFAULT_ATTEMPTS},
    };
    struct error e = {0};
    if (parse_options(argc, argv, &o, &e) != OK) {
        fprintf(stderr, "vv-bootsim: %s\n", e.msg);
        return ERR_USAGE;
    }
    if (o.what == SAY_HELP) {
        fputs(usage, stdout);
        return 0;
    }
    if (o.what == SAY_VERSION) {
        printf("vv-bootsim %s\n", vv_version);
        return 0;
    }
    struct boot_outcome outcome;
    enum err r = power_on(&o, &outcome, &e);
    if (r == OK && o.say_resets) {
        printf("resets=%u\n", outcome.resets);
    }
    if (r == OK && outcome.slot == SLOT_NONE) {
        r = fail(&e, ERR_IO, 0, "nothing boots: %s", outcome.reason);
    }
    if (r == OK && o.cmdline_file != NULL) {
        r = write_cmdline(o.cmdline_file, outcome.cmdline, &e);
    }
    if (r != OK) {
        fprintf(stderr, "vv-bootsim: %s\n", e.msg);
        return r == ERR_CONFIG ? ERR_CONFIG : EXIT_NOTHING_BOOTS;
    }
    printf("slot=%s\n", o.setup.slots[outcome.slot].name);
    return fflush(stdout) == 0 ? 0 : EXIT_NOTHING_BOOTS;
}
