// SPDX-License-Identifier: Apache-2.0
#include "updater/priority.h"

#include "tests/support/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLASS_AT = 13 };

struct seen {
    int nice;
    long io;
    char said[256];
};

// What a child has that sets them, so that this process keeps its own.
static struct seen set_in_child(unsigned nice, struct io_priority io, uid_t user)
{
    struct seen seen = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *text = NULL;
        size_t len;
        struct log log = {.stream = open_memstream(&text, &len), .program = "t"};
        if (user != 0 && setresuid(user, user, user) != 0) {
            _exit(2);
        }
        priority_set(nice, io, &log);
        fclose(log.stream);
        seen.nice = getpriority(PRIO_PROCESS, 0);
        seen.io = syscall(SYS_ioprio_get, 1, 0);
        snprintf(seen.said, sizeof seen.said, "%s", text);
        free(text);
        _exit(write(ends[1], &seen, sizeof seen) == sizeof seen ? 0 : 1);
    }
    int status;
    close(ends[1]);
    assert_int_equal(read(ends[0], &seen, sizeof seen), sizeof seen);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return seen;
}

static void what_is_configured_is_set(void **state)
{
    (void)state;
    int before = getpriority(PRIO_PROCESS, 0);
    struct seen s = set_in_child(19, (struct io_priority){IO_CLASS_BEST_EFFORT, 6}, 0);
    assert_int_equal(s.nice, 19);
    assert_int_equal(s.io, IO_CLASS_BEST_EFFORT << CLASS_AT | 6);
    assert_string_equal(s.said, "");
    s = set_in_child(19, (struct io_priority){IO_CLASS_IDLE, 0}, 0);
    assert_int_equal(s.io >> CLASS_AT, IO_CLASS_IDLE);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

static void what_is_not_configured_is_left_alone(void **state)
{
    (void)state;
    struct seen s = set_in_child(0, (struct io_priority){IO_CLASS_UNCHANGED, 0}, 0);
    assert_int_equal(s.nice, getpriority(PRIO_PROCESS, 0));
    assert_int_equal(s.io, syscall(SYS_ioprio_get, 1, 0));
    assert_string_equal(s.said, "");
}

static void what_cannot_be_set_is_a_warning(void **state)
{
    (void)state;
    if (geteuid() != 0 || getpriority(PRIO_PROCESS, 0) == 19) {
        skip(); // only another user may be refused, who comes from a higher value
    }
    // Back to a higher priority is for root only.
    assert_int_equal(setpriority(PRIO_PROCESS, 0, 19), 0);
    struct seen s = set_in_child(10, (struct io_priority){IO_CLASS_UNCHANGED, 0}, 65534);
    assert_contains(s.said, "[install] nice: it cannot be set: Permission denied");
    assert_int_equal(s.nice, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_configured_is_set),
        cmocka_unit_test(what_is_not_configured_is_left_alone),
        cmocka_unit_test(what_cannot_be_set_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
