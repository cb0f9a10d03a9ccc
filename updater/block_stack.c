// SPDX-License-Identifier: Apache-2.0
#include "updater/block_stack.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { MOUNTINFO_MAX = 4 << 20 };

static int stat_path(const char *path, struct stat *ret)
{
    return stat(path, ret);
}

const struct block_view block_view_system = {
    .sys_dev_block = "/sys/dev/block",
    .mountinfo = "/proc/self/mountinfo",
    .disk_by = "/dev/disk",
    .stat = stat_path,
};

static void close_dir(DIR **d)
{
    if (*d != NULL) {
        closedir(*d);
    }
}

bool block_stack_has(const struct block_stack *s, struct block_id id)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->members[i].dev == id.dev && s->members[i].ino == id.ino) {
            return true;
        }
    }
    return false;
}

// Each member is pushed once: what refers to itself ends the walk all the same.
static void push(struct block_stack *s, dev_t dev, ino_t ino)
{
    struct block_id id = {dev, ino};
    if (s->count < BLOCK_STACK_MAX && !block_stack_has(s, id)) {
        s->members[s->count++] = id;
    }
}

// A device file is itself; a file is itself and the file system that holds it.
static void push_path(const struct block_view *v, struct block_stack *s, const char *path)
{
    struct stat st;
    if (v->stat(path, &st) != 0) {
        return;
    }
    if (S_ISBLK(st.st_mode)) {
        push(s, st.st_rdev, 0);
        return;
    }
    if (S_ISREG(st.st_mode)) {
        push(s, st.st_dev, st.st_ino);
    }
    push(s, st.st_dev, 0);
}

bool block_id_of(const struct block_view *v, const char *path, struct block_id *ret)
{
    struct stat st;
    if (v->stat(path, &st) != 0 || (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))) {
        return false;
    }
    *ret = S_ISBLK(st.st_mode) ? (struct block_id){st.st_rdev, 0}
                               : (struct block_id){st.st_dev, st.st_ino};
    return true;
}

// SYS/MAJOR:MINOR/REST in a caller-owned buffer of PATH_MAX bytes.
static const char *sys_path(const struct block_view *v, dev_t dev, const char *rest, char *buf)
{
    snprintf(buf, PATH_MAX, "%s/%u:%u%s", v->sys_dev_block, major(dev), minor(dev), rest);
    return buf;
}

// The first line of a small file of /sys, malloced; NULL when there is none.
static char *read_line(const char *path)
{
    uint8_t *text = NULL;
    size_t len;
    struct error ignored;
    if (file_read(path, PATH_MAX, &text, &len, &ignored) != OK) {
        return NULL;
    }
    char *line = (char *)text;
    line[strcspn(line, "\n")] = '\0';
    return line;
}

// "8:2"
static bool parse_device(const char *text, dev_t *ret)
{
    char first[16];
    size_t len = strcspn(text, ":");
    uint64_t maj;
    uint64_t min;
    if (text[len] != ':' || len >= sizeof first) {
        return false;
    }
    memcpy(first, text, len);
    first[len] = '\0';
    if (!parse_u64(first, &maj) || !parse_u64(text + len + 1, &min) || maj > UINT32_MAX ||
        min > UINT32_MAX) {
        return false;
    }
    *ret = makedev((unsigned)maj, (unsigned)min);
    return true;
}

// What device mapper put this device together from.
static void push_slaves(const struct block_view *v, struct block_stack *s, dev_t dev)
{
    char dir[PATH_MAX];
    CLEANUP(close_dir) DIR *d = opendir(sys_path(v, dev, "/slaves", dir));
    if (d == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        char path[PATH_MAX + 300];
        dev_t slave;
        snprintf(path, sizeof path, "%s/%s/dev", dir, entry->d_name);
        CLEANUP(cleanup_free) char *numbers = entry->d_name[0] == '.' ? NULL : read_line(path);
        if (numbers != NULL && parse_device(numbers, &slave)) {
            push(s, slave, 0);
        }
    }
}

// The file a loop device shows.
static void push_backing_file(const struct block_view *v, struct block_stack *s, dev_t dev)
{
    char path[PATH_MAX];
    CLEANUP(cleanup_free) char *file = read_line(sys_path(v, dev, "/loop/backing_file", path));
    if (file != NULL) {
        push_path(v, s, file);
    }
}

// One line of mountinfo (proc(5)), its fields cut apart in place.
struct mount {
    dev_t dev;
    char *point;
    char *type;
    char *source;
    char *options; // of the file system, not of this mount
};

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

// mountinfo writes white space and backslashes as \ooo.
static char *unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (in[0] == '\\' && is_octal(in[1]) && is_octal(in[2]) && is_octal(in[3])) {
            int code = (in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0');
            *out++ = (char)(unsigned char)code;
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return text;
}

static bool cut_mount(char *line, struct mount *ret)
{
    char *rest = strstr(line, " - ");
    if (rest == NULL) {
        return false;
    }
    *rest = '\0';
    char *fields[5] = {NULL};
    char *save = NULL;
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
    }
    if (fields[4] == NULL || !parse_device(fields[2], &ret->dev)) {
        return false;
    }
    ret->point = unescape(fields[4]);
    ret->type = strtok_r(rest + 3, " ", &save);
    ret->source = strtok_r(NULL, " ", &save);
    ret->options = strtok_r(NULL, "", &save);
    return ret->options != NULL && unescape(ret->source) != NULL;
}

// The next line that can be understood; false at the end of the text.
static bool next_mount(char **rest, struct mount *ret)
{
    for (char *line = strsep(rest, "\n"); line != NULL; line = strsep(rest, "\n")) {
        if (cut_mount(line, ret)) {
            return true;
        }
    }
    return false;
}

// All of mountinfo; NULL when the kernel does not show it.
static char *read_mounts(const struct block_view *v)
{
    uint8_t *text = NULL;
    size_t len;
    struct error ignored;
    return file_read(v->mountinfo, MOUNTINFO_MAX, &text, &len, &ignored) == OK ? (char *)text
                                                                               : NULL;
}

// The layers of an overlay: "lowerdir=/a:/b" or "lowerdir+=/a" (once each), "upperdir=/c".
static void push_layers(const struct block_view *v, struct block_stack *s, char *options,
                        enum block_layer layer)
{
    const char *key = layer == LAYER_LOWER ? "lowerdir" : "upperdir";
    char *save = NULL;
    for (char *o = strtok_r(options, ",", &save); o != NULL; o = strtok_r(NULL, ",", &save)) {
        char *value = strchr(o, '=');
        if (value == NULL || strncmp(o, key, strlen(key)) != 0) {
            continue;
        }
        char *save_dir = NULL;
        for (char *dir = strtok_r(value + 1, ":", &save_dir); dir != NULL;
             dir = strtok_r(NULL, ":", &save_dir)) {
            push_path(v, s, unescape(dir));
        }
    }
}

// A file system without a device number of its own: overlay, or one that names its source (btrfs).
static void push_mount(const struct block_view *v, struct block_stack *s, dev_t dev,
                       const char *path, enum block_layer layer)
{
    CLEANUP(cleanup_free) char *text = read_mounts(v);
    struct mount found = {0};
    struct mount m;
    char *rest = text;
    while (next_mount(&rest, &m)) {
        if (m.dev == dev) {
            found = m;
            break;
        }
        // btrfs gives each subvolume a number that mountinfo does not know: there the path decides,
        // and of several mounts on it the last is the one that is seen.
        if (strcmp(m.point, path) == 0) {
            found = m;
        }
    }
    if (found.type != NULL && strcmp(found.type, "overlay") == 0) {
        push_layers(v, s, found.options, layer);
    } else if (found.type != NULL && found.source[0] == '/') {
        push_path(v, s, found.source);
    }
}

enum err block_stack_under(const struct block_view *v, const char *path, enum block_layer layer,
                           struct block_stack *ret, struct error *e)
{
    struct stat st;
    if (v->stat(path, &st) != 0) {
        return fail(e, ERR_IO, errno, "%s: look at", path);
    }
    struct block_stack s = {0};
    push(&s, st.st_dev, 0);
    for (size_t i = 0; i < s.count; i++) {
        struct block_id id = s.members[i];
        if (id.ino != 0) {
            continue;
        }
        if (major(id.dev) == 0) {
            push_mount(v, &s, id.dev, i == 0 ? path : "", layer);
        } else {
            push_slaves(v, &s, id.dev);
            push_backing_file(v, &s, id.dev);
        }
    }
    *ret = s;
    return OK;
}

bool block_is_mounted_writable(const struct block_view *v, dev_t dev)
{
    CLEANUP(cleanup_free) char *text = read_mounts(v);
    struct mount m;
    char *rest = text;
    while (next_mount(&rest, &m)) {
        if (m.dev == dev && strncmp(m.options, "rw", 2) == 0) {
            return true;
        }
    }
    return false;
}

bool block_disk_of(const struct block_view *v, dev_t dev, char ret[BLOCK_DISK_MAX])
{
    char path[PATH_MAX];
    CLEANUP(cleanup_free) char *real = realpath(sys_path(v, dev, "", path), NULL);
    if (real == NULL) {
        return false;
    }
    CLEANUP(cleanup_free) char *mark = NULL;
    if (asprintf(&mark, "%s/partition", real) < 0) {
        mark = NULL;
        return false;
    }
    char *slash = strrchr(real, '/');
    if (access(mark, F_OK) == 0 && slash != NULL && slash != real) {
        *slash = '\0';
    }
    if (strlen(real) >= BLOCK_DISK_MAX) {
        return false;
    }
    memcpy(ret, real, strlen(real) + 1);
    return true;
}
