// SPDX-License-Identifier: Apache-2.0
#include "tests/board/write_log.h"

#include "tests/support/expect.h"

enum { SECTOR = 512, LOG_BYTES = 16 * SECTOR, MEDIUM_BYTES = 64 * SECTOR };

static void put64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static void put_super(uint8_t *log, uint64_t entries, uint64_t sector_bytes)
{
    put64(log, 0x6a736677736872);
    put64(log + 8, 1);
    put64(log + 16, entries);
    put64(log + 24, sector_bytes);
}

static void put_entry(uint8_t *log, size_t at_sector, uint64_t sector, uint64_t sectors,
                      uint64_t flags)
{
    put64(log + at_sector * SECTOR, sector);
    put64(log + at_sector * SECTOR + 8, sectors);
    put64(log + at_sector * SECTOR + 16, flags);
}

// Two sectors to sector 5, a flush, one sector to the last one, a flush.
static void make(uint8_t log[LOG_BYTES])
{
    memset(log, 0, LOG_BYTES);
    put_super(log, 4, SECTOR);
    put_entry(log, 1, 5, 2, 0);
    memset(log + 2 * SECTOR, 'x', SECTOR);
    memset(log + 3 * SECTOR, 'y', SECTOR);
    put_entry(log, 4, 0, 0, 1);
    put_entry(log, 5, 63, 1, 0);
    memset(log + 6 * SECTOR, 'z', SECTOR);
    put_entry(log, 7, 0, 0, 1);
}

static void a_log_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct error e;
    uint8_t bytes[LOG_BYTES];
    struct write_log log;
    make(bytes);
    assert_ok(write_log_parse(bytes, sizeof bytes, MEDIUM_BYTES, &log, &e));
    assert_int_equal(log.count, 4);
    assert_false(log.entries[0].flush);
    assert_int_equal(log.entries[0].off_bytes, 5 * SECTOR);
    assert_int_equal(log.entries[0].len_bytes, 2 * SECTOR);
    assert_int_equal(log.entries[0].data[0], 'x');
    assert_int_equal(log.entries[0].data[2 * SECTOR - 1], 'y');
    assert_true(log.entries[1].flush);
    assert_int_equal(log.entries[1].len_bytes, 0);
    assert_int_equal(log.entries[2].off_bytes, 63 * SECTOR);
    assert_int_equal(log.entries[2].data[0], 'z');
    assert_true(log.entries[3].flush);
    write_log_clear(&log);
}

static void what_stands_behind_the_last_flush_is_not_read(void **state)
{
    (void)state;
    struct error e;
    uint8_t bytes[LOG_BYTES];
    struct write_log log;
    make(bytes);
    put_super(bytes, 2, SECTOR);
    put_entry(bytes, 5, 1000, 1000, 0x80);
    assert_ok(write_log_parse(bytes, sizeof bytes, MEDIUM_BYTES, &log, &e));
    assert_int_equal(log.count, 2);
    write_log_clear(&log);
}

static void a_log_that_is_damaged_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct write_log log;
    static const struct {
        size_t at;
        uint64_t value;
        size_t len;
        const char *why;
    } damages[] = {
        {0, 1, LOG_BYTES, "no log of writes"},
        {8, 2, LOG_BYTES, "another version"},
        {16, 1000, LOG_BYTES, "do not fit"},
        {24, 100, LOG_BYTES, "sectors of 100 bytes"},
        {24, 131072, LOG_BYTES, "sectors of 131072 bytes"},
        {SECTOR, 63, LOG_BYTES, "entry 0: it lies behind the end of the medium"},
        {SECTOR, UINT64_MAX, LOG_BYTES, "entry 0: it lies behind"},
        {SECTOR + 8, UINT64_MAX, LOG_BYTES, "entry 0: it lies behind"},
        {SECTOR + 16, 2, LOG_BYTES, "entry 0: flags 0x2"},
        {SECTOR + 16, 4, LOG_BYTES, "entry 0: flags 0x4"},
        {4 * SECTOR + 8, 1, LOG_BYTES, "entry 1: a flush that writes"},
        {24, SECTOR, 6 * SECTOR, "entry 2: the log ends within its data"},
        {24, SECTOR, 7 * SECTOR, "entry 3: the log ends within it"},
        {24, SECTOR, 100, "no log of writes"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        uint8_t bytes[LOG_BYTES];
        make(bytes);
        put64(bytes + damages[i].at, damages[i].value);
        assert_fails(ERR_FORMAT, damages[i].why,
                     write_log_parse(bytes, damages[i].len, MEDIUM_BYTES, &log, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_read_as_it_was_written),
        cmocka_unit_test(what_stands_behind_the_last_flush_is_not_read),
        cmocka_unit_test(a_log_that_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
