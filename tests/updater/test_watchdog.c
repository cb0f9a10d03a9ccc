// SPDX-License-Identifier: Apache-2.0
// A file is the device here: what is written to it can be counted.
#include "updater/watchdog.h"

#include "base/cleanup.h"
#include "tests/support/fast_clock.h"
#include "tests/support/notify_socket.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>

struct room {
    const char *dir;
    char device[512];
    struct talk talk;
    struct fast_clock clock;
    struct watchdog watchdog;
};

static void put(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

// What the device was told.
static const char *told(const struct room *r, char buf[64])
{
    int fd = open(r->device, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, 63);
    buf[n > 0 ? n : 0] = '\0';
    for (ssize_t i = 0; i < n; i++) {
        buf[i] = buf[i] == '\0' ? '.' : buf[i];
    }
    if (fd >= 0) {
        close(fd);
    }
    return buf;
}

static void begin(struct room *r, const char *dir)
{
    *r = (struct room){.dir = dir, .clock = fast_clock_make()};
    talk_begin(&r->talk);
    put(temp_dir_path(r->device, sizeof r->device, dir, "wd"), "");
    r->watchdog = watchdog_on(r->device, &r->clock.base, &r->talk.log);
    r->watchdog.sysfs = dir;
}

static void end(struct room *r, bool stop)
{
    watchdog_close(&r->watchdog, stop);
    talk_end(&r->talk);
}

static void pass(struct room *r, uint64_t ms)
{
    r->clock.base.ops->sleep_ms(&r->clock.base, ms);
}

// --- the device ---------------------------------------------------------------------------------

static void nothing_is_opened_before_it_is_armed(void **state)
{
    struct room r;
    char buf[64];
    begin(&r, *state);
    watchdog_feed(&r.watchdog);
    pass(&r, 60000);
    watchdog_feed(&r.watchdog);
    assert_int_equal(r.watchdog.fd, -1);
    assert_string_equal(told(&r, buf), "");
    end(&r, true);
}

static void an_armed_device_is_fed_as_often_as_it_needs_and_not_more(void **state)
{
    struct room r;
    char buf[64];
    begin(&r, *state);
    watchdog_arm(&r.watchdog);
    assert_string_equal(r.watchdog.state, "ours");
    assert_string_equal(told(&r, buf), ".");
    watchdog_feed(&r.watchdog);
    assert_string_equal(told(&r, buf), ".");
    for (int i = 0; i < 12; i++) { // 6 s; fed every 3 s
        pass(&r, 500);
        watchdog_feed(&r.watchdog);
    }
    assert_string_equal(told(&r, buf), "...");
    end(&r, true);
}

static void it_is_stopped_when_the_trial_is_over(void **state)
{
    struct room r;
    char buf[64];
    begin(&r, *state);
    watchdog_arm(&r.watchdog);
    watchdog_close(&r.watchdog, true);
    assert_string_equal(told(&r, buf), ".V");
    end(&r, true);
    assert_string_equal(told(&r, buf), ".V");
}

static void it_goes_on_when_the_system_is_to_be_left(void **state)
{
    struct room r;
    char buf[64];
    begin(&r, *state);
    watchdog_arm(&r.watchdog);
    end(&r, false);
    assert_string_equal(told(&r, buf), ".");
}

// A character device that takes every byte.
static void a_device_that_is_not_known_to_stop_is_left_to_others(void **state)
{
    static const char *const flags[] = {"1\n", "", NULL, "0\n"}; // NULL: the kernel has no file
    struct room r;
    char path[1024];
    char sysfs[512];
    begin(&r, *state);
    assert_int_equal(mkdir(temp_dir_path(sysfs, sizeof sysfs, *state, "class"), 0700), 0);
    assert_int_equal(mkdir(temp_dir_path(path, sizeof path, sysfs, "null"), 0700), 0);
    temp_dir_path(path, sizeof path, sysfs, "null/nowayout");
    r.watchdog.sysfs = sysfs;
    r.watchdog.device = "/dev/null";
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        (void)remove(path);
        if (flags[i] != NULL) {
            put(path, flags[i]);
        }
        watchdog_arm(&r.watchdog);
        bool last = i + 1 == sizeof flags / sizeof flags[0];
        assert_string_equal(r.watchdog.state, last ? "ours" : "cannot be stopped");
    }
    assert_contains(talk_text(&r.talk), "is not known to stop again once it is open (nowayout)");
    end(&r, true);
}

static void without_a_device_there_is_nothing_to_feed(void **state)
{
    struct room r;
    begin(&r, *state);
    r.watchdog.device = NULL;
    watchdog_arm(&r.watchdog);
    assert_string_equal(r.watchdog.state, "none");
    r.watchdog.device = "/nowhere/watchdog";
    watchdog_arm(&r.watchdog);
    assert_string_equal(r.watchdog.state, "none");
    watchdog_feed(&r.watchdog);
    assert_true(talk_text(&r.talk) == NULL || talk_text(&r.talk)[0] == '\0');
    end(&r, true);
}

static void a_device_that_cannot_be_opened_is_told(void **state)
{
    struct room r;
    begin(&r, *state);
    r.watchdog.device = r.dir; // a directory cannot be written to
    watchdog_arm(&r.watchdog);
    assert_string_equal(r.watchdog.state, "none");
    assert_contains(talk_text(&r.talk), r.dir);
    end(&r, true);
}

// --- systemd ------------------------------------------------------------------------------------

static void systemd_gets_its_keep_alives_beside_the_device(void **state)
{
    struct room r;
    char path[512];
    char said[1024];
    char buf[64];
    int fd = notify_socket_open(temp_dir_path(path, sizeof path, *state, "notify"));
    setenv("WATCHDOG_USEC", "6000000", 1);
    begin(&r, *state);
    watchdog_feed(&r.watchdog);
    // Its limit counts from the beginning.
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    assert_string_equal(told(&r, buf), "");
    watchdog_arm(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    watchdog_feed(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "");
    pass(&r, 2000); // a third
    watchdog_feed(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    assert_string_equal(told(&r, buf), "..");
    end(&r, true);
    notify_socket_close(fd);
}

static void systemd_alone_gets_them_too(void **state)
{
    struct room r;
    char path[512];
    char said[1024];
    int fd = notify_socket_open(temp_dir_path(path, sizeof path, *state, "notify"));
    setenv("WATCHDOG_USEC", "30000000", 1);
    begin(&r, *state);
    r.watchdog.device = NULL;
    watchdog_arm(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    pass(&r, 9000);
    watchdog_feed(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "");
    pass(&r, 1000);
    watchdog_feed(&r.watchdog);
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    end(&r, true);
    notify_socket_close(fd);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(nothing_is_opened_before_it_is_armed),
        IN_DIR(an_armed_device_is_fed_as_often_as_it_needs_and_not_more),
        IN_DIR(it_is_stopped_when_the_trial_is_over),
        IN_DIR(it_goes_on_when_the_system_is_to_be_left),
        IN_DIR(a_device_that_is_not_known_to_stop_is_left_to_others),
        IN_DIR(without_a_device_there_is_nothing_to_feed),
        IN_DIR(a_device_that_cannot_be_opened_is_told),
        IN_DIR(systemd_gets_its_keep_alives_beside_the_device),
        IN_DIR(systemd_alone_gets_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
