// SPDX-License-Identifier: Apache-2.0
// A device that looks for releases in a directory of its own.
#ifndef TESTS_SUPPORT_DIR_SOURCE_STAGE_H
#define TESTS_SUPPORT_DIR_SOURCE_STAGE_H

#include "updater/agent/dir_source.h"

#include "tests/support/bad_server.h"
#include "tests/support/expect.h"
#include "tests/support/file_release.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage {
    char *dir;
    struct file_device file;
    struct file_release release;
    struct log log;
    char *talk;
    size_t talk_len;
    struct device *device;
};

static inline void open_device(struct stage *s)
{
    struct error e;
    const struct progress nobody = {.kind = PROGRESS_NONE};
    CLEANUP(cleanup_config) struct config *config = NULL;
    assert_ok(config_load(s->file.conf, &config, &e));
    assert_ok(device_open(config, DEVICE_LOOK, &s->log, &nobody, &clock_system, &s->device, &e));
    (void)TAKE_PTR(config);
    assert_ok(device_load_trust(s->device, &e));
}

// The directory is DIR/drop, which is made by the tests that want one.
static inline int make(void **state)
{
    char extra[512];
    void *dir = NULL;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_int_equal(temp_dir_make(&dir), 0);
    s->dir = dir;
    snprintf(extra, sizeof extra, "[fleet]\nsource=dir\ndir=%s/drop\nreport_dir=%s/reports\n",
             s->dir, s->dir);
    file_device_make(&s->file, s->dir, NULL, extra);
    file_release_prepare(&s->release, &s->file);
    s->log.stream = open_memstream(&s->talk, &s->talk_len);
    assert_non_null(s->log.stream);
    open_device(s);
    *state = s;
    return 0;
}

static inline int clear(void **state)
{
    struct stage *s = *state;
    void *dir = s->dir;
    device_close(s->device);
    fclose(s->log.stream);
    free(s->talk);
    file_release_clear(&s->release);
    free(s);
    return temp_dir_remove(&dir);
}

static inline void make_dir(const struct stage *s, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(temp_dir_path(path, sizeof path, s->dir, name), 0700), 0);
}

static inline void put(struct stage *s, const char *name, const char *version, uint64_t index)
{
    char path[512];
    file_release_write(&s->release, name, version, index, path, sizeof path);
}

static inline void runs(struct stage *s, uint64_t index, enum slot_content content)
{
    s->device->journal.slots[s->device->running].content = content;
    s->device->journal.slots[s->device->running].release.release_index = index;
}

static inline struct fleet_answer poll(struct stage *s)
{
    struct error e;
    struct fleet_answer a;
    assert_ok(dir_source.poll(s->device, NULL, &a, &e));
    return a;
}

#endif
