// SPDX-License-Identifier: Apache-2.0
#include "updater/notify.h"

#include "tests/support/notify_socket.h"
#include "tests/support/temp_dir.h"

static void what_is_sent_arrives_as_it_stands(void **state)
{
    char path[512];
    char said[1024];
    int fd = notify_socket_open(temp_dir_path(path, sizeof path, *state, "notify"));
    struct notify n = notify_open();
    notify_send(&n, "READY=1\nSTATUS=here");
    assert_string_equal(notify_socket_read(fd, said), "READY=1\nSTATUS=here");
    assert_string_equal(notify_socket_read(fd, said), "");
    notify_close(&n);
    notify_send(&n, "late");
    assert_string_equal(notify_socket_read(fd, said), "");
    notify_socket_close(fd);
}

static void a_socket_may_be_in_the_abstract_namespace(void **state)
{
    (void)state;
    char name[64];
    char said[1024];
    snprintf(name, sizeof name, "@vv-test-notify-%d", (int)getpid());
    int fd = notify_socket_open(name);
    struct notify n = notify_open();
    notify_send(&n, "READY=1");
    assert_string_equal(notify_socket_read(fd, said), "READY=1");
    notify_close(&n);
    notify_socket_close(fd);
}

static void without_systemd_nothing_is_sent(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    struct notify n = notify_open();
    assert_int_equal(n.fd, -1);
    assert_int_equal(n.watchdog_ms, 0);
    notify_send(&n, "READY=1");
    notify_close(&n);
}

static void a_socket_that_makes_no_sense_is_nobody(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "/", "@", "relative", "vsock:1:2"};
    char too_long[256];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    for (size_t i = 0; i <= sizeof odd / sizeof odd[0]; i++) {
        setenv("NOTIFY_SOCKET", i < sizeof odd / sizeof odd[0] ? odd[i] : too_long, 1);
        struct notify n = notify_open();
        assert_int_equal(n.fd, -1);
    }
    unsetenv("NOTIFY_SOCKET");
}

static void a_listener_that_is_gone_is_nobodys_business(void **state)
{
    char path[512];
    setenv("NOTIFY_SOCKET", temp_dir_path(path, sizeof path, *state, "gone"), 1);
    struct notify n = notify_open();
    notify_send(&n, "READY=1");
    notify_close(&n);
    unsetenv("NOTIFY_SOCKET");
}

static uint64_t watchdog_with(const char *limit, const char *whom)
{
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", limit, 1);
    if (whom != NULL) {
        setenv("WATCHDOG_PID", whom, 1);
    }
    struct notify n = notify_open();
    uint64_t ms = n.watchdog_ms;
    notify_close(&n);
    return ms;
}

static void the_limit_counts_when_it_is_for_this_process(void **state)
{
    char path[512];
    char me[32];
    int fd = notify_socket_open(temp_dir_path(path, sizeof path, *state, "notify"));
    snprintf(me, sizeof me, "%d", (int)getpid());
    assert_int_equal(watchdog_with("30000000", me), 30000);
    assert_int_equal(watchdog_with("30000000", NULL), 30000);
    assert_int_equal(watchdog_with("30000000", "1"), 0);
    assert_int_equal(watchdog_with("30000000", "me"), 0);
    assert_int_equal(watchdog_with("soon", NULL), 0);
    notify_socket_close(fd);
    assert_int_equal(watchdog_with("30000000", NULL), 0); // and nobody to tell
    unsetenv("WATCHDOG_USEC");
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(what_is_sent_arrives_as_it_stands),
        cmocka_unit_test(a_socket_may_be_in_the_abstract_namespace),
        cmocka_unit_test(without_systemd_nothing_is_sent),
        cmocka_unit_test(a_socket_that_makes_no_sense_is_nobody),
        IN_DIR(a_listener_that_is_gone_is_nobodys_business),
        IN_DIR(the_limit_counts_when_it_is_for_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
