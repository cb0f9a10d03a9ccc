// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/journald.h"

#include "tests/support/notify_socket.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <inttypes.h>

enum { TOO_MANY = 100000 };

static struct agent_event sample(enum event_kind kind)
{
    return (struct agent_event){.kind = kind,
                                .state = "downloading",
                                .source = "dir",
                                .version = "2.0",
                                .release_index = 20};
}

// The journal's end of it; notify_socket.h has a datagram socket of the same kind.
static int listen_at(void **state, char path[512])
{
    return notify_socket_open(temp_dir_path(path, 512, *state, "journal"));
}

static void a_change_of_state_arrives_with_its_fields(void **state)
{
    char path[512];
    char said[1024];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    const struct agent_event ev = sample(EVENT_STATE);
    assert_true(journald_send(&j, &ev));
    assert_string_equal(notify_socket_read(fd, said),
                        "MESSAGE=downloading 2.0 of dir\nPRIORITY=6\nSYSLOG_IDENTIFIER=vv-update\n"
                        "MESSAGE_ID=6f112442e4b24019bcba9a998a77066e\nVV_EVENT=state\n"
                        "VV_STATE=downloading\nVV_SOURCE=dir\nVV_VERSION=2.0\n"
                        "VV_RELEASE_INDEX=20\n");
    assert_string_equal(notify_socket_read(fd, said), "");
    journald_close(&j);
    notify_socket_close(fd);
}

static void a_report_has_an_id_of_its_own(void **state)
{
    char path[512];
    char said[1024];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    struct agent_event ev = sample(EVENT_REPORT);
    ev.outcome = OFFER_SUCCESS;
    assert_true(journald_send(&j, &ev));
    assert_contains(notify_socket_read(fd, said),
                    "\nMESSAGE_ID=0c6b0d9734a24cf2a884e2ab61ab97ab\nVV_EVENT=report\n");
    assert_contains(said, "\nVV_OUTCOME=success\n");
    journald_close(&j);
    notify_socket_close(fd);
}

static void the_priority_says_how_bad_it_is(void **state)
{
    static const struct {
        enum event_kind kind;
        enum offer_outcome outcome;
        enum log_level level;
        const char *want;
    } rows[] = {
        {EVENT_STATE, OFFER_UNDECIDED, LOG_LEVEL_ERROR, "\nPRIORITY=6\n"},
        {EVENT_STATE, OFFER_FAILURE, LOG_LEVEL_INFO, "\nPRIORITY=3\n"},
        {EVENT_REPORT, OFFER_FAILURE, LOG_LEVEL_INFO, "\nPRIORITY=3\n"},
        {EVENT_REPORT, OFFER_SUCCESS, LOG_LEVEL_INFO, "\nPRIORITY=5\n"},
        {EVENT_REPORT, OFFER_CANCELLED, LOG_LEVEL_INFO, "\nPRIORITY=5\n"},
        {EVENT_PROGRESS, OFFER_UNDECIDED, LOG_LEVEL_ERROR, "\nPRIORITY=7\n"},
        {EVENT_GATE, OFFER_UNDECIDED, LOG_LEVEL_ERROR, "\nPRIORITY=6\n"},
        {EVENT_LOG, OFFER_UNDECIDED, LOG_LEVEL_ERROR, "\nPRIORITY=3\n"},
        {EVENT_LOG, OFFER_FAILURE, LOG_LEVEL_WARN, "\nPRIORITY=4\n"},
        {EVENT_LOG, OFFER_FAILURE, LOG_LEVEL_INFO, "\nPRIORITY=6\n"},
    };
    char path[512];
    char said[1024];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct agent_event ev = sample(rows[i].kind);
        ev.outcome = rows[i].outcome;
        ev.level = rows[i].level;
        assert_true(journald_send(&j, &ev));
        assert_contains(notify_socket_read(fd, said), rows[i].want);
        bool has_id = strstr(said, "MESSAGE_ID=") != NULL;
        assert_int_equal(has_id, rows[i].kind == EVENT_STATE || rows[i].kind == EVENT_REPORT);
    }
    journald_close(&j);
    notify_socket_close(fd);
}

// Each line of what arrives is FIELD=VALUE with a name that the journal takes.
static void what_a_server_chose_becomes_no_field(void **state)
{
    char path[512];
    char said[1024];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    struct agent_event ev = sample(EVENT_REPORT);
    ev.outcome = OFFER_FAILURE;
    ev.reason = "a\nPRIORITY=0\nb\n\4\0\0";
    ev.offer = "x\nMESSAGE_ID=1";
    ev.failed_checks = "\n\n";
    assert_true(journald_send(&j, &ev));
    notify_socket_read(fd, said);
    size_t lines = 0;
    char *rest = said;
    for (char *line = strsep(&rest, "\n"); line != NULL && rest != NULL;
         line = strsep(&rest, "\n")) {
        size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if (name == 0 || line[name] != '=') {
            fail_msg("expected FIELD=VALUE, got: %s", line);
        }
        lines++;
    }
    assert_int_equal(lines, 13);
    journald_close(&j);
    notify_socket_close(fd);
}

static void a_journal_that_takes_no_more_is_not_waited_for(void **state)
{
    char path[512];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    const struct agent_event ev = sample(EVENT_STATE);
    int sent = 0;
    while (sent < TOO_MANY && journald_send(&j, &ev)) {
        sent++;
    }
    assert_in_range(sent, 1, TOO_MANY - 1);
    journald_close(&j);
    notify_socket_close(fd);
}

static void a_journal_that_was_restarted_is_found_again(void **state)
{
    char path[512];
    char said[1024];
    int fd = listen_at(state, path);
    struct journald j = journald_open(path);
    const struct agent_event ev = sample(EVENT_STATE);
    notify_socket_close(fd);
    assert_false(journald_send(&j, &ev));
    assert_int_equal(unlink(path), 0);
    assert_false(journald_send(&j, &ev));
    fd = listen_at(state, path);
    assert_true(journald_send(&j, &ev));
    assert_contains(notify_socket_read(fd, said), "MESSAGE=");
    journald_close(&j);
    notify_socket_close(fd);
}

static void without_a_journal_the_caller_is_told(void **state)
{
    (void)state;
    char too_long[256];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    const char *const odd[] = {NULL, "", too_long};
    const struct agent_event ev = sample(EVENT_STATE);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct journald j = journald_open(odd[i]);
        assert_int_equal(j.fd, -1);
        assert_false(journald_send(&j, &ev));
        journald_close(&j);
    }
}

static void no_program_that_is_started_has_the_socket(void **state)
{
    (void)state;
    struct journald j = journald_open("/nowhere");
    assert_true((fcntl(j.fd, F_GETFD) & FD_CLOEXEC) != 0);
    journald_close(&j);
    assert_int_equal(j.fd, -1);
    journald_close(&j);
}

static void the_stream_is_known_by_device_and_inode(void **state)
{
    char path[512];
    char name[128];
    struct stat st;
    int fd = open(temp_dir_path(path, sizeof path, *state, "stream"), O_CREAT | O_RDWR | O_CLOEXEC,
                  0600);
    assert_int_equal(fstat(fd, &st), 0);
    snprintf(name, sizeof name, "%" PRIu64 ":%" PRIu64, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
    assert_true(journald_is_stream(fd, name));
    assert_false(journald_is_stream(STDIN_FILENO, name));
    assert_false(journald_is_stream(-1, name));
    snprintf(name, sizeof name, "%" PRIu64 ":%" PRIu64, (uint64_t)st.st_dev + 1,
             (uint64_t)st.st_ino);
    assert_false(journald_is_stream(fd, name));
    snprintf(name, sizeof name, "%" PRIu64 ":%" PRIu64, (uint64_t)st.st_dev,
             (uint64_t)st.st_ino + 1);
    assert_false(journald_is_stream(fd, name));
    static const char *const odd[] = {
        NULL,   "",
        ":",    "1",
        "1:",   ":1",
        "a:b",  "1:2:3",
        " 1:2", "111111111111111111111111111111111111111111111111111111111111111111111111:1"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_false(journald_is_stream(fd, odd[i]));
    }
    close(fd);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_change_of_state_arrives_with_its_fields),
        IN_DIR(a_report_has_an_id_of_its_own),
        IN_DIR(the_priority_says_how_bad_it_is),
        IN_DIR(what_a_server_chose_becomes_no_field),
        IN_DIR(a_journal_that_takes_no_more_is_not_waited_for),
        IN_DIR(a_journal_that_was_restarted_is_found_again),
        cmocka_unit_test(without_a_journal_the_caller_is_told),
        cmocka_unit_test(no_program_that_is_started_has_the_socket),
        IN_DIR(the_stream_is_known_by_device_and_inode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
