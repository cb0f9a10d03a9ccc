// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_fs_calls.h"

#include "tests/sim/sim_fs.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

enum {
    RUNS = 4,
    RUN_CALLS = 3000,
    OPEN_MAX_AT_A_TIME = 6,
    SEQUENCE_FILE_MAX = 8 * 1024,
    TOLD_MAX = 256
};

static struct sim sim;
static struct sim_fs fs;

static void mount_empty(void)
{
    sim = (struct sim){0};
    sim_fs_init(&fs, &sim);
    sim_fs_mount(&fs);
}

static int set_up(void **state)
{
    mount_empty();
    return temp_dir_make(state);
}

static int open_new(const char *name)
{
    char path[PATH_MAX];
    temp_dir_path(path, sizeof path, SIM_FS_DIR, name);
    return open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
}

static void assert_refused(int sys, long got)
{
    assert_int_equal(got, -1);
    assert_int_equal(errno, sys);
}

// --- beside the real system ----------------------------------------------------------------------

static void what_is_elsewhere_goes_to_the_real_system(void **state)
{
    char path[PATH_MAX];
    char other[PATH_MAX];
    char text[8] = "";
    struct stat st;
    temp_dir_path(path, sizeof path, *state, "file");
    temp_dir_path(other, sizeof other, *state, "other");
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0 && fd < SIM_FS_FD_FIRST);
    assert_int_equal(write(fd, "text", 4), 4);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rename(path, other), 0);
    assert_refused(EXDEV, rename(other, SIM_FS_DIR "/other"));
    fd = open(other, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 4);
    assert_string_equal(text, "text");
    assert_int_equal(close(fd), 0);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(unlink(other), 0);
    assert_refused(ENOENT, stat(other, &st));
    assert_int_equal(sim.calls[SIM_STATE], 0);
}

static void without_a_mount_the_directory_is_not_there(void **state)
{
    (void)state;
    struct stat st;
    int fd = open_new("a");
    sim_fs_mount(NULL);
    assert_refused(ENOENT, stat(SIM_FS_DIR, &st));
    assert_refused(EBADF, close(fd));
    assert_refused(EBADF, fsync(fd));
}

static void only_the_one_directory_is_there(void **state)
{
    (void)state;
    struct error e;
    struct state_store *s = NULL;
    assert_int_equal(close(open_new("a")), 0);
    assert_fails(ERR_CONFIG, "/sim/states", state_dir_open("/sim/states", &s, &e));
    assert_fails(ERR_CONFIG, "not a directory", state_dir_open(SIM_FS_DIR "/a", &s, &e));
    sim_fs_mount(NULL);
    assert_fails(ERR_CONFIG, SIM_FS_DIR, state_dir_open(SIM_FS_DIR, &s, &e));
}

// --- counted, failing, short ---------------------------------------------------------------------

static unsigned moments, changes;

static void on_moment(struct sim *s, bool changed)
{
    (void)s;
    moments += !changed;
    changes += changed;
}

static void assert_moments(unsigned calls, unsigned changed)
{
    assert_int_equal(moments, calls);
    assert_int_equal(changes, changed);
    assert_int_equal(sim.calls[SIM_STATE], calls);
}

static void every_call_but_close_is_counted_and_a_change_is_told(void **state)
{
    (void)state;
    struct stat st;
    char byte;
    moments = changes = 0;
    sim.on_moment = on_moment;
    int fd = open_new("a");
    assert_moments(1, 1);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_moments(2, 2);
    assert_int_equal(fsync(fd), 0);
    assert_moments(3, 3);
    // Nothing to do any more.
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(write(fd, "x", 0), 0);
    assert_int_equal(read(fd, &byte, 1), 0);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(stat(SIM_FS_DIR "/a", &st), 0);
    assert_int_equal(close(fd), 0);
    assert_moments(9, 3);
    assert_int_equal(rename(SIM_FS_DIR "/a", SIM_FS_DIR "/a"), 0);
    assert_moments(10, 3);
    assert_int_equal(rename(SIM_FS_DIR "/a", SIM_FS_DIR "/b"), 0);
    assert_int_equal(unlink(SIM_FS_DIR "/b"), 0);
    assert_moments(12, 5);
    fd = open(SIM_FS_DIR, O_RDONLY | O_DIRECTORY);
    assert_int_equal(fsync(fd), 0);
    assert_moments(14, 6);
    assert_int_equal(fsync(fd), 0);
    assert_moments(15, 6);
}

static void each_call_fails_with_the_error_that_was_ordered(void **state)
{
    (void)state;
    struct stat st;
    char byte;
    int fd = open_new("a");
    sim.fail_seam = SIM_STATE;
    sim.fail_sys = EDQUOT;
#define FAILS(call)                                                                                \
    do {                                                                                           \
        sim.fail_at = sim.calls[SIM_STATE] + 1;                                                    \
        assert_refused(EDQUOT, (call));                                                            \
    } while (0)
    FAILS(open_new("b"));
    FAILS(write(fd, "x", 1));
    FAILS(read(fd, &byte, 1));
    FAILS(fsync(fd));
    FAILS(fchmod(fd, 0600));
    FAILS(fstat(fd, &st));
    FAILS(stat(SIM_FS_DIR, &st));
    FAILS(rename(SIM_FS_DIR "/a", SIM_FS_DIR "/b"));
    FAILS(unlink(SIM_FS_DIR "/a"));
    sim.fail_at = sim.calls[SIM_STATE] + 1;
    assert_int_equal(close(fd), 0);
    sim.fail_at = 0;
    assert_int_equal(fs.view.count, 1);
    assert_int_equal(stat(SIM_FS_DIR "/a", &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void a_write_that_is_short_says_so_and_the_rest_is_the_callers(void **state)
{
    (void)state;
    struct stat st;
    int fd = open_new("a");
    sim.fail_seam = SIM_STATE;
    sim.fail_sys = EIO;
    sim.fail_short = true;
    sim.fail_at = 2;
    assert_int_equal(write(fd, "12345", 5), 2);
    assert_int_equal(write(fd, "345", 3), 3);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 5);
    sim.fail_at = 5;
    assert_refused(EIO, write(fd, "6", 1));
}

// --- when it is full -----------------------------------------------------------------------------

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char zeros[SIM_FS_FILE_MAX];
    char path[PATH_MAX];
    char name[SIM_FS_NAME_SIZE + 1];
    memset(name, 'n', sizeof name);
    name[SIM_FS_NAME_SIZE] = '\0';
    assert_refused(ENAMETOOLONG, open_new(name));
    name[SIM_FS_NAME_SIZE - 1] = '\0';
    int fd = open_new(name);
    assert_int_equal(write(fd, zeros, 1000), 1000);
    assert_int_equal(write(fd, zeros, sizeof zeros), sizeof zeros - 1000);
    assert_refused(ENOSPC, write(fd, zeros, 1));
    for (int i = 1; i < SIM_FS_FDS; i++) {
        assert_true(open(SIM_FS_DIR, O_RDONLY) > fd);
    }
    assert_refused(EMFILE, open_new("a"));
    for (int i = 0; i < SIM_FS_FDS; i++) {
        assert_int_equal(close(fd + i), 0);
    }
    assert_refused(EBADF, close(fd));
    for (int i = 1; i < SIM_FS_FILES; i++) {
        name[0]++;
        assert_int_equal(close(open_new(name)), 0);
    }
    assert_refused(ENOSPC, open_new("a"));
    assert_int_equal(unlink(temp_dir_path(path, sizeof path, SIM_FS_DIR, name)), 0);
    assert_true(open_new("a") >= 0);
}

static void the_oldest_operations_make_room_for_new_ones(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(close(open_new("a")), 0);
        assert_int_equal(unlink(SIM_FS_DIR "/a"), 0);
        assert_true(fs.pending <= SIM_FS_OPS_MAX);
    }
    assert_int_equal(close(open_new("a")), 0);
    sim_fs_settle(&fs);
    assert_int_equal(fs.durable.count, 1);
}

// --- the same answers as a real file system ------------------------------------------------------

// One call of a random sequence; what is left open is known by its place.
struct order {
    enum kind { OPEN, CLOSE, READ, WRITE, FSYNC, RENAME, UNLINK, STAT, FSTAT, FCHMOD, KINDS } kind;
    const char *name, *to;
    int flags;
    size_t place;
    size_t len;
    uint64_t seed;
};

static size_t roll(uint64_t *dice, size_t sides)
{
    return (size_t)(next_random(dice) % sides);
}

static struct order roll_order(uint64_t *dice)
{
    static const char *const names[] = {"/a", "/.a.new", "//b", "/b", "/a/c", "/c", ""};
    static const int extra[] = {0,       0,        O_CREAT,           O_CREAT | O_EXCL,
                                O_TRUNC, O_APPEND, O_CREAT | O_TRUNC, O_DIRECTORY};
    struct order o = {
        .kind = (enum kind)roll(dice, KINDS),
        .name = names[roll(dice, 7)],
        .to = names[roll(dice, 6)],
        .flags = (int)roll(dice, 3) | extra[roll(dice, 8)],
        .place = roll(dice, OPEN_MAX_AT_A_TIME),
        .len = roll(dice, 10) == 0 ? 0 : roll(dice, 700),
        .seed = next_random(dice),
    };
    if (o.kind == RENAME && o.name[0] == '\0') {
        // A mounted directory cannot be moved, that of the test could be.
        o.kind = UNLINK;
    }
    return o;
}

// What a call answered, as text.
static void tell(char told[TOLD_MAX], const struct order *o, long answer, const char *more)
{
    snprintf(told, TOLD_MAX, "%d '%s' '%s' flags %o len %zu: %ld, errno %d%s", (int)o->kind,
             o->name, o->to, (unsigned)o->flags, o->len, answer, answer < 0 ? errno : 0, more);
}

static long read_some(int fd, size_t len, char more[TOLD_MAX / 2])
{
    uint8_t buf[1024];
    uint64_t sum = 0;
    long n = read(fd, buf, len + 1);
    for (long i = 0; i < n; i++) {
        sum = sum * 31 + buf[i];
    }
    snprintf(more, TOLD_MAX / 2, ", bytes %llx", (unsigned long long)sum);
    return n;
}

static long write_some(int fd, const struct order *o)
{
    uint8_t buf[1024];
    struct stat st;
    // The one that is simulated has less room.
    if (fstat(fd, &st) == 0 && st.st_size > SEQUENCE_FILE_MAX) {
        return 0;
    }
    sim_garbage(buf, o->len, o->seed);
    return write(fd, buf, o->len);
}

static long describe(long answer, const struct stat *st, char more[TOLD_MAX / 2])
{
    if (answer == 0 && S_ISREG(st->st_mode)) {
        snprintf(more, TOLD_MAX / 2, ", mode %o, %lld bytes", st->st_mode, (long long)st->st_size);
    } else if (answer == 0) {
        snprintf(more, TOLD_MAX / 2, ", type %o", st->st_mode & S_IFMT);
    }
    return answer;
}

// Carries it out below `dir`.
static void carry_out(const struct order *o, const char *dir, int *fds, char told[TOLD_MAX])
{
    char path[PATH_MAX];
    char to[PATH_MAX];
    char more[TOLD_MAX / 2] = "";
    struct stat st;
    int *fd = &fds[o->place];
    long answer = 0;
    snprintf(path, sizeof path, "%s%s", dir, o->name);
    snprintf(to, sizeof to, "%s%s", dir, o->to);
    errno = 0;
    if (o->kind == OPEN && *fd < 0) {
        *fd = open(path, o->flags, 0600);
        answer = *fd < 0 ? -1 : 0;
    } else if (o->kind == CLOSE) {
        answer = close(*fd);
        *fd = -1;
    } else if (o->kind == READ) {
        answer = read_some(*fd, o->len, more);
    } else if (o->kind == WRITE) {
        answer = write_some(*fd, o);
    } else if (o->kind == FSYNC) {
        answer = fsync(*fd);
    } else if (o->kind == RENAME) {
        answer = rename(path, to);
    } else if (o->kind == UNLINK) {
        answer = unlink(path);
    } else if (o->kind == STAT) {
        answer = describe(stat(path, &st), &st, more);
    } else if (o->kind == FSTAT) {
        answer = describe(fstat(*fd, &st), &st, more);
    } else if (o->kind == FCHMOD) {
        answer = fchmod(*fd, o->len % 2 == 0 ? 0600 : 0640);
    }
    tell(told, o, answer, more);
}

static void assert_same_content(const char *dir)
{
    static const char *const names[] = {"a", ".a.new", "b", "c"};
    size_t there = 0;
    for (size_t i = 0; i < 4; i++) {
        static uint8_t bytes[2 * SIM_FS_FILE_MAX];
        char path[PATH_MAX];
        const uint8_t *data = NULL;
        size_t len = 0;
        int fd = open(temp_dir_path(path, sizeof path, dir, names[i]), O_RDONLY);
        assert_int_equal(sim_fs_lookup(&fs, names[i], &data, &len), fd >= 0);
        if (fd >= 0) {
            assert_int_equal(read(fd, bytes, sizeof bytes), len);
            assert_memory_equal(bytes, data, len);
            assert_int_equal(close(fd), 0);
            assert_int_equal(unlink(path), 0);
            there++;
        }
    }
    assert_int_equal(fs.view.count, there);
}

// What is seen is what an orderly end makes durable.
static void assert_settles_as_seen(void)
{
    static struct sim_fs settled;
    sim_fs_copy(&settled, &fs);
    sim_fs_settle(&settled);
    assert_int_equal(settled.durable.count, fs.view.count);
    for (size_t i = 0; i < fs.view.count; i++) {
        const char *name = fs.view.names[i].name;
        const uint8_t *data = NULL;
        const uint8_t *durable = NULL;
        size_t len = 0;
        size_t durable_len = 0;
        assert_true(sim_fs_lookup(&fs, name, &data, &len));
        assert_true(sim_fs_lookup(&settled, name, &durable, &durable_len));
        assert_int_equal(durable_len, len);
        assert_memory_equal(durable, data, len);
    }
}

static void a_random_sequence_of_calls_is_answered_as_by_a_real_file_system(void **state)
{
    for (uint64_t run = 0; run < RUNS; run++) {
        uint64_t dice = run;
        int real[OPEN_MAX_AT_A_TIME];
        int simulated[OPEN_MAX_AT_A_TIME];
        mount_empty();
        memset(real, -1, sizeof real);
        memset(simulated, -1, sizeof simulated);
        for (int i = 0; i < RUN_CALLS; i++) {
            char expected[TOLD_MAX];
            char told[TOLD_MAX];
            struct order o = roll_order(&dice);
            carry_out(&o, *state, real, expected);
            carry_out(&o, SIM_FS_DIR, simulated, told);
            assert_string_equal(told, expected);
            assert_settles_as_seen();
        }
        for (size_t i = 0; i < OPEN_MAX_AT_A_TIME; i++) {
            assert_int_equal(close(real[i]), close(simulated[i]));
        }
        assert_same_content(*state);
    }
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(what_is_elsewhere_goes_to_the_real_system),
        FRESH(only_the_one_directory_is_there),
        FRESH(without_a_mount_the_directory_is_not_there),
        FRESH(every_call_but_close_is_counted_and_a_change_is_told),
        FRESH(each_call_fails_with_the_error_that_was_ordered),
        FRESH(a_write_that_is_short_says_so_and_the_rest_is_the_callers),
        FRESH(what_does_not_fit_is_refused),
        FRESH(the_oldest_operations_make_room_for_new_ones),
        FRESH(a_random_sequence_of_calls_is_answered_as_by_a_real_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
