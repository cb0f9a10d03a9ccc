// SPDX-License-Identifier: Apache-2.0
#include "keys/ossl.h"

#include "tests/support/expect.h"

#include <openssl/err.h>

static void the_first_reason_stands_behind_the_sentence_and_the_queue_is_empty(void **state)
{
    (void)state;
    struct error e;
    ERR_raise(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
    ERR_raise(ERR_LIB_X509, X509_R_BASE64_DECODE_ERROR);
    assert_fails(ERR_CONFIG, "root.pem, line 3: key values mismatch",
                 ossl_fail(&e, ERR_CONFIG, "%s, line %d", "root.pem", 3));
    assert_string_equal(e.msg, "root.pem, line 3: key values mismatch");
    assert_int_equal(e.sys, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static void without_a_reason_the_sentence_stands_alone(void **state)
{
    (void)state;
    struct error e;
    ERR_clear_error();
    assert_fails(ERR_TRUST, "no good", ossl_fail(&e, ERR_TRUST, "no good"));
    assert_string_equal(e.msg, "no good");
}

static void a_sentence_longer_than_the_room_is_cut(void **state)
{
    (void)state;
    struct error e;
    char text[2 * sizeof(e.msg)];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_fails(ERR_IO, "xxx", ossl_fail(&e, ERR_IO, "%s", text));
    assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reason_stands_behind_the_sentence_and_the_queue_is_empty),
        cmocka_unit_test(without_a_reason_the_sentence_stands_alone),
        cmocka_unit_test(a_sentence_longer_than_the_room_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
