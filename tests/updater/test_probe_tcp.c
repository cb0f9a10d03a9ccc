// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/canned_server.h"
#include "tests/support/captured.h"
#include "tests/support/checks.h"

#include <stdio.h>
#include <stdlib.h>

// The HOST:PORT in the URL of a server.
static const char *address_of(const struct canned_server *s, char buf[64])
{
    const char *host = s->url + strlen("http://");
    snprintf(buf, 64, "%.*s", (int)strcspn(host, "/"), host);
    return buf;
}

static void who_takes_a_connection_is_healthy_and_is_sent_nothing(void **state)
{
    (void)state;
    char address[64];
    char says[128];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, "", 0, false);
    c.address = address_of(&server, address);
    assert_int_equal(probe_tcp(&c, out.fd), PROBE_EXIT_HEALTHY);
    snprintf(says, sizeof says, "connected to %s\n", address);
    assert_string_equal(captured_text(&out), says);
    assert_int_equal(canned_server_requests(&server), 0);
    canned_server_stop(&server);
    captured_end(&out);
}

static void where_nobody_listens_it_has_failed_and_the_address_is_told(void **state)
{
    (void)state;
    char address[64];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, "", 0, false);
    canned_server_stop(&server); // its port is free again
    c.address = address_of(&server, address);
    assert_int_equal(probe_tcp(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "127.0.0.1 port");
    captured_end(&out);
}

static void a_host_without_an_address_has_failed(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    c.address = "camera.invalid:554"; // RFC 6761: never resolves
    assert_int_equal(probe_tcp(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "camera.invalid");
    captured_end(&out);
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
    (void)state;
    char address[64];
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, "", 0, false);
    c.address = address_of(&server, address);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(probe_tcp(&c, out.fd), PROBE_EXIT_HEALTHY);
    unsetenv("http_proxy");
    canned_server_stop(&server);
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_a_connection_is_healthy_and_is_sent_nothing),
        cmocka_unit_test(where_nobody_listens_it_has_failed_and_the_address_is_told),
        cmocka_unit_test(a_host_without_an_address_has_failed),
        cmocka_unit_test(proxies_of_the_environment_are_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
