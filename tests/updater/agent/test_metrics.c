// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/metrics.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"
#include "tests/support/temp_dir.h"

#include <ctype.h>

static const char *const states[] = {"idle", "downloading", "waiting"};

static struct metrics sample(void)
{
    return (struct metrics){
        .program_version = "1.4.0",
        .version = "2.0",
        .slot = "b",
        .release_index = 20,
        .states = states,
        .state_count = 3,
        .state = 1,
        .trial = true,
        .held = false,
        .denied_releases = 2,
        .last_poll_s = 1700000000,
        .last_poll_ok = true,
        .polls = 12,
        .poll_failures = 3,
        .last_update_s = 1690000000,
        .last_update_ok = false,
        .updates = {[OFFER_UNDECIDED] = 99, [OFFER_SUCCESS] = 4, [OFFER_FAILURE] = 1},
        .download_bytes = 123456789012,
    };
}

// --- a reader of the format, by its specification ------------------------------------------------

enum { SAMPLES_MAX = 64, NAME_SIZE = 128 };

struct parsed {
    size_t count;
    struct {
        char name[NAME_SIZE];
        char labels[512]; // unescaped: "state=idle;"
        uint64_t value;
    } samples[SAMPLES_MAX];
};

static size_t metric_name(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':') {
        n++;
    }
    return isdigit((unsigned char)p[0]) ? 0 : n;
}

static void refuse(const char *line, const char *why)
{
    fail_msg("expected the text format, got (%s): %.*s", why, (int)strcspn(line, "\n"), line);
}

// One NAME="VALUE"; returns what is behind it.
static const char *read_label(const char *p, const char *line, char *to, size_t room)
{
    size_t used = 0;
    size_t name = metric_name(p);
    if (name == 0 || strncmp(p + name, "=\"", 2) != 0) {
        refuse(line, "no label");
    }
    memcpy(to, p, name);
    used = name;
    to[used++] = '=';
    p += name + 2;
    for (; *p != '"'; p++) {
        if (*p == '\n' || *p == '\0') {
            refuse(line, "a value without an end");
        }
        if (*p == '\\') {
            p++;
            if (*p != '\\' && *p != '"' && *p != 'n') {
                refuse(line, "an escape that the format has not");
            }
            to[used++] = *p;
        } else {
            to[used++] = *p;
        }
        assert_true(used + 3 < room);
    }
    to[used++] = ';';
    to[used] = '\0';
    return p + 1;
}

static void read_sample(const char *line, const char *family, struct parsed *into)
{
    char *labels = into->samples[into->count].labels;
    size_t size = sizeof into->samples[0].labels;
    size_t name = metric_name(line);
    const char *p = line + name;
    labels[0] = '\0';
    if (name == 0 || name >= NAME_SIZE || strlen(family) != name ||
        memcmp(line, family, name) != 0) {
        refuse(line, "a sample that is not of the family above it");
    }
    memcpy(into->samples[into->count].name, line, name);
    into->samples[into->count].name[name] = '\0';
    if (*p == '{') {
        do {
            size_t used = strlen(labels);
            p = read_label(p + 1, line, labels + used, size - used);
        } while (*p == ',');
        if (*p++ != '}') {
            refuse(line, "labels without an end");
        }
    }
    char *end;
    if (*p != ' ' || !isdigit((unsigned char)p[1])) {
        refuse(line, "no value");
    }
    into->samples[into->count].value = strtoull(p + 1, &end, 10);
    if (*end != '\n') {
        refuse(line, "more than a value");
    }
    for (size_t i = 0; i < into->count; i++) {
        if (strcmp(into->samples[i].name, into->samples[into->count].name) == 0 &&
            strcmp(into->samples[i].labels, labels) == 0) {
            refuse(line, "the same twice");
        }
    }
    into->count++;
}

// "# HELP name text", then "# TYPE name gauge|counter"; returns the line behind both.
static const char *read_head(const char *p, char family[NAME_SIZE])
{
    char type[16] = "";
    char again[NAME_SIZE] = "";
    if (sscanf(p, "# HELP %127s ", family) != 1) {
        refuse(p, "no HELP");
    }
    const char *next = strchr(p, '\n') + 1;
    if (sscanf(next, "# TYPE %127s %15s", again, type) != 2 || strcmp(again, family) != 0 ||
        (strcmp(type, "gauge") != 0 && strcmp(type, "counter") != 0)) {
        refuse(next, "no TYPE of that family");
    }
    size_t len = strlen(family);
    bool total = len > 6 && strcmp(family + len - 6, "_total") == 0;
    if (total != (strcmp(type, "counter") == 0)) {
        refuse(next, "a counter is named _total, and nothing else is");
    }
    return strchr(next, '\n') + 1;
}

static void parse(const struct metrics *m, struct parsed *into)
{
    char family[NAME_SIZE] = "";
    CLEANUP(cleanup_free) char *text = metrics_text(m);
    assert_non_null(text);
    assert_int_equal(text[strlen(text) - 1], '\n');
    *into = (struct parsed){0};
    for (const char *p = text; *p != '\0';) {
        if (*p == '#') {
            p = read_head(p, family);
        }
        assert_true(into->count < SAMPLES_MAX);
        read_sample(p, family, into);
        p = strchr(p, '\n') + 1;
    }
}

static void assert_sample(const struct parsed *p, const char *name, const char *labels,
                          uint64_t want)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->samples[i].name, name) == 0 && strcmp(p->samples[i].labels, labels) == 0) {
            if (p->samples[i].value != want) {
                fail_msg("%s{%s}: expected %llu, got %llu", name, labels, (unsigned long long)want,
                         (unsigned long long)p->samples[i].value);
            }
            return;
        }
    }
    fail_msg("expected a sample %s{%s}", name, labels);
}

// -------------------------------------------------------------------------------------------------

static void every_number_is_there_under_its_name(void **state)
{
    (void)state;
    struct parsed p;
    const struct metrics m = sample();
    parse(&m, &p);
    static const struct {
        const char *name, *labels;
        uint64_t want;
    } rows[] = {
        {"vv_update_build_info", "version=1.4.0;", 1},
        {"vv_update_info", "version=2.0;slot=b;release_index=20;", 1},
        {"vv_update_agent_state", "state=idle;", 0},
        {"vv_update_agent_state", "state=downloading;", 1},
        {"vv_update_agent_state", "state=waiting;", 0},
        {"vv_update_trial", "", 1},
        {"vv_update_held", "", 0},
        {"vv_update_denied_releases", "", 2},
        {"vv_update_last_poll_timestamp_seconds", "", 1700000000},
        {"vv_update_last_poll_success", "", 1},
        {"vv_update_polls_total", "", 12},
        {"vv_update_poll_failures_total", "", 3},
        {"vv_update_last_update_timestamp_seconds", "", 1690000000},
        {"vv_update_last_update_success", "", 0},
        {"vv_update_updates_total", "outcome=success;", 4},
        {"vv_update_updates_total", "outcome=failure;", 1},
        {"vv_update_updates_total", "outcome=cancelled;", 0},
        {"vv_update_download_bytes_total", "", 123456789012},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_sample(&p, rows[i].name, rows[i].labels, rows[i].want);
    }
    assert_int_equal(p.count, sizeof rows / sizeof rows[0]);
}

static void exactly_one_state_holds_whichever_it_is(void **state)
{
    (void)state;
    for (size_t s = 0; s < 3; s++) {
        struct parsed p;
        struct metrics m = sample();
        m.state = s;
        parse(&m, &p);
        for (size_t i = 0; i < 3; i++) {
            char labels[64];
            snprintf(labels, sizeof labels, "state=%s;", states[i]);
            assert_sample(&p, "vv_update_agent_state", labels, i == s);
        }
    }
}

static void what_is_not_known_is_empty_or_zero(void **state)
{
    (void)state;
    struct parsed p;
    const struct metrics m = {0};
    parse(&m, &p);
    assert_int_equal(p.count, 15);
    assert_sample(&p, "vv_update_info", "version=;slot=;release_index=0;", 1);
    assert_sample(&p, "vv_update_last_poll_timestamp_seconds", "", 0);
}

static void whatever_is_in_a_label_the_text_stays_valid(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        const char *want;
    } rows[] = {
        {"a\"b", "version=a\"b;slot=b;release_index=20;"},
        {"a\\b", "version=a\\b;slot=b;release_index=20;"},
        {"a\\", "version=a\\;slot=b;release_index=20;"},
        {"\\n", "version=\\n;slot=b;release_index=20;"},
        {"\"} 1\nevil 2", "version=\"} 1 evil 2;slot=b;release_index=20;"},
        {"\374", "version=?;slot=b;release_index=20;"},
        {"\303\274", "version=\303\274;slot=b;release_index=20;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed p;
        struct metrics m = sample();
        m.version = rows[i].version;
        parse(&m, &p);
        assert_int_equal(p.count, 18);
        assert_sample(&p, "vv_update_info", rows[i].want, 1);
    }
}

static void the_largest_numbers_are_whole(void **state)
{
    (void)state;
    struct parsed p;
    struct metrics m = sample();
    m.download_bytes = UINT64_MAX;
    m.updates[OFFER_CANCELLED] = UINT64_MAX;
    parse(&m, &p);
    assert_sample(&p, "vv_update_download_bytes_total", "", UINT64_MAX);
    assert_sample(&p, "vv_update_updates_total", "outcome=cancelled;", UINT64_MAX);
}

static void it_is_written_only_when_it_changed(void **state)
{
    (void)state;
    struct error e;
    struct seam_sim seam = {0};
    struct state_mem store;
    bool changed = false;
    struct metrics m = sample();
    state_mem_init(&store, &seam);
    assert_ok(metrics_store(&store.base, "x.prom", &m, &changed, &e));
    assert_true(changed);
    assert_ok(metrics_store(&store.base, "x.prom", &m, &changed, &e));
    assert_false(changed);
    assert_int_equal(store.replaced, 1);
    m.polls++;
    assert_ok(metrics_store(&store.base, "x.prom", &m, &changed, &e));
    assert_true(changed);
    assert_int_equal(store.replaced, 2);
    m.polls++;
    store.read_only = true;
    assert_fails(ERR_IO, "x.prom", metrics_store(&store.base, "x.prom", &m, &changed, &e));
    seam.fail_at = seam.calls + 1;
    assert_fails(ERR_IO, "", metrics_store(&store.base, "x.prom", &m, &changed, &e));
    state_mem_free(&store);
}

static void the_file_is_the_text_and_all_may_read_it(void **state)
{
    struct error e;
    char path[512];
    struct stat first;
    struct stat st;
    struct metrics m = sample();
    temp_dir_path(path, sizeof path, *state, "vv-update.prom");
    assert_ok(metrics_write(path, &m, &e));
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_mode & 07777, 0644);
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    CLEANUP(cleanup_free) char *text = metrics_text(&m);
    assert_ok(file_read(path, 64 * 1024, &data, &len, &e));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(data, text, len);
    assert_ok(metrics_write(path, &m, &e)); // the same file stays
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_ino, first.st_ino);
    assert_int_equal(st.st_mtim.tv_nsec, first.st_mtim.tv_nsec);
}

static void a_path_that_node_exporter_would_not_read_is_refused(void **state)
{
    (void)state;
    struct error e;
    const struct metrics m = sample();
    static const char *const odd[] = {"",          "x.prom",       "dir/x.prom",   "/run/x.txt",
                                      "/run/",     "/run/.prom",   "/run/.x.prom", "/run/x.prom/",
                                      "/run/prom", "/run/a b.prom"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_fails(ERR_CONFIG, "is not the whole path of a file NAME.prom",
                     metrics_write(odd[i], &m, &e));
    }
    assert_fails(ERR_CONFIG, "metrics: directory /nowhere: No such file",
                 metrics_write("/nowhere/x.prom", &m, &e));
    assert_fails(ERR_CONFIG, "metrics: directory /dev/null is not a directory",
                 metrics_write("/dev/null/x.prom", &m, &e));
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_there_under_its_name),
        cmocka_unit_test(exactly_one_state_holds_whichever_it_is),
        cmocka_unit_test(what_is_not_known_is_empty_or_zero),
        cmocka_unit_test(whatever_is_in_a_label_the_text_stays_valid),
        cmocka_unit_test(the_largest_numbers_are_whole),
        cmocka_unit_test(it_is_written_only_when_it_changed),
        IN_DIR(the_file_is_the_text_and_all_may_read_it),
        cmocka_unit_test(a_path_that_node_exporter_would_not_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
