// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_env.h"

#include "bootloader/env_image.h"

#include <string.h>
#include <zlib.h>

// --- the medium ----------------------------------------------------------------------------------

const char *const sim_env_foreign[] = {
    "bootcmd=load mmc 0:1 ${scriptaddr} boot.scr && source ${scriptaddr}",
    "altbootcmd=vv_fallback=yes; run bootcmd",
    "bootargs=console=ttyS0,115200  rootwait init=/sbin/init panic=10",
    "bootdelay=0",
    "empty=",
    "ethaddr=02:00:5e:10:00:01",
    "serial#=0000-0017",
    "greeting=Gr\xc3\xbc\xc3\x9f Gott, \xe4\xbd\xa0\xe5\xa5\xbd",
    "bytes=\xff\xfe\x01\t\n\x7f\x80",
    "equals==a==b=",
    " blanks = on both sides ",
    "UPPER.lower-1=\"quoted\" 'single' \\ $(x) ; # no comment",
    "menu=setenv choice 1; while test ${choice} -lt 4; do echo ${choice}; sleep 1; done; "
    "echo back to where we were; run bootcmd",
    "zz_last=the end",
    NULL,
};

static size_t offset_of(int copy)
{
    return (size_t)copy * SIM_ENV_STRIDE;
}

static void write_crc(uint8_t *image)
{
    uint32_t crc =
        (uint32_t)crc32_z(0, image + ENV_IMAGE_DATA_AT, SIM_ENV_SIZE - ENV_IMAGE_DATA_AT);
    memcpy(image, &crc, sizeof crc);
}

// With zeros behind the variables, as U-Boot and mkenvimage leave it.
static void image_of(const char *const *vars, uint8_t flag, uint8_t *image)
{
    memset(image, 0, SIM_ENV_SIZE);
    size_t at = ENV_IMAGE_DATA_AT;
    for (; *vars != NULL; vars++) {
        size_t len = strlen(*vars) + 1;
        if (at + len >= SIM_ENV_SIZE) {
            fprintf(stderr, "simulated environment: too many variables\n");
            abort();
        }
        memcpy(image + at, *vars, len);
        at += len;
    }
    image[ENV_IMAGE_FLAG_AT] = flag;
    write_crc(image);
}

void sim_env_format(struct sim_disk *d, const char *const *vars)
{
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        uint8_t image[SIM_ENV_SIZE];
        image_of(vars, i == 0 ? 1 : 0, image);
        sim_disk_put(d, offset_of(i), image, sizeof image);
    }
}

void sim_env_destroy(struct sim_disk *d, unsigned copies)
{
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        if ((copies >> i & 1) != 0) {
            uint8_t garbage[SIM_ENV_SIZE];
            sim_garbage(garbage, sizeof garbage, (uint64_t)i);
            sim_disk_put(d, offset_of(i), garbage, sizeof garbage);
        }
    }
}

void sim_env_uboot_defaults(struct sim_disk *d, const char *const *default_vars)
{
    uint8_t image[SIM_ENV_SIZE];
    image_of(default_vars, 1, image);
    sim_disk_put(d, offset_of(0), image, sizeof image);
}

const uint8_t *sim_env_copy(const uint8_t *medium, int copy)
{
    return medium + offset_of(copy);
}

size_t sim_env_whole_copies(const uint8_t *medium)
{
    size_t whole = 0;
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        whole += env_image_is_whole(sim_env_copy(medium, i), SIM_ENV_SIZE) ? 1 : 0;
    }
    return whole;
}

bool sim_env_lost(const uint8_t *medium)
{
    return sim_env_whole_copies(medium) == 0;
}

static int choose_current(const uint8_t *image_0, bool whole_0, const uint8_t *image_1,
                          bool whole_1)
{
    if (whole_0 && whole_1) {
        return env_image_newer(image_0, image_1);
    }
    if (whole_0) {
        return 0;
    }
    return whole_1 ? 1 : -1;
}

int sim_env_current(const uint8_t *medium)
{
    const uint8_t *image_0 = sim_env_copy(medium, 0);
    const uint8_t *image_1 = sim_env_copy(medium, 1);
    return choose_current(image_0, env_image_is_whole(image_0, SIM_ENV_SIZE), image_1,
                          env_image_is_whole(image_1, SIM_ENV_SIZE));
}

// --- what both back ends do to it ----------------------------------------------------------------

int sim_env_read_copy(struct sim_disk *d, int copy, uint8_t *ret_image)
{
    // POSIX_FADV_DONTNEED drops what is clean, as everything is after a failed sync.
    if (d->stale && d->queued == 0) {
        sim_disk_settle(d);
    }
    return sim_disk_read(d, SIM_ENV, ret_image, SIM_ENV_SIZE, offset_of(copy));
}

int sim_env_store_copy(struct sim_disk *d, int copy, const uint8_t *image)
{
    int written = sim_disk_write(d, SIM_ENV, image, SIM_ENV_SIZE, offset_of(copy));
    int synced = sim_disk_sync(d, SIM_ENV);
    return written != 0 ? written : synced;
}

void sim_env_seal(uint8_t *image)
{
    size_t at = ENV_IMAGE_DATA_AT;
    while (at < SIM_ENV_SIZE && image[at] != '\0') {
        at += strnlen((const char *)image + at, SIM_ENV_SIZE - at) + 1;
    }
    at++; // the empty entry
    if (at < SIM_ENV_SIZE) {
        uint64_t seed = crc32_z(0, image + ENV_IMAGE_FLAG_AT, at - ENV_IMAGE_FLAG_AT);
        sim_garbage(image + at, SIM_ENV_SIZE - at, seed);
    }
    write_crc(image);
}

// --- the simulated back end ----------------------------------------------------------------------

static void read_copies(struct sim_env *s, struct sim_env_reading *into)
{
    struct env_copies *copies = &into->copies;
    copies->size_bytes = SIM_ENV_SIZE;
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        int sys = sim_env_read_copy(s->disk, i, into->images[i]);
        if (sys != 0) {
            snprintf(copies->copies[i].why, sizeof copies->copies[i].why, "%.100s", strerror(sys));
        }
        copies->copies[i].image = sys == 0 ? into->images[i] : NULL;
        copies->copies[i].whole = sys == 0 && env_image_is_whole(into->images[i], SIM_ENV_SIZE);
    }
    copies->current = choose_current(into->images[0], copies->copies[0].whole, into->images[1],
                                     copies->copies[1].whole);
}

static void forget(struct sim_env *s)
{
    s->loaded = false;
    s->base.copies_good = 0;
    env_vars_clear(&s->found);
    env_vars_clear(&s->meant);
}

// Takes over the reading that is not held, and `vars`, which is empty afterwards.
static enum err remember(struct sim_env *s, struct env_vars *vars, struct error *e)
{
    struct env_vars meant = {0};
    enum err r = env_vars_copy(vars, &meant, e);
    if (r != OK) {
        return r;
    }
    forget(s);
    s->held ^= 1;
    s->found = *vars;
    *vars = (struct env_vars){0};
    s->meant = meant;
    for (int i = 0; i < SIM_ENV_COPIES; i++) {
        s->base.copies_good += s->readings[s->held].copies.copies[i].whole ? 1 : 0;
    }
    s->loaded = true;
    return OK;
}

static enum err sim_env_load(struct bootenv *env, struct error *e)
{
    struct sim_env *s = (struct sim_env *)env;
    forget(s);
    struct sim_env_reading *now = &s->readings[s->held ^ 1];
    read_copies(s, now);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    enum err r = env_copies_parse(&now->copies, &vars, e);
    return r == OK ? remember(s, &vars, e) : r;
}

static const char *sim_env_get(const struct bootenv *env, const char *name)
{
    const struct sim_env *s = (const struct sim_env *)env;
    const char *value = env_vars_get(&s->meant, name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static enum err sim_env_set(struct bootenv *env, const char *name, const char *value,
                            struct error *e)
{
    struct sim_env *s = (struct sim_env *)env;
    if (!s->loaded) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; %s cannot be set", name);
    }
    if (*name == '\0' || strchr(name, '=') != NULL) {
        return fail(e, ERR_INTERNAL, 0, "%s is no name of a boot variable", name);
    }
    bool empty = value == NULL || *value == '\0';
    if (empty && sim_env_get(env, name) == NULL) {
        return OK; // a foreign `name=` keeps its bytes
    }
    return env_vars_set(&s->meant, name, empty ? NULL : value, e);
}

// The other copy, with what was meant, which is known to fit.
static void build_image(const struct sim_env *s, uint8_t *image)
{
    const struct env_copies *copies = &s->readings[s->held].copies;
    uint8_t flag = copies->copies[copies->current].image[ENV_IMAGE_FLAG_AT];
    image[ENV_IMAGE_FLAG_AT] = (uint8_t)(flag + 1);
    char *at = (char *)image + ENV_IMAGE_DATA_AT;
    for (size_t i = 0; i < s->meant.count; i++) {
        at = stpcpy(at, s->meant.items[i].name);
        *at++ = '=';
        at = stpcpy(at, s->meant.items[i].value) + 1;
    }
    *at = '\0';
    sim_env_seal(image);
}

// What libuboot_open() and the comparison under the library's lock find before a store.
static enum err check_unchanged(struct sim_env *s, struct error *e)
{
    struct sim_env_reading *now = &s->readings[s->held ^ 1];
    read_copies(s, now);
    if (env_copies_unreadable(&now->copies) >= 0 || now->copies.current < 0) {
        return fail(e, ERR_IO, 0, "the boot environment cannot be read; nothing was written");
    }
    if (!env_copies_equal(&s->readings[s->held].copies, &now->copies)) {
        return fail(e, ERR_AGAIN, 0, "another program changed the boot environment meanwhile");
    }
    return OK;
}

static enum err store_and_prove(struct sim_env *s, struct error *e)
{
    uint8_t image[SIM_ENV_SIZE];
    build_image(s, image);
    s->stores++;
    int other = s->readings[s->held].copies.current == 0 ? 1 : 0;
    int sys = sim_env_store_copy(s->disk, other, image);
    if (sys != 0) {
        return fail(e, ERR_IO, sys, "the boot environment could not be stored");
    }
    struct sim_env_reading *now = &s->readings[s->held ^ 1];
    read_copies(s, now);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    enum err r = env_copies_parse(&now->copies, &vars, e);
    if (r != OK) {
        return r;
    }
    const char *difference = env_vars_difference(&vars, &s->meant);
    if (difference != NULL) {
        return fail(e, ERR_IO, 0,
                    "the boot environment reads back otherwise than it was stored (%s)",
                    difference);
    }
    return remember(s, &vars, e);
}

static enum err sim_env_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    struct sim_env *s = (struct sim_env *)env;
    if (!s->loaded) {
        return fail(e, ERR_IO, 0, "the boot environment was not read; nothing was written");
    }
    bool said = false;
    enum err r = env_copies_say(&s->readings[s->held].copies, &s->found, &s->meant,
                                env->both_copies, &said, e);
    if (r != OK || said) {
        *ret_stored = false;
        return r;
    }
    if (env_copies_unreadable(&s->readings[s->held].copies) >= 0) {
        return fail(e, ERR_IO, 0, "a copy of the boot environment cannot be read; repair it first");
    }
    if (!env_image_fits(&s->meant, SIM_ENV_SIZE)) {
        return fail(e, ERR_IO, 0, "the boot environment of %d bytes is full; nothing was written",
                    SIM_ENV_SIZE);
    }
    r = check_unchanged(s, e);
    if (r != OK) {
        return r;
    }
    r = store_and_prove(s, e);
    if (r != OK) {
        forget(s);
        return r;
    }
    *ret_stored = true;
    return OK;
}

static void sim_env_close(struct bootenv *env)
{
    forget((struct sim_env *)env);
}

static const struct bootenv_ops sim_env_ops = {
    .load = sim_env_load,
    .get = sim_env_get,
    .set = sim_env_set,
    .commit = sim_env_commit,
    .close = sim_env_close,
};

void sim_env_init(struct sim_env *s, struct sim_disk *d)
{
    *s = (struct sim_env){
        .base = {.ops = &sim_env_ops, .copies_total = SIM_ENV_COPIES},
        .disk = d,
    };
}

void sim_env_free(struct sim_env *s)
{
    forget(s);
}
