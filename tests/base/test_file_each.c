// SPDX-License-Identifier: Apache-2.0
// file_each() of base/file.h.
#include "base/file.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { LEN = 3 * FILE_PIECE_BYTES };

struct taken {
    const uint8_t *expected;
    size_t len, pieces;
    size_t fails_at; // the piece, from 1; 0: none
};

static enum err take(void *context, const uint8_t *piece, size_t len, struct error *e)
{
    struct taken *t = context;
    assert_in_range(len, 1, FILE_PIECE_BYTES);
    assert_memory_equal(piece, t->expected + t->len, len);
    t->len += len;
    t->pieces++;
    return t->pieces == t->fails_at ? fail(e, ERR_FORMAT, 0, "enough") : OK;
}

static void write_file(const char *path, const uint8_t *data, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void a_file_comes_in_whole_pieces_and_a_rest(void **state)
{
    static const size_t lengths[] = {0, 1, FILE_PIECE_BYTES - 1, FILE_PIECE_BYTES, LEN - 1, LEN};
    static const size_t pieces[] = {0, 1, 1, 1, 3, 3};
    struct error e;
    char path[256];
    CLEANUP(cleanup_free) uint8_t *data = malloc(LEN);
    assert_non_null(data);
    fill_random(data, LEN, 1);
    temp_dir_path(path, sizeof path, *state, "record");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct taken t = {.expected = data};
        write_file(path, data, lengths[i]);
        assert_ok(file_each(path, take, &t, &e));
        assert_int_equal(t.len, lengths[i]);
        assert_int_equal(t.pieces, pieces[i]);
    }
}

static void who_takes_it_may_end_it(void **state)
{
    struct error e;
    char path[256];
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, LEN);
    assert_non_null(data);
    struct taken t = {.expected = data, .fails_at = 2};
    temp_dir_path(path, sizeof path, *state, "record");
    write_file(path, data, LEN);
    assert_fails(ERR_FORMAT, "enough", file_each(path, take, &t, &e));
    assert_int_equal(t.pieces, 2);
}

static void what_cannot_be_read_is_told(void **state)
{
    struct error e;
    char path[256];
    struct taken t = {0};
    temp_dir_path(path, sizeof path, *state, "record");
    assert_fails(ERR_IO, path, file_each(path, take, &t, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_fails(ERR_IO, *state, file_each(*state, take, &t, &e));
    assert_int_equal(e.sys, EISDIR);
}

#define T(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_file_comes_in_whole_pieces_and_a_rest),
        T(who_takes_it_may_end_it),
        T(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
