// SPDX-License-Identifier: Apache-2.0
#include "base/openssl.h"

#include "tests/support/expect.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static void a_failure_says_what_and_why_and_leaves_no_older_reason(void **state)
{
    (void)state;
    struct error e;
    assert_null(EVP_MD_fetch(NULL, "no such thing", NULL));
    assert_fails(ERR_INTERNAL, "fetch it: error:", fail_openssl(&e, "fetch it"));
    assert_non_null(strstr(e.msg, "unsupported"));
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_says_what_and_why_and_leaves_no_older_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
