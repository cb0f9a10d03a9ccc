// SPDX-License-Identifier: Apache-2.0
#include "bootloader/bootenv_uboot.h"

#include "base/file.h"
#include "bootloader/env_copies.h"
#include "bootloader/env_image.h"
#include "bootloader/env_lock.h"
#include "bootloader/env_vars.h"
#include "bootloader/fw_env_config.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

// Uses size_t without including its header (hazard 10): stays behind <stddef.h>.
#include <libuboot.h>

// The lock of fw_setenv, fw_printenv and libubootenv itself. The library waits for it without limit
// and goes on without it when it cannot be opened (hazard 4).
static const char library_lock[] = "/var/lock/fw_printenv.lock";

struct uboot_env {
    struct bootenv base; // first: the ops get this pointer
    struct fw_env_config config;
    unsigned lock_wait_ms;
    int lock_fd;              // ours, or -1
    bool loaded;              // the four below are what the medium holds
    struct env_copies copies; // as read
    struct env_vars found;    // the variables of the current copy
    struct env_vars meant;    // `found` with what was set since
};

// The library with its environment open, and so with its lock held.
struct session {
    struct uboot_ctx *ctx;
};

static void session_close(const struct session *s)
{
    if (s->ctx != NULL) {
        libuboot_close(s->ctx);
        libuboot_exit(s->ctx);
    }
}

// File descriptors from before a store: each reports a failed write-back once (hazard 1).
struct watch {
    int fds[FW_ENV_COPIES];
};

static void watch_close(const struct watch *w)
{
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        cleanup_close(&w->fds[i]);
    }
}

// Waits, bounded, until the library's lock is free and gives it back at once: the library opens the
// file anew and would wait for us too. Who takes it in between makes the library wait, so this
// bounds a lock that is held, not one that is taken in these microseconds and never given back.
static enum err await_library_lock(const struct uboot_env *u, struct error *e)
{
    CLEANUP(cleanup_close) int fd = -1;
    return env_lock_take(library_lock, u->lock_wait_ms, &fd, e);
}

static enum err session_open(const struct uboot_env *u, const struct fw_env_config *config,
                             struct session *ret, struct error *e)
{
    enum err r = await_library_lock(u, e);
    if (r != OK) {
        return r;
    }
    struct fw_env_config places = *config; // the library's structure wants writable paths
    struct uboot_env_device devices[FW_ENV_COPIES] = {0};
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        devices[i].devname = places.copies[i].path;
        devices[i].offset = places.copies[i].off_bytes;
        devices[i].envsize = places.size_bytes;
    }
    CLEANUP(session_close) struct session s = {0};
    if (libuboot_initialize(&s.ctx, devices) != 0) {
        return fail(e, ERR_IO, 0, "libubootenv cannot use the boot environment");
    }
    // Storing after a failed open wipes every variable, bootcmd included (hazard 3).
    int failed = libuboot_open(s.ctx);
    if (failed != 0) {
        return fail(e, ERR_IO, -failed,
                    "libubootenv cannot read the boot environment; nothing was written");
    }
    ret->ctx = TAKE_PTR(s.ctx);
    return OK;
}

static enum err session_set(const struct session *s, const char *name, const char *value,
                            struct error *e)
{
    int failed = libuboot_set_env(s->ctx, name, value);
    if (failed != 0) {
        return fail(e, ERR_IO, -failed,
                    "the boot environment does not let %s be changed (.flags); "
                    "nothing was written",
                    name);
    }
    return OK;
}

// Sets what differs between `from` and `to`, and stores once.
static enum err session_store(const struct session *s, const struct env_vars *from,
                              const struct env_vars *to, struct error *e)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct env_var *var = &to->items[i];
        const char *old = env_vars_get(from, var->name);
        if (old == NULL || strcmp(old, var->value) != 0) {
            enum err r = session_set(s, var->name, var->value, e);
            if (r != OK) {
                return r;
            }
        }
    }
    for (size_t i = 0; i < from->count; i++) {
        const char *name = from->items[i].name;
        if (env_vars_get(to, name) == NULL) {
            enum err r = session_set(s, name, NULL, e);
            if (r != OK) {
                return r;
            }
        }
    }
    int failed = libuboot_env_store(s->ctx);
    if (failed != 0) {
        return fail(e, ERR_IO, 0,
                    "the boot environment could not be stored; "
                    "its other copy still holds what was there");
    }
    return OK;
}

// What lies at `config` now, against what was meant.
static enum err compare_with_meant(const struct uboot_env *u, const struct fw_env_config *config,
                                   struct env_copies *ret, const char **ret_difference,
                                   struct env_vars *ret_vars, struct error *e)
{
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    enum err r = env_copies_read(config, &copies, e);
    if (r == OK) {
        r = env_copies_parse(&copies, ret_vars, e);
    }
    if (r != OK) {
        return r;
    }
    *ret_difference = env_vars_difference(ret_vars, &u->meant);
    *ret = copies;
    copies = (struct env_copies){0};
    return OK;
}

// Both copies as read, one behind the other, in a file in memory.
static enum err copy_to_memory(const struct uboot_env *u, struct fw_env_config *ret_config,
                               int *ret_fd, struct error *e)
{
    CLEANUP(cleanup_close) int fd = memfd_create("boot environment", MFD_CLOEXEC);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "a file in memory for the boot environment");
    }
    struct fw_env_config config = {.size_bytes = u->config.size_bytes};
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        snprintf(config.copies[i].path, sizeof config.copies[i].path, "/proc/self/fd/%d", fd);
        config.copies[i].off_bytes = (int64_t)(i * config.size_bytes);
        enum err r = write_all(fd, u->copies.copies[i].image, config.size_bytes, e);
        if (r != OK) {
            return r;
        }
    }
    *ret_config = config;
    *ret_fd = TAKE_FD(fd);
    return OK;
}

// The whole store on a copy in memory. It finds what the library refuses or would not keep: too
// many variables, protected ones, and `.flags`, which it rewrites with losses (hazards 5 and 12).
static enum err rehearse_store(const struct uboot_env *u, struct error *e)
{
    CLEANUP(cleanup_close) int fd = -1;
    struct fw_env_config config;
    enum err r = copy_to_memory(u, &config, &fd, e);
    if (r != OK) {
        return r;
    }
    CLEANUP(session_close) struct session session = {0};
    r = session_open(u, &config, &session, e);
    if (r == OK) {
        r = session_store(&session, &u->found, &u->meant, e);
    }
    if (r != OK) {
        return r;
    }
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    const char *difference;
    r = compare_with_meant(u, &config, &copies, &difference, &vars, e);
    if (r != OK || difference != NULL) {
        return fail(e, ERR_IO, 0,
                    "libubootenv would not keep %s of the boot environment as it is; "
                    "nothing was written",
                    r == OK ? difference : "the variables");
    }
    return OK;
}

static enum err check_unchanged(const struct uboot_env *u, struct error *e)
{
    CLEANUP(env_copies_clear) struct env_copies now = {.current = -1};
    enum err r = env_copies_read(&u->config, &now, e);
    if (r != OK) {
        return r;
    }
    if (!env_copies_equal(&u->copies, &now)) {
        return fail(e, ERR_AGAIN, 0,
                    "another program changed the boot environment meanwhile; "
                    "nothing was written, try again");
    }
    return OK;
}

static enum err watch_open(const struct uboot_env *u, struct watch *ret, struct error *e)
{
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        ret->fds[i] = open(u->config.copies[i].path, O_RDONLY | O_CLOEXEC);
        if (ret->fds[i] < 0) {
            return fail(e, ERR_IO, errno, "%s", u->config.copies[i].path);
        }
    }
    return OK;
}

static enum err watch_sync(const struct watch *w, const struct uboot_env *u, struct error *e)
{
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        if (fsync(w->fds[i]) != 0) {
            return fail(e, ERR_IO, errno, "%s: the boot environment did not reach the medium",
                        u->config.copies[i].path);
        }
    }
    return OK;
}

static void forget(struct uboot_env *u)
{
    u->loaded = false;
    u->base.copies_good = 0;
    env_copies_clear(&u->copies);
    env_vars_clear(&u->found);
    env_vars_clear(&u->meant);
}

// Takes over what was read. `copies` and `vars` are empty afterwards.
static enum err remember(struct uboot_env *u, struct env_copies *copies, struct env_vars *vars,
                         struct error *e)
{
    CLEANUP(env_vars_clear) struct env_vars meant = {0};
    enum err r = env_vars_copy(vars, &meant, e);
    if (r != OK) {
        return r;
    }
    forget(u);
    u->copies = *copies;
    *copies = (struct env_copies){.current = -1};
    u->found = *vars;
    *vars = (struct env_vars){0};
    u->meant = meant;
    meant = (struct env_vars){0};
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        u->base.copies_good += u->copies.copies[i].whole ? 1 : 0;
    }
    u->loaded = true;
    return OK;
}

// The store itself, and the proof that it is on the medium; the library's lock is held throughout.
static enum err store_and_prove(struct uboot_env *u, bool *ret_touched, struct error *e)
{
    CLEANUP(watch_close) struct watch watch = {{-1, -1}};
    enum err r = watch_open(u, &watch, e);
    if (r != OK) {
        return r;
    }
    CLEANUP(session_close) struct session session = {0};
    r = session_open(u, &u->config, &session, e);
    if (r == OK) {
        r = check_unchanged(u, e);
    }
    if (r != OK) {
        return r;
    }
    *ret_touched = true;
    r = session_store(&session, &u->found, &u->meant, e);
    if (r == OK) {
        r = watch_sync(&watch, u, e);
    }
    if (r != OK) {
        return r;
    }
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    const char *difference;
    r = compare_with_meant(u, &u->config, &copies, &difference, &vars, e);
    if (r != OK) {
        return r;
    }
    if (difference != NULL) {
        return fail(e, ERR_IO, 0,
                    "the boot environment reads back otherwise than it was stored (%s)",
                    difference);
    }
    return remember(u, &copies, &vars, e);
}

static enum err uboot_load(struct bootenv *env, struct error *e)
{
    struct uboot_env *u = (struct uboot_env *)env;
    forget(u);
    CLEANUP(cleanup_close) int fd = -1;
    enum err r = env_lock_take(library_lock, u->lock_wait_ms, &fd, e);
    if (r != OK) {
        return r;
    }
    CLEANUP(env_copies_clear) struct env_copies copies = {.current = -1};
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    r = env_copies_read(&u->config, &copies, e);
    if (r == OK) {
        r = env_copies_parse(&copies, &vars, e);
    }
    if (r == OK) {
        r = remember(u, &copies, &vars, e);
    }
    return r;
}

// Empty and absent mean the same to our readers (hazard 12).
static const char *uboot_get(const struct bootenv *env, const char *name)
{
    const struct uboot_env *u = (const struct uboot_env *)env;
    const char *value = env_vars_get(&u->meant, name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static enum err uboot_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    struct uboot_env *u = (struct uboot_env *)env;
    if (!u->loaded) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; %s cannot be set", name);
    }
    if (*name == '\0' || strchr(name, '=') != NULL) {
        return fail(e, ERR_INTERNAL, 0, "%s is no name of a boot variable", name);
    }
    bool empty = value == NULL || *value == '\0';
    if (empty && uboot_get(env, name) == NULL) {
        return OK; // a foreign `name=` keeps its bytes
    }
    return env_vars_set(&u->meant, name, empty ? NULL : value, e);
}

static enum err uboot_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct uboot_env *u = (struct uboot_env *)env;
    if (!u->loaded) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; nothing was written");
    }
    bool said = false;
    enum err r = env_copies_say(&u->copies, &u->found, &u->meant, env->both_copies, &said, e);
    if (r != OK || said) {
        *ret_stored = false;
        return r;
    }
    int unreadable = env_copies_unreadable(&u->copies);
    if (unreadable >= 0) {
        return fail(e, ERR_IO, 0,
                    "copy %d of the boot environment, in %s, cannot be read (%s); repair it first; "
                    "nothing was written",
                    unreadable + 1, u->config.copies[unreadable].path,
                    u->copies.copies[unreadable].why);
    }
    if (!env_image_fits(&u->meant, u->config.size_bytes)) {
        return fail(e, ERR_IO, 0, "the boot environment of %zu bytes is full; nothing was written",
                    u->config.size_bytes);
    }
    bool touched = false;
    r = rehearse_store(u, e);
    if (r == OK) {
        r = store_and_prove(u, &touched, e);
    }
    if (r != OK) {
        if (touched) {
            forget(u);
        }
        return r;
    }
    *ret_stored = true;
    return OK;
}

static void uboot_close(struct bootenv *env)
{
    struct uboot_env *u = (struct uboot_env *)env;
    forget(u);
    cleanup_close(&u->lock_fd);
    free(u);
}

static const struct bootenv_ops uboot_ops = {
    .load = uboot_load,
    .get = uboot_get,
    .set = uboot_set,
    .commit = uboot_commit,
    .close = uboot_close,
};

enum err bootenv_uboot_open(const char *env_config, const char *lock_path, unsigned lock_wait_ms,
                            struct bootenv **ret, struct error *e)
{
    struct fw_env_config config;
    enum err r = fw_env_config_read(env_config, &config, e);
    if (r != OK) {
        return r;
    }
    CLEANUP(cleanup_close) int lock_fd = -1;
    if (lock_path != NULL) {
        r = env_lock_take(lock_path, lock_wait_ms, &lock_fd, e);
        if (r != OK) {
            return r;
        }
    }
    struct uboot_env *u = calloc(1, sizeof *u);
    if (u == NULL) {
        return fail_memory(e);
    }
    u->base.ops = &uboot_ops;
    u->base.copies_total = FW_ENV_COPIES;
    u->config = config;
    u->copies.current = -1;
    u->lock_wait_ms = lock_wait_ms;
    u->lock_fd = TAKE_FD(lock_fd);
    *ret = &u->base;
    return OK;
}
