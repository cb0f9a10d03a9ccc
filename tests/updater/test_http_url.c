// SPDX-License-Identifier: Apache-2.0
#include "updater/http_url.h"

#include "tests/support/expect.h"

static struct http_url *parsed(const char *text)
{
    struct error e;
    struct http_url *url = NULL;
    assert_ok(http_url_parse(text, &url, &e));
    return url;
}

static struct http_url *redirected(const char *from, const char *location)
{
    struct error e;
    struct http_url *url = NULL;
    CLEANUP(cleanup_http_url) struct http_url *first = parsed(from);
    assert_ok(http_url_redirect(first, location, &url, &e));
    return url;
}

static void assert_leads(const char *from, const char *location, const char *wanted)
{
    CLEANUP(cleanup_http_url) struct http_url *url = redirected(from, location);
    assert_string_equal(url->request, wanted);
}

static void assert_not_followed(const char *from, const char *location, const char *why)
{
    struct error e;
    struct http_url *url = NULL;
    CLEANUP(cleanup_http_url) struct http_url *first = parsed(from);
    assert_fails(ERR_NETWORK, why, http_url_redirect(first, location, &url, &e));
    assert_null(url);
}

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url)
    struct http_url *u = parsed("https://example.org:8443/a/b.vvi?sig=1#top");
    assert_string_equal(u->request, "https://example.org:8443/a/b.vvi?sig=1");
    assert_string_equal(u->name, "https://example.org:8443/a/b.vvi");
    assert_string_equal(u->host, "example.org:8443");
    assert_string_equal(u->origin, "https://example.org:8443");
    assert_null(u->user);
    assert_null(u->password);
    assert_true(u->secure);
}

static void a_default_port_is_not_shown_but_belongs_to_the_origin(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url) struct http_url *u = parsed("http://example.org/x");
    assert_string_equal(u->host, "example.org");
    assert_string_equal(u->name, "http://example.org/x");
    assert_string_equal(u->origin, "http://example.org:80");
    assert_false(u->secure);
}

static void user_and_password_are_decoded_and_stand_in_no_text(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url)
    struct http_url *u = parsed("http://device%2d7:p%40ss@example.org/x.vvi?token=secret");
    assert_string_equal(u->user, "device-7");
    assert_string_equal(u->password, "p@ss");
    assert_string_equal(u->request, "http://example.org/x.vvi?token=secret");
    assert_string_equal(u->name, "http://example.org/x.vvi");
    assert_string_equal(u->host, "example.org");
}

static void a_name_holds_no_query(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url) struct http_url *u = parsed("http://h/x?X-Amz-Signature=abc");
    assert_null(strstr(u->name, "abc"));
    assert_null(strchr(u->name, '?'));
}

static void an_ipv6_host_keeps_its_brackets(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url) struct http_url *u = parsed("http://[::1]:8080/x");
    assert_string_equal(u->host, "[::1]:8080");
    assert_string_equal(u->origin, "http://[::1]:8080");
}

static void a_url_of_another_scheme_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct http_url *u = NULL;
    assert_fails(ERR_USAGE, "neither http nor https", http_url_parse("ftp://h/x", &u, &e));
    assert_fails(ERR_USAGE, "neither http nor https", http_url_parse("file:///etc/shadow", &u, &e));
    assert_null(u);
}

static void a_text_that_is_no_url_is_refused_without_repeating_it(void **state)
{
    (void)state;
    struct error e;
    struct http_url *u = NULL;
    assert_fails(ERR_USAGE, "cannot be understood",
                 http_url_parse("http://u:secret@h:99999/", &u, &e));
    assert_null(strstr(e.msg, "secret"));
    assert_fails(ERR_USAGE, "cannot be understood", http_url_parse("http://a b/", &u, &e));
    assert_fails(ERR_USAGE, "cannot be understood", http_url_parse("http://", &u, &e));
    assert_null(u);
}

static void a_line_break_in_a_url_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct http_url *u = NULL;
    assert_fails(ERR_USAGE, "cannot be understood",
                 http_url_parse("http://h/x\r\nX-Injected: 1", &u, &e));
}

static void the_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"http://h/a", "http://h/b?c", true},
        {"http://h/a", "http://h:80/a", true},
        {"https://h/a", "https://h:443/a", true},
        {"http://Example.ORG/", "http://example.org/", true},
        {"HTTP://h/", "http://h/", true},
        {"http://u:p@h/", "http://h/", true},
        {"http://h/", "https://h/", false},
        {"http://h:80/", "https://h:80/", false},
        {"http://h/", "http://h:8080/", false},
        {"http://h/", "http://www.h/", false},
        {"http://h/", "http://h.evil.org/", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        CLEANUP(cleanup_http_url) struct http_url *a = parsed(pairs[i].a);
        CLEANUP(cleanup_http_url) struct http_url *b = parsed(pairs[i].b);
        if (http_url_same_origin(a, b) != pairs[i].same) {
            fail_msg("%s and %s: expected %d", pairs[i].a, pairs[i].b, pairs[i].same);
        }
    }
}

static void a_location_is_resolved_against_the_url_it_came_from(void **state)
{
    (void)state;
    assert_leads("http://h:81/a/b?c=1", "https://other/x?y", "https://other/x?y");
    assert_leads("http://h:81/a/b?c=1", "//other/x", "http://other/x");
    assert_leads("http://h:81/a/b?c=1", "/x?y", "http://h:81/x?y");
    assert_leads("http://h:81/a/b?c=1", "x", "http://h:81/a/x");
    assert_leads("http://h:81/a/b?c=1", "../x", "http://h:81/x");
    assert_leads("http://h:81/a/b?c=1", "?d=2", "http://h:81/a/b?d=2");
}

static void a_relative_location_does_not_inherit_user_and_password(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url) struct http_url *u = redirected("http://u:p@h/a", "/b");
    assert_null(u->user);
    assert_null(u->password);
}

static void a_location_with_spaces_is_encoded(void **state)
{
    (void)state;
    assert_leads("http://h/a", "http://h/an image.vvi", "http://h/an%20image.vvi");
}

static void a_redirect_from_http_to_https_is_followed(void **state)
{
    (void)state;
    CLEANUP(cleanup_http_url) struct http_url *u = redirected("http://h/a", "https://h/a");
    assert_true(u->secure);
}

static void a_redirect_from_https_to_http_is_not_followed(void **state)
{
    (void)state;
    assert_not_followed("https://h/a", "http://h/a", "from https to http");
}

static void a_redirect_to_another_scheme_is_not_followed(void **state)
{
    (void)state;
    assert_not_followed("http://h/a", "ftp://h/a", "neither http nor https");
    assert_not_followed("http://h/a", "file:///etc/passwd", "neither http nor https");
    assert_not_followed("http://h/a", "gopher://h/a", "neither http nor https");
}

static void a_redirect_to_a_url_with_a_user_name_is_not_followed(void **state)
{
    (void)state;
    assert_not_followed("http://h/a", "http://h@evil.org/a", "user name");
    assert_not_followed("http://h/a", "http://u:p@h/a", "user name");
}

static void a_location_that_is_no_url_is_not_followed(void **state)
{
    (void)state;
    assert_not_followed("http://h/a", "http://h:port/", "no URL");
}

static void expect_beside(const char *url, const char *expected)
{
    CLEANUP(cleanup_free) char *beside = NULL;
    struct error e;
    assert_ok(http_url_beside(url, ".from-1.vvd", &beside, &e));
    assert_string_equal(beside, expected);
}

static void a_file_beside_has_the_same_login_and_query(void **state)
{
    (void)state;
    expect_beside("http://h/a/b.vvi", "http://h/a/b.vvi.from-1.vvd");
    expect_beside("https://u:p%40w@h:8443/b.vvi?sig=a%2Fb#x",
                  "https://u:p%40w@h:8443/b.vvi.from-1.vvd?sig=a%2Fb#x");
    expect_beside("http://h/my%20image.vvi", "http://h/my%20image.vvi.from-1.vvd");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(a_default_port_is_not_shown_but_belongs_to_the_origin),
        cmocka_unit_test(user_and_password_are_decoded_and_stand_in_no_text),
        cmocka_unit_test(a_name_holds_no_query),
        cmocka_unit_test(a_file_beside_has_the_same_login_and_query),
        cmocka_unit_test(an_ipv6_host_keeps_its_brackets),
        cmocka_unit_test(a_url_of_another_scheme_is_refused),
        cmocka_unit_test(a_text_that_is_no_url_is_refused_without_repeating_it),
        cmocka_unit_test(a_line_break_in_a_url_is_refused),
        cmocka_unit_test(the_origin_is_scheme_host_and_port),
        cmocka_unit_test(a_location_is_resolved_against_the_url_it_came_from),
        cmocka_unit_test(a_relative_location_does_not_inherit_user_and_password),
        cmocka_unit_test(a_location_with_spaces_is_encoded),
        cmocka_unit_test(a_redirect_from_http_to_https_is_followed),
        cmocka_unit_test(a_redirect_from_https_to_http_is_not_followed),
        cmocka_unit_test(a_redirect_to_another_scheme_is_not_followed),
        cmocka_unit_test(a_redirect_to_a_url_with_a_user_name_is_not_followed),
        cmocka_unit_test(a_location_that_is_no_url_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
