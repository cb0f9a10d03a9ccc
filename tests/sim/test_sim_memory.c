// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_memory.h"

#include "tests/support/expect.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

// What fortified objects call; the tests are built without.
int __asprintf_chk(char **ret, int flag, const char *fmt, ...);
int __vasprintf_chk(char **ret, int flag, const char *fmt, va_list args);

// --- each call by itself -------------------------------------------------------------------------

// Seen by nobody, a block that is freed at once would never be allocated.
static void *volatile taken;

static void *call_malloc(void)
{
    taken = malloc(100);
    return taken;
}

static void *call_calloc(void)
{
    return calloc(10, 10);
}

static void *call_realloc(void)
{
    return realloc(NULL, 100);
}

static void *call_reallocarray(void)
{
    return reallocarray(NULL, 10, 10);
}

static void *call_aligned_alloc(void)
{
    return aligned_alloc(4096, 8192);
}

static void *call_strdup(void)
{
    return strdup("a text");
}

static void *call_strndup(void)
{
    return strndup("a text", 3);
}

static void *call_asprintf(void)
{
    char *text;
    return asprintf(&text, "%d", 5) < 0 ? NULL : text;
}

static void *call_asprintf_chk(void)
{
    char *text;
    return __asprintf_chk(&text, 1, "%d", 5) < 0 ? NULL : text;
}

static void *PRINTF_LIKE(2, 3)
    print(int (*vprint)(char **, const char *, va_list), const char *fmt, ...)
{
    char *text;
    va_list args;
    va_start(args, fmt);
    int n = vprint(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

static int PRINTF_LIKE(2, 0) vprint(char **ret, const char *fmt, va_list args)
{
    return vasprintf(ret, fmt, args);
}

static int PRINTF_LIKE(2, 0) vprint_chk(char **ret, const char *fmt, va_list args)
{
    return __vasprintf_chk(ret, 1, fmt, args);
}

static void *call_vasprintf(void)
{
    return print(vprint, "%d", 5);
}

static void *call_vasprintf_chk(void)
{
    return print(vprint_chk, "%d", 5);
}

static void *call_open_memstream(void)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    fputs("a text", out);
    fclose(out);
    return text;
}

static void *call_realpath(void)
{
    return realpath("/", NULL);
}

static int take_none(const struct dirent *entry)
{
    (void)entry;
    return 0;
}

static void *call_scandir(void)
{
    struct dirent **entries = NULL;
    if (scandir("/", &entries, take_none, alphasort) < 0) {
        return NULL;
    }
    free(entries);
    return strdup(""); // an empty list may be NULL
}

static const struct {
    const char *name;
    void *(*call)(void);
} calls[] = {
    {"malloc", call_malloc},
    {"calloc", call_calloc},
    {"realloc", call_realloc},
    {"reallocarray", call_reallocarray},
    {"aligned_alloc", call_aligned_alloc},
    {"strdup", call_strdup},
    {"strndup", call_strndup},
    {"asprintf", call_asprintf},
    {"__asprintf_chk", call_asprintf_chk},
    {"vasprintf", call_vasprintf},
    {"__vasprintf_chk", call_vasprintf_chk},
    {"open_memstream", call_open_memstream},
    {"realpath", call_realpath},
    {"scandir", call_scandir},
};

static struct sim failing_at(uint64_t n)
{
    return (struct sim){.fail_seam = SIM_MEMORY, .fail_at = n, .fail_sys = ENOMEM};
}

static void each_call_fails_at_its_number_and_works_otherwise(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct sim sim = failing_at(1);
        sim_memory_arm(&sim);
        errno = 0;
        void *refused = calls[i].call();
        int sys = errno;
        void *given = calls[i].call();
        sim_memory_disarm();
        if (refused != NULL || sys != ENOMEM || !sim.failed || given == NULL) {
            fail_msg("%s: expected no memory once, then some; errno %d", calls[i].name, sys);
        }
        free(given);
        void *later = calls[i].call();
        assert_non_null(later);
        free(later);
    }
}

static void calls_are_counted_while_armed_only(void **state)
{
    (void)state;
    struct sim sim = {0};
    assert_null(sim_memory_disarm());
    sim_memory_arm(&sim);
    free(call_malloc());
    assert_ptr_equal(sim_memory_disarm(), &sim);
    free(call_malloc());
    assert_int_equal(sim.calls[SIM_MEMORY], 1);
    assert_null(sim_memory_disarm());
}

static void the_real_allocation_is_not_counted_and_does_not_fail(void **state)
{
    (void)state;
    struct sim sim = failing_at(1);
    sim_memory_arm(&sim);
    void *p = sim_memory_real_alloc(100);
    sim_memory_disarm();
    assert_non_null(p);
    assert_int_equal(sim.calls[SIM_MEMORY], 0);
    free(p);
}

static void a_block_that_could_not_grow_is_still_there(void **state)
{
    (void)state;
    for (int array = 0; array < 2; array++) {
        struct sim sim = failing_at(1);
        char *block = strdup("a text");
        sim_memory_arm(&sim);
        char *grown = array == 1 ? reallocarray(block, 1000, 100) : realloc(block, 100000);
        sim_memory_disarm();
        if (grown != NULL) {
            fail_msg("expected no memory for the larger block");
        }
        assert_string_equal(block, "a text");
        free(block);
    }
}

static void a_path_into_a_buffer_of_the_callers_needs_no_memory(void **state)
{
    (void)state;
    struct sim sim = failing_at(1);
    char buf[PATH_MAX];
    sim_memory_arm(&sim);
    const char *path = realpath("/", buf);
    sim_memory_disarm();
    assert_ptr_equal(path, buf);
    assert_false(sim.failed);
}

static void jansson_is_failed_too(void **state)
{
    (void)state;
    struct sim sim = failing_at(2);
    sim_memory_arm(&sim);
    json_t *object = json_object();
    json_t *text = json_string("a text");
    sim_memory_disarm();
    assert_true(sim.failed);
    json_decref(object);
    json_decref(text);
    text = json_string("a text");
    assert_non_null(text);
    json_decref(text);
}

static long page_faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

// A sanitizer has an allocator of its own, and valgrind too.
static void a_large_buffer_taken_again_costs_no_page_fault(void **state)
{
    (void)state;
    enum { LARGE = 2 << 20, TIMES = 16 };
    if (mallopt(M_MMAP_THRESHOLD, LARGE) != 1) {
        skip();
    }
    sim_memory_keep();
    long before = 0;
    for (int i = 0; i < TIMES; i++) {
        void *p = aligned_alloc(4096, LARGE);
        assert_non_null(p);
        memset(p, i, LARGE);
        free(p);
        before = i == 0 ? page_faults() : before;
    }
    assert_in_range(page_faults() - before, 0, LARGE / 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_at_its_number_and_works_otherwise),
        cmocka_unit_test(calls_are_counted_while_armed_only),
        cmocka_unit_test(the_real_allocation_is_not_counted_and_does_not_fail),
        cmocka_unit_test(a_block_that_could_not_grow_is_still_there),
        cmocka_unit_test(a_path_into_a_buffer_of_the_callers_needs_no_memory),
        cmocka_unit_test(jansson_is_failed_too),
        cmocka_unit_test(a_large_buffer_taken_again_costs_no_page_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
