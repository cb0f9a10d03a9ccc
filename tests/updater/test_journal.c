// SPDX-License-Identifier: Apache-2.0
#include "updater/journal.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>

// One record in memory.
struct one_record {
    struct state_store base;
    uint8_t data[8192];
    size_t len; // 0: missing
    enum err fail;
    int fail_sys;
};

static enum err one_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                         size_t *ret_len, struct error *e)
{
    const struct one_record *r = (struct one_record *)s;
    assert_string_equal(name, "journal");
    if (r->fail != OK) {
        return fail(e, r->fail, r->fail_sys, "read failed");
    }
    if (r->len == 0) {
        return fail(e, ERR_IO, ENOENT, "open");
    }
    assert_true(r->len <= max);
    *ret_data = malloc(r->len + 1);
    assert_non_null(*ret_data);
    memcpy(*ret_data, r->data, r->len);
    (*ret_data)[r->len] = 0;
    *ret_len = r->len;
    return OK;
}

static enum err one_replace(struct state_store *s, const char *name, const struct file_part *parts,
                            size_t count, struct error *e)
{
    struct one_record *r = (struct one_record *)s;
    assert_string_equal(name, "journal");
    if (r->fail != OK) {
        return fail(e, r->fail, r->fail_sys, "write failed");
    }
    r->len = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(parts[i].len <= sizeof r->data - r->len);
        memcpy(r->data + r->len, parts[i].data, parts[i].len);
        r->len += parts[i].len;
    }
    return OK;
}

static const struct state_ops one_ops = {.read = one_read, .replace = one_replace};

static struct one_record empty_store(void)
{
    return (struct one_record){.base.ops = &one_ops};
}

static struct release_id release(const char *version, uint64_t index, uint8_t hash)
{
    struct release_id r = {.release_index = index};
    memset(r.manifest_sha256, hash, sizeof r.manifest_sha256);
    snprintf(r.version, sizeof r.version, "%s", version);
    return r;
}

static struct journal full_journal(void)
{
    struct journal j = {.step = STEP_INSTALLING, .slot = 1};
    j.release = release("2.0", 20, 0xab);
    j.next_chunk = 17;
    j.chunk_count = 100;
    j.restarts = 2;
    j.left_bytes = INT64_MAX;
    j.open = true;
    memset(j.fetched.manifest_sha256, 0xcd, SHA256_SIZE);
    j.fetched.bytes = 123456789012;
    j.attempts = 3;
    j.confirmed_max = 12;
    j.slots[0].content = CONTENT_CONFIRMED;
    j.slots[0].release = release("1.0+rc~1:x", INT64_MAX, 0x01);
    j.slots[1].content = CONTENT_PARTIAL;
    j.slots[1].release = release("2.0", 20, 0xab);
    j.last.outcome = OUTCOME_FAILED;
    j.last.slot = 1;
    j.last.release = release("2.0", 20, 0xab);
    snprintf(j.last.reason, sizeof j.last.reason, "no \"route\" to host\n\\");
    j.last.time_s = 1700000000;
    j.floor = 10;
    j.time_floor_s = 1690000000;
    return j;
}

static void save(struct one_record *store, const struct journal *j)
{
    struct error e;
    assert_ok(journal_save(&store->base, j, &e));
}

static struct journal load(struct one_record *store)
{
    struct error e;
    struct journal j;
    memset(&j, 0x5a, sizeof j);
    assert_ok(journal_load(&store->base, &j, &e));
    return j;
}

static void assert_release_equal(const struct release_id *a, const struct release_id *b)
{
    assert_memory_equal(a->manifest_sha256, b->manifest_sha256, SHA256_SIZE);
    assert_string_equal(a->version, b->version);
    assert_int_equal(a->release_index, b->release_index);
}

static void assert_fresh(const struct journal *j, bool lost)
{
    assert_int_equal(j->lost, lost);
    assert_int_equal(j->step, STEP_IDLE);
    assert_int_equal(j->slot, SLOT_NONE);
    assert_int_equal(j->last.slot, SLOT_NONE);
    assert_int_equal(j->last.outcome, OUTCOME_NONE);
    assert_int_equal(j->floor, 0);
    assert_int_equal(j->slots[0].content, CONTENT_UNKNOWN);
    assert_int_equal(j->slots[1].content, CONTENT_UNKNOWN);
    assert_string_equal(j->release.version, "");
}

// Puts a record together by hand, with a right checksum.
static void forge(struct one_record *store, const char *line)
{
    int len = snprintf((char *)store->data, sizeof store->data, "%s", line);
    int more = snprintf((char *)store->data + len, sizeof store->data - (size_t)len,
                        "crc32c %08x\n", crc32c(line, (size_t)len));
    store->len = (size_t)(len + more);
}

// The saved record with `from` replaced by `to`, and a right checksum.
static void tamper(struct one_record *store, const char *from, const char *to)
{
    char line[8192];
    struct journal j = full_journal();
    save(store, &j);
    store->data[store->len] = 0;
    const char *at = strstr((char *)store->data, from);
    if (at == NULL) {
        fail_msg("the record does not have %s: %s", from, (char *)store->data);
    }
    snprintf(line, sizeof line, "%.*s%s%s", (int)(at - (char *)store->data), (char *)store->data,
             to, at + strlen(from));
    *strstr(line, "crc32c ") = '\0';
    forge(store, line);
}

static void everything_saved_is_loaded_again(void **state)
{
    struct one_record store = empty_store();
    struct journal want = full_journal();
    (void)state;
    save(&store, &want);
    struct journal got = load(&store);
    assert_false(got.lost);
    assert_int_equal(got.step, want.step);
    assert_int_equal(got.slot, want.slot);
    assert_release_equal(&got.release, &want.release);
    assert_int_equal(got.next_chunk, want.next_chunk);
    assert_int_equal(got.chunk_count, want.chunk_count);
    assert_int_equal(got.restarts, want.restarts);
    assert_int_equal(got.left_bytes, want.left_bytes);
    assert_int_equal(got.open, want.open);
    assert_memory_equal(&got.fetched, &want.fetched, sizeof got.fetched);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        assert_int_equal(got.slots[i].content, want.slots[i].content);
        assert_release_equal(&got.slots[i].release, &want.slots[i].release);
    }
    assert_int_equal(got.last.outcome, want.last.outcome);
    assert_int_equal(got.last.slot, want.last.slot);
    assert_release_equal(&got.last.release, &want.last.release);
    assert_string_equal(got.last.reason, want.last.reason);
    assert_int_equal(got.last.time_s, want.last.time_s);
    assert_int_equal(got.attempts, want.attempts);
    assert_int_equal(got.confirmed_max, want.confirmed_max);
    assert_int_equal(got.floor, want.floor);
    assert_int_equal(got.time_floor_s, want.time_floor_s);
}

static void every_step_content_and_outcome_survives(void **state)
{
    (void)state;
    for (int i = 0; i <= STEP_TRIAL; i++) {
        struct one_record store = empty_store();
        struct journal j = full_journal();
        j.step = (enum journal_step)i;
        j.slots[1].content = (enum slot_content)i;
        j.last.outcome = (enum journal_outcome)i;
        j.slot = i % 3 - 1;
        save(&store, &j);
        struct journal got = load(&store);
        assert_int_equal(got.step, i);
        assert_int_equal(got.slots[1].content, i);
        assert_int_equal(got.last.outcome, i);
        assert_int_equal(got.slot, i % 3 - 1);
    }
}

static void no_record_is_a_fresh_start_and_not_a_loss(void **state)
{
    struct one_record store = empty_store();
    (void)state;
    struct journal j = load(&store);
    assert_fresh(&j, false);
    // And what is fresh can be saved.
    save(&store, &j);
    j = load(&store);
    assert_fresh(&j, false);
}

static void any_damaged_byte_loses_the_record(void **state)
{
    struct one_record store = empty_store();
    struct journal j = full_journal();
    (void)state;
    save(&store, &j);
    for (size_t i = 0; i < store.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            store.data[i] ^= (uint8_t)(1U << bit);
            struct journal got = load(&store);
            if (!got.lost) {
                fail_msg("bit %u of byte %zu was flipped, and nobody noticed", bit, i);
            }
            assert_fresh(&got, true);
            store.data[i] ^= (uint8_t)(1U << bit);
        }
    }
    assert_false(load(&store).lost);
}

static void a_record_of_any_other_length_is_lost(void **state)
{
    struct one_record store = empty_store();
    struct journal j = full_journal();
    (void)state;
    save(&store, &j);
    size_t whole = store.len;
    for (store.len = 1; store.len < whole; store.len++) {
        assert_true(load(&store).lost);
    }
    store.data[whole] = '\n';
    store.len = whole + 1;
    assert_true(load(&store).lost);
    memset(store.data, 0, whole);
    store.len = whole;
    assert_true(load(&store).lost);
}

static void a_record_of_another_format_is_lost(void **state)
{
    struct one_record store = empty_store();
    (void)state;
    tamper(&store, "\"format\":1", "\"format\":1");
    assert_false(load(&store).lost);
    tamper(&store, "\"format\":1", "\"format\":2");
    assert_true(load(&store).lost);
    tamper(&store, "\"format\":1,", "");
    assert_true(load(&store).lost);
}

static void a_record_with_an_impossible_value_is_lost(void **state)
{
    static const char *const changes[][2] = {
        {"\"step\":\"installing\"", "\"step\":\"flying\""},
        {"\"content\":\"partial\"", "\"content\":\"full\""},
        {"\"outcome\":\"failed\"", "\"outcome\":\"unknown\""},
        {"\"outcome\":\"failed\"", "\"outcome\":5"},
        {"\"slot\":1", "\"slot\":2"},
        {"\"slot\":1", "\"slot\":-2"},
        {"\"slot\":1", "\"slot\":null"},
        {"\"next_chunk\":17", "\"next_chunk\":4294967296"},
        {"\"next_chunk\":17", "\"next_chunk\":-1"},
        {"\"restarts\":2", "\"restarts\":\"2\""},
        {"\"left_bytes\":9223372036854775807", "\"left_bytes\":-1"},
        {"\"left_bytes\":9223372036854775807", "\"left_bytes\":null"},
        {"\"left_bytes\":9223372036854775807", "\"left_bytes\":true"},
        {"\"open\":true", "\"open\":1"},
        {"\"bytes\":123456789012", "\"bytes\":-1"},
        {"\"bytes\":123456789012,", ""},
        {"\"fetched\":{", "\"fetched\":[],\"x\":{"},
        {"\"manifest\":\"cd", "\"manifest\":\""},
        {"\"open\":true", "\"open\":null"},
        {"\"floor\":10", "\"floor\":-10"},
        {"\"time\":1700000000", "\"time\":true"},
        {"\"version\":\"2.0\"", "\"version\":"
                                "\"1234567890123456789012345678901234567890123456789012345678901234"
                                "5\""},
        {"\"manifest\":\"ab", "\"manifest\":\"AB"},
        {"\"manifest\":\"ab", "\"manifest\":\""},
        {"{\"content\":\"confirmed\"", "{},{\"content\":\"confirmed\""},
        {",\"floor\":10", ""},
    };
    struct one_record store = empty_store();
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        tamper(&store, changes[i][0], changes[i][1]);
        if (!load(&store).lost) {
            fail_msg("%s was accepted", changes[i][1]);
        }
    }
}

// The program in the other slot, which may be older, has the same journal.
static void a_record_from_before_the_starts_were_compared_is_kept(void **state)
{
    static const char left_bytes[] = ",\"left_bytes\":9223372036854775807";
    static const char open[] = "\"open\":true,";
    struct one_record store = empty_store();
    struct journal want = full_journal();
    (void)state;
    tamper(&store, left_bytes, "");
    struct journal got = load(&store);
    assert_false(got.lost);
    assert_int_equal(got.left_bytes, 0);
    assert_true(got.open);
    tamper(&store, open, "");
    got = load(&store);
    assert_false(got.lost);
    assert_int_equal(got.left_bytes, want.left_bytes);
    assert_false(got.open);
    assert_int_equal(got.restarts, want.restarts);
    assert_int_equal(got.attempts, want.attempts);
    assert_int_equal(got.slots[0].content, want.slots[0].content);
    assert_int_equal(got.confirmed_max, want.confirmed_max);
    assert_int_equal(got.floor, want.floor);
    assert_int_equal(got.time_floor_s, want.time_floor_s);
}

static void a_record_from_before_fetched_bytes_were_counted_is_kept(void **state)
{
    char fetched[256];
    char hash[65];
    struct one_record store = empty_store();
    (void)state;
    memset(hash, 'c', sizeof hash);
    for (size_t i = 1; i < 64; i += 2) {
        hash[i] = 'd';
    }
    hash[64] = '\0';
    snprintf(fetched, sizeof fetched, "\"fetched\":{\"bytes\":123456789012,\"manifest\":\"%s\"},",
             hash);
    tamper(&store, fetched, "");
    struct journal got = load(&store);
    assert_false(got.lost);
    assert_int_equal(got.fetched.bytes, 0);
    assert_int_equal(got.next_chunk, 17);
    assert_true(got.open);
}

// As this program's was by older ones, which count nothing.
static void a_record_with_members_of_a_newer_program_is_kept(void **state)
{
    struct one_record store = empty_store();
    (void)state;
    tamper(&store, "\"attempts\":3,", "\"attempts\":3,\"bells\":[{\"whistles\":1}],");
    struct journal got = load(&store);
    assert_false(got.lost);
    assert_int_equal(got.attempts, 3);
}

static void a_record_that_is_not_canonical_is_lost(void **state)
{
    struct one_record store = empty_store();
    (void)state;
    tamper(&store, "\"floor\":10", "\"floor\": 10");
    assert_true(load(&store).lost);
    forge(&store, "[]\n");
    assert_true(load(&store).lost);
    forge(&store, "{}");
    assert_true(load(&store).lost);
    forge(&store, "");
    assert_true(load(&store).lost);
}

static void a_record_too_large_or_on_a_bad_block_is_lost(void **state)
{
    struct one_record store = empty_store();
    (void)state;
    store.fail = ERR_FORMAT;
    struct journal j = load(&store);
    assert_fresh(&j, true);
    store.fail = ERR_IO;
    store.fail_sys = EIO;
    j = load(&store);
    assert_fresh(&j, true);
}

static void other_failures_of_the_store_are_told(void **state)
{
    struct error e;
    struct journal j = full_journal();
    struct one_record store = empty_store();
    (void)state;
    store.fail = ERR_IO;
    store.fail_sys = EACCES;
    assert_fails(ERR_IO, "read failed", journal_load(&store.base, &j, &e));
    assert_fails(ERR_IO, "write failed", journal_save(&store.base, &j, &e));
}

static void a_reason_that_is_no_utf8_is_kept_as_ascii(void **state)
{
    struct one_record store = empty_store();
    struct journal j = full_journal();
    (void)state;
    memset(j.last.reason, 0xe4, sizeof j.last.reason - 1);
    j.last.reason[sizeof j.last.reason - 1] = '\0';
    save(&store, &j);
    struct journal got = load(&store);
    assert_false(got.lost);
    assert_int_equal(strlen(got.last.reason), sizeof j.last.reason - 1);
    assert_int_equal(got.last.reason[0], '?');
}

static void a_number_that_json_cannot_hold_is_a_bug(void **state)
{
    struct error e;
    struct one_record store = empty_store();
    (void)state;
    for (int i = 0; i < 9; i++) {
        struct journal j = full_journal();
        uint64_t *numbers[] = {&j.release.release_index,
                               &j.slots[0].release.release_index,
                               &j.slots[1].release.release_index,
                               &j.last.release.release_index,
                               &j.last.time_s,
                               &j.floor,
                               &j.time_floor_s,
                               &j.left_bytes,
                               &j.fetched.bytes};
        *numbers[i] = (uint64_t)INT64_MAX + 1;
        assert_fails(ERR_INTERNAL, "too large", journal_save(&store.base, &j, &e));
        assert_int_equal(store.len, 0);
    }
}

static void a_lost_record_is_whole_again_after_the_next_save(void **state)
{
    struct one_record store = empty_store();
    struct journal j = full_journal();
    (void)state;
    save(&store, &j);
    store.data[5] ^= 1;
    j = load(&store);
    assert_true(j.lost);
    save(&store, &j);
    assert_false(load(&store).lost);
}

static void names_are_those_of_the_manual(void **state)
{
    (void)state;
    assert_string_equal(journal_step_name(STEP_ACTIVATING), "activating");
    assert_string_equal(slot_content_name(CONTENT_REJECTED), "rejected");
    assert_string_equal(journal_outcome_name(OUTCOME_ROLLED_BACK), "rolled_back");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_saved_is_loaded_again),
        cmocka_unit_test(every_step_content_and_outcome_survives),
        cmocka_unit_test(no_record_is_a_fresh_start_and_not_a_loss),
        cmocka_unit_test(any_damaged_byte_loses_the_record),
        cmocka_unit_test(a_record_of_any_other_length_is_lost),
        cmocka_unit_test(a_record_of_another_format_is_lost),
        cmocka_unit_test(a_record_with_an_impossible_value_is_lost),
        cmocka_unit_test(a_record_from_before_the_starts_were_compared_is_kept),
        cmocka_unit_test(a_record_from_before_fetched_bytes_were_counted_is_kept),
        cmocka_unit_test(a_record_with_members_of_a_newer_program_is_kept),
        cmocka_unit_test(a_record_that_is_not_canonical_is_lost),
        cmocka_unit_test(a_record_too_large_or_on_a_bad_block_is_lost),
        cmocka_unit_test(other_failures_of_the_store_are_told),
        cmocka_unit_test(a_reason_that_is_no_utf8_is_kept_as_ascii),
        cmocka_unit_test(a_number_that_json_cannot_hold_is_a_bug),
        cmocka_unit_test(a_lost_record_is_whole_again_after_the_next_save),
        cmocka_unit_test(names_are_those_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
