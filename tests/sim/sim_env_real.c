// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_env_real.h"

#include "base/file.h"
#include "bootloader/bootenv_uboot.h"
#include "bootloader/env_image.h"
#include "tests/sim/sim_fs_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

enum { LOCK_WAIT_MS = 1000 };

// The library's lock file is one for all processes of a machine, but each of these has an
// environment of its own: the lock is always free. The library calls this one, not the C library's,
// and so does env_lock.c. A lock that is held is for test_bootenv_uboot_hazards.c.
int flock(int fd, int operation)
{
    (void)operation;
    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    return 0;
}

static void forget(struct sim_env_real *s)
{
    if (s->inner != NULL) {
        bootenv_close(TAKE_PTR(s->inner));
    }
    s->base.copies_good = 0;
}

// --- the disk and the files ----------------------------------------------------------------------

static enum err put_file(struct sim_env_real *s, int copy, const uint8_t *image, struct error *e)
{
    if (pwrite(s->files[copy].fd, image, SIM_ENV_SIZE, 0) != SIM_ENV_SIZE) {
        return fail(e, ERR_INTERNAL, errno, "%s", s->files[copy].path);
    }
    memcpy(s->files[copy].holds, image, SIM_ENV_SIZE);
    s->files[copy].readable = true;
    return OK;
}

static enum err cut_file_short(struct sim_env_real *s, int copy, struct error *e)
{
    if (ftruncate(s->files[copy].fd, 0) != 0) {
        return fail(e, ERR_INTERNAL, errno, "%s", s->files[copy].path);
    }
    s->files[copy].readable = false;
    return OK;
}

// The files become what a read of the disk gives.
static enum err take_from_disk(struct sim_env_real *s, struct error *e)
{
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        uint8_t image[SIM_ENV_SIZE];
        enum err r = OK;
        if (sim_env_read_copy(s->disk, i, image) != 0) {
            r = cut_file_short(s, i, e);
        } else if (!s->files[i].readable || memcmp(image, s->files[i].holds, sizeof image) != 0) {
            r = put_file(s, i, image, e);
        }
        if (r != OK) {
            return r;
        }
    }
    return OK;
}

// The copy that the real code has changed in its file, or -1.
static enum err find_store(struct sim_env_real *s, int *ret_copy, struct error *e)
{
    *ret_copy = -1;
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        uint8_t image[SIM_ENV_SIZE];
        if (!s->files[i].readable) {
            continue;
        }
        if (pread(s->files[i].fd, image, sizeof image, 0) != SIM_ENV_SIZE) {
            return fail(e, ERR_INTERNAL, errno, "%s", s->files[i].path);
        }
        if (memcmp(image, s->files[i].holds, sizeof image) == 0) {
            continue;
        }
        if (*ret_copy >= 0) {
            return fail(e, ERR_INTERNAL, 0, "one commit changed both copies of the environment");
        }
        memcpy(s->files[i].holds, image, sizeof image);
        *ret_copy = i;
    }
    return OK;
}

// What the real code's store has changed goes to the disk, once, when it first syncs.
static int play_store(void *context)
{
    struct sim_env_real *s = context;
    struct error e;
    int copy;
    enum err r = find_store(s, &copy, &e);
    if (r != OK || copy < 0) {
        return r == OK ? 0 : EIO;
    }
    uint8_t image[SIM_ENV_SIZE];
    memcpy(image, s->files[copy].holds, sizeof image);
    // A store with a wrong CRC goes to the disk as it is.
    if (env_image_is_whole(image, sizeof image)) {
        sim_env_seal(image);
    }
    s->stores++;
    int sys = sim_env_store_copy(s->disk, copy, image);
    return sys == 0 && take_from_disk(s, &e) != OK ? EIO : sys;
}

// --- the seam ------------------------------------------------------------------------------------

static enum err real_load(struct bootenv *env, struct error *e)
{
    struct sim_env_real *s = (struct sim_env_real *)env;
    enum err r = take_from_disk(s, e);
    if (r == OK && s->inner == NULL) {
        r = bootenv_uboot_open(s->config, NULL, LOCK_WAIT_MS, &s->inner, e);
    }
    if (r == OK) {
        r = bootenv_load(s->inner, e);
    }
    if (r != OK) {
        forget(s);
        return r;
    }
    s->base.copies_good = s->inner->copies_good;
    return OK;
}

static const char *real_get(const struct bootenv *env, const char *name)
{
    const struct sim_env_real *s = (const struct sim_env_real *)env;
    return s->inner == NULL ? NULL : bootenv_get(s->inner, name);
}

static enum err real_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    const struct sim_env_real *s = (const struct sim_env_real *)env;
    if (s->inner == NULL) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; %s cannot be set", name);
    }
    return bootenv_set(s->inner, name, value, e);
}

static enum err real_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct sim_env_real *s = (struct sim_env_real *)env;
    if (s->inner == NULL) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; nothing was written");
    }
    enum err r = take_from_disk(s, e);
    if (r != OK) {
        return r;
    }
    s->inner->both_copies = env->both_copies;
    sim_fs_divert_sync(play_store, s);
    r = bootenv_commit(s->inner, ret_stored, e);
    sim_fs_divert_sync(NULL, NULL);
    s->base.copies_good = s->inner->copies_good;
    return r;
}

static void real_close(struct bootenv *env)
{
    forget((struct sim_env_real *)env);
}

static const struct bootenv_ops real_ops = {
    .load = real_load,
    .get = real_get,
    .set = real_set,
    .commit = real_commit,
    .close = real_close,
};

static enum err make_file(struct sim_env_real *s, int copy, struct error *e)
{
    char *path = s->files[copy].path;
    snprintf(path, SIM_ENV_PATH_SIZE, "%.150s/env%d.img", s->dir, copy);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return fail(e, ERR_INTERNAL, errno, "%s", path);
    }
    s->files[copy].fd = fd;
    return OK;
}

static enum err make_config(const struct sim_env_real *s, struct error *e)
{
    CLEANUP(cleanup_close)
    int fd = open(s->config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return fail(e, ERR_INTERNAL, errno, "%s", s->config);
    }
    char text[2 * SIM_ENV_PATH_SIZE + 64];
    int len = snprintf(text, sizeof text, "%s 0 %x\n%s 0 %x\n", s->files[0].path, SIM_ENV_SIZE,
                       s->files[1].path, SIM_ENV_SIZE);
    return write_all(fd, text, (size_t)len, e);
}

enum err sim_env_real_make(struct sim_env_real *s, const char *dir, struct sim_disk *d,
                           struct error *e)
{
    *s = (struct sim_env_real){
        .base = {.ops = &real_ops, .copies_total = SIM_ENV_COPIES},
        .disk = d,
        .files = {{.fd = -1}, {.fd = -1}},
    };
    snprintf(s->dir, sizeof s->dir, "%.120s/vv-sim-env.XXXXXX", dir);
    if (mkdtemp(s->dir) == NULL) {
        return fail(e, ERR_INTERNAL, errno, "%s", s->dir);
    }
    snprintf(s->config, sizeof s->config, "%.150s/fw_env.config", s->dir);
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        enum err r = make_file(s, i, e);
        if (r != OK) {
            return r;
        }
    }
    return make_config(s, e);
}

void sim_env_real_free(struct sim_env_real *s)
{
    forget(s);
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        cleanup_close(&s->files[i].fd);
        unlink(s->files[i].path);
    }
    unlink(s->config);
    rmdir(s->dir);
}
