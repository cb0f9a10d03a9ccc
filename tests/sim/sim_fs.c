// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPOILT_EMPTY_BYTES = 64 };

// A bug of the simulation or of a test, not of what is tested.
static void insist(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "simulated file system: %s\n", what);
        abort();
    }
}

// --- the directory -------------------------------------------------------------------------------

// The place in the directory; its `count`: there is none.
static size_t find(const struct sim_fs_dir *d, const char *name)
{
    size_t i = 0;
    while (i < d->count && strcmp(d->names[i].name, name) != 0) {
        i++;
    }
    return i;
}

static int find_file(const struct sim_fs_dir *d, const char *name)
{
    size_t i = find(d, name);
    return i < d->count ? d->names[i].file : SIM_FS_NO_FILE;
}

static void drop_name(struct sim_fs_dir *d, const char *name)
{
    size_t i = find(d, name);
    if (i < d->count) {
        d->names[i] = d->names[--d->count];
    }
}

static void perform(struct sim_fs_dir *d, const struct sim_fs_op *op)
{
    size_t i;
    switch (op->kind) {
    case SIM_FS_CREATE:
        i = d->count++;
        d->names[i].file = op->file;
        strcpy(d->names[i].name, op->name);
        break;
    case SIM_FS_UNLINK:
        drop_name(d, op->name);
        break;
    case SIM_FS_RENAME:
        drop_name(d, op->to);
        i = find(d, op->name);
        insist(i < d->count, "rename of what is not there");
        strcpy(d->names[i].name, op->to);
        break;
    }
}

// The oldest operations reach the medium.
static void commit(struct sim_fs *fs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        perform(&fs->durable, &fs->ops[i]);
    }
    fs->pending -= count;
    memmove(fs->ops, fs->ops + count, fs->pending * sizeof fs->ops[0]);
}

static void enter(struct sim_fs *fs, enum sim_fs_op_kind kind, int file, const char *name,
                  const char *to)
{
    insist(strlen(name) < SIM_FS_NAME_SIZE && strlen(to) < SIM_FS_NAME_SIZE, "long name");
    if (fs->pending == SIM_FS_OPS_MAX) {
        commit(fs, 1);
    }
    struct sim_fs_op *op = &fs->ops[fs->pending++];
    op->kind = kind;
    op->file = (uint8_t)file;
    strcpy(op->name, name);
    strcpy(op->to, to);
    perform(&fs->view, op);
}

// A bit for each file that a name leads to on the medium, or may after a cut. That includes all
// that are seen now.
static unsigned reachable(const struct sim_fs *fs)
{
    unsigned bits = 0;
    for (size_t i = 0; i < fs->durable.count; i++) {
        bits |= 1u << fs->durable.names[i].file;
    }
    for (size_t i = 0; i < fs->pending; i++) {
        bits |= fs->ops[i].kind == SIM_FS_CREATE ? 1u << fs->ops[i].file : 0;
    }
    return bits;
}

static unsigned in_use(const struct sim_fs *fs)
{
    unsigned bits = reachable(fs);
    for (size_t i = 0; i < SIM_FS_FDS; i++) {
        bits |= fs->fds[i].used && !fs->fds[i].is_dir ? 1u << fs->fds[i].file : 0;
    }
    return bits;
}

static int find_unused(const struct sim_fs *fs)
{
    unsigned bits = in_use(fs);
    for (int i = 0; i < SIM_FS_FILES; i++) {
        if ((bits & 1u << i) == 0) {
            return i;
        }
    }
    return SIM_FS_NO_FILE;
}

int sim_fs_find(const struct sim_fs *fs, const char *name)
{
    return find_file(&fs->view, name);
}

int sim_fs_create(struct sim_fs *fs, const char *name, unsigned mode)
{
    int file = find_unused(fs);
    while (file == SIM_FS_NO_FILE && fs->pending > 0) {
        commit(fs, 1);
        file = find_unused(fs);
    }
    if (file != SIM_FS_NO_FILE) {
        sim_fs_file_init(&fs->files[file], mode);
        enter(fs, SIM_FS_CREATE, file, name, "");
    }
    return file;
}

void sim_fs_unlink(struct sim_fs *fs, const char *name)
{
    enter(fs, SIM_FS_UNLINK, 0, name, "");
}

void sim_fs_rename(struct sim_fs *fs, const char *from, const char *to)
{
    enter(fs, SIM_FS_RENAME, 0, from, to);
}

void sim_fs_sync_dir(struct sim_fs *fs)
{
    commit(fs, fs->pending);
}

// --- as a value ----------------------------------------------------------------------------------

void sim_fs_init(struct sim_fs *fs, struct sim *sim)
{
    memset(fs, 0, sizeof *fs);
    fs->sim = sim;
}

void sim_fs_copy(struct sim_fs *to, const struct sim_fs *from)
{
    unsigned bits = in_use(from);
    to->durable = from->durable;
    to->view = from->view;
    to->pending = from->pending;
    memcpy(to->ops, from->ops, from->pending * sizeof from->ops[0]);
    memcpy(to->fds, from->fds, sizeof from->fds);
    for (size_t i = 0; i < SIM_FS_FILES; i++) {
        if ((bits & 1u << i) != 0) {
            sim_fs_file_copy(&to->files[i], &from->files[i]);
        }
    }
}

size_t sim_fs_pieces(const struct sim_fs *fs, struct sim_piece *pieces, size_t max)
{
    unsigned bits = reachable(fs);
    size_t n = 0;
    if (fs->pending > 0) {
        insist(n < max, "too many pieces");
        pieces[n++] = (struct sim_piece){(uint8_t)(fs->pending + 1), (uint8_t)fs->pending};
    }
    for (size_t i = 0; i < SIM_FS_FILES; i++) {
        uint8_t fates = (bits & 1u << i) != 0 ? sim_fs_file_fates(&fs->files[i]) : 0;
        if (fates > 0) {
            insist(n < max, "too many pieces");
            pieces[n++] = (struct sim_piece){fates, (uint8_t)(fates - 2)};
        }
    }
    return n;
}

// What is on the medium is all there is.
static void start_anew(struct sim_fs *fs)
{
    fs->pending = 0;
    fs->view = fs->durable;
    memset(fs->fds, 0, sizeof fs->fds);
    for (size_t i = 0; i < SIM_FS_FILES; i++) {
        sim_fs_file_start_anew(&fs->files[i]);
    }
}

void sim_fs_cut(struct sim_fs *fs, const uint8_t *fates, uint64_t seed)
{
    unsigned bits = reachable(fs);
    if (fs->pending > 0) {
        commit(fs, *fates++);
    }
    for (size_t i = 0; i < SIM_FS_FILES; i++) {
        if ((bits & 1u << i) != 0 && sim_fs_file_fates(&fs->files[i]) > 0) {
            sim_fs_file_cut(&fs->files[i], *fates++, seed + i);
        }
    }
    start_anew(fs);
}

static void sync_all(struct sim_fs *fs)
{
    unsigned bits = in_use(fs);
    sim_fs_sync_dir(fs);
    for (size_t i = 0; i < SIM_FS_FILES; i++) {
        if ((bits & 1u << i) != 0) {
            sim_fs_file_sync(&fs->files[i]);
        }
    }
}

void sim_fs_settle(struct sim_fs *fs)
{
    sync_all(fs);
    start_anew(fs);
}

// --- for the driver ------------------------------------------------------------------------------

bool sim_fs_lookup(const struct sim_fs *fs, const char *name, const uint8_t **ret_data,
                   size_t *ret_len)
{
    int file = sim_fs_find(fs, name);
    if (file == SIM_FS_NO_FILE) {
        return false;
    }
    *ret_data = sim_fs_file_data(&fs->files[file]);
    *ret_len = sim_fs_file_len(&fs->files[file]);
    return true;
}

void sim_fs_put(struct sim_fs *fs, const char *name, const void *data, size_t len)
{
    int file = sim_fs_find(fs, name);
    file = file == SIM_FS_NO_FILE ? sim_fs_create(fs, name, 0600) : file;
    insist(file != SIM_FS_NO_FILE && len <= SIM_FS_FILE_MAX, "no room for what is put");
    struct sim_fs_file *f = &fs->files[file];
    sim_fs_file_empty(f);
    sim_fs_file_write(f, data, len, 0);
    sync_all(fs);
}

bool sim_fs_remove(struct sim_fs *fs, const char *name)
{
    bool found = sim_fs_find(fs, name) != SIM_FS_NO_FILE;
    if (found) {
        sim_fs_unlink(fs, name);
    }
    sync_all(fs);
    return found;
}

bool sim_fs_spoil(struct sim_fs *fs, const char *name, uint64_t seed)
{
    uint8_t bytes[SIM_FS_FILE_MAX];
    const uint8_t *data;
    size_t len;
    if (!sim_fs_lookup(fs, name, &data, &len)) {
        return false;
    }
    memcpy(bytes, data, len);
    uint64_t how = len == 0 ? 2 : next_random(&seed) % 3;
    if (how == 0) {
        uint64_t bit = next_random(&seed) % (len * 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    } else if (how == 1) {
        len /= 2;
    } else {
        len = len == 0 ? SPOILT_EMPTY_BYTES : len;
        sim_garbage(bytes, len, seed);
    }
    sim_fs_put(fs, name, bytes, len);
    return true;
}

bool sim_fs_equal(const struct sim_fs *a, const struct sim_fs *b)
{
    bool same = a->durable.count == b->durable.count;
    for (size_t i = 0; same && i < a->durable.count; i++) {
        const struct sim_fs_file *f = &a->files[a->durable.names[i].file];
        int other = find_file(&b->durable, a->durable.names[i].name);
        same = other != SIM_FS_NO_FILE && f->medium_len == b->files[other].medium_len &&
               memcmp(f->medium, b->files[other].medium, f->medium_len) == 0;
    }
    return same;
}
