// SPDX-License-Identifier: Apache-2.0
#include "updater/device.h"

#include "base/cpus.h"
#include "base/version.h"
#include "bootloader/boot_defaults.h"
#include "bootloader/bootenv_uboot.h"
#include "updater/deltas.h"
#include "updater/fill.h"
#include "updater/running_slot.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

// Between two looks at whether the reboot command has ended.
enum { REBOOT_LOOK_MS = 50 };

int other_slot(int slot)
{
    return SLOT_COUNT - 1 - slot;
}

uint64_t device_time_floor(const struct device *d)
{
    bool synchronised = false;
    uint64_t wall_s = d->clock->ops->wall_s(d->clock, &synchronised);
    uint64_t floor_s = vv_build_time_s;
    if (d->journal.time_floor_s > floor_s) {
        floor_s = d->journal.time_floor_s;
    }
    return synchronised && wall_s > floor_s ? wall_s : floor_s;
}

enum err device_load_trust(struct device *d, struct error *e)
{
    return d->trust != NULL ? OK : trust_store_load(d->config->trust_roots, &d->trust, e);
}

enum err device_trust(struct device *d, struct image_trust *ret, struct error *e)
{
    enum err err = device_load_trust(d, e);
    if (err == OK) {
        *ret = image_trust_with(d->trust, d->config->trust_signers, device_time_floor(d));
    }
    return err;
}

enum err device_record_result(struct device *d, enum journal_outcome outcome, int slot,
                              const struct release_id *release, const char *reason, struct error *e)
{
    bool synchronised;
    d->journal.last.outcome = outcome;
    d->journal.last.slot = slot;
    d->journal.last.release = release != NULL ? *release : (struct release_id){0};
    d->journal.last.time_s = d->clock->ops->wall_s(d->clock, &synchronised);
    snprintf(d->journal.last.reason, sizeof d->journal.last.reason, "%s",
             reason != NULL ? reason : "");
    return journal_save(d->state, &d->journal, e);
}

// The signals this program ignores must not stay ignored in what it starts. What it prints goes to
// standard error: the other one has our answer.
static enum err spawn_shell(const char *command, pid_t *ret_pid, struct error *e)
{
    char *argv[] = {strdup("sh"), strdup("-c"), strdup(command), NULL};
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    sigset_t defaults;
    pid_t pid = -1;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    // glibc's init functions cannot fail.
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawn_file_actions_init(&files);
    int sys = argv[0] == NULL || argv[1] == NULL || argv[2] == NULL
                  ? ENOMEM
                  : posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    if (sys == 0) {
        posix_spawnattr_setsigdefault(&attr, &defaults);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
        sys = posix_spawn(&pid, "/bin/sh", &files, &attr, argv, environ);
    }
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    for (size_t i = 0; i < 3; i++) {
        free(argv[i]);
    }
    if (sys != 0) {
        return fail(e, ERR_IO, sys, "reboot_command: start /bin/sh");
    }
    *ret_pid = pid;
    return OK;
}

static enum err wait_for_command(const struct device *d, pid_t pid, int *ret_status,
                                 struct error *e)
{
    const char *command = d->config->reboot_command;
    uint64_t end_ms = d->clock->ops->boottime_ms(d->clock) + DEVICE_REBOOT_WAIT_MS;
    for (;;) {
        pid_t done = waitpid(pid, ret_status, WNOHANG);
        if (done == pid) {
            return OK;
        }
        if (done < 0 && errno != EINTR) {
            return fail(e, ERR_IO, errno, "reboot_command: wait for '%s'", command);
        }
        if (d->clock->ops->boottime_ms(d->clock) >= end_ms) {
            return fail(e, ERR_IO, 0,
                        "the reboot command does not end: '%s' still runs after %d s and is left "
                        "running",
                        command, DEVICE_REBOOT_WAIT_MS / 1000);
        }
        d->clock->ops->sleep_ms(d->clock, REBOOT_LOOK_MS);
    }
}

static enum err run_reboot_command(struct device *d, struct error *e)
{
    const char *command = d->config->reboot_command;
    if (command[0] == '\0') {
        return OK;
    }
    pid_t pid = -1;
    enum err err = spawn_shell(command, &pid, e);
    if (err != OK) {
        return err;
    }
    int status = 0;
    err = wait_for_command(d, pid, &status, e);
    if (err != OK) {
        return err;
    }
    if (WIFSIGNALED(status)) {
        return fail(e, ERR_IO, 0, "reboot_command '%s' was ended by signal %d", command,
                    WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0) {
        return fail(e, ERR_IO, 0, "reboot_command '%s' failed with exit status %d", command,
                    WEXITSTATUS(status));
    }
    return OK;
}

// An installation holds our lock of the environment for as long as it runs. Who only looks takes
// none, writes nothing, and waits for the lock of fw_setenv only, which is held for moments.
static enum err open_environment(struct device *d, enum device_mode mode, struct error *e)
{
    const struct config *c = d->config;
    CLEANUP(cleanup_free) char *lock = NULL;
    if (mode == DEVICE_CHANGE && asprintf(&lock, "%s/env.lock", c->state_dir) < 0) {
        lock = NULL;
        return fail_memory(e);
    }
    return bootenv_uboot_open(c->env_config, lock, BOOT_DEFAULT_LOCK_WAIT_MS, &d->env, e);
}

static enum err open_parts(struct device *d, enum device_mode mode, struct error *e)
{
    const struct config *c = d->config;
    enum err err = state_dir_open(c->state_dir, &d->state, e);
    if (err == OK && mode == DEVICE_CHANGE) {
        err = update_lock_take(c->state_dir, &d->lock_fd, e);
    }
    if (err == OK) {
        err = open_environment(d, mode, e);
    }
    if (err == OK) {
        err = hasher_new(&d->hasher, e);
    }
    if (err == OK) {
        err = journal_load(d->state, &d->journal, e);
    }
    return err == OK ? running_slot_find(c, &d->running, e) : err;
}

enum err device_open(struct config *config, enum device_mode mode, struct log *log,
                     const struct progress *progress, const struct clock *clock,
                     struct device **ret, struct error *e)
{
    CLEANUP(cleanup_device) struct device *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return fail_memory(e);
    }
    d->config = config;
    d->running = SLOT_NONE;
    d->lock_fd = -1;
    d->clock = clock;
    d->log = log;
    d->progress = *progress;
    d->sync_bytes = FILL_SYNC;
    d->deltas_worth_bytes = DELTAS_WORTH;
    d->workers = config_workers(config, cpus_usable());
    d->lanes = config->connections;
    d->open_blk = blk_file_open;
    d->reboot = run_reboot_command;
    enum err err = open_parts(d, mode, e);
    if (err != OK) {
        d->config = NULL; // still the caller's
        return err;
    }
    *ret = TAKE_PTR(d);
    return OK;
}

void device_close(struct device *d)
{
    if (d == NULL) {
        return;
    }
    // The lock last: nobody else may change what is still being closed.
    cleanup_bootenv(&d->env);
    cleanup_trust_store(&d->trust);
    cleanup_state_store(&d->state);
    cleanup_hasher(&d->hasher);
    cleanup_config(&d->config);
    cleanup_close(&d->lock_fd);
    free(d);
}
