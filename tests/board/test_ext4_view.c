// SPDX-License-Identifier: Apache-2.0
// File systems made by mke2fs, journals written by debugfs.
#include "tests/board/ext4_view.h"

#include "tests/board/card.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certs.h"

#include <sys/mman.h>

enum { MAX = 1 << 20, LARGE = 300000 };

struct fixture {
    char image[256];
    uint8_t *bytes;
    struct ext4_view view;
};

// DIR/fs.img with what stands in DIR/root, then the commands of debugfs.
static void make(struct fixture *f, const char *dir, const char *commands)
{
    *f = (struct fixture){0};
    test_shell("mkdir -p %s/root/deep/er && echo small >%s/root/deep/er/small", dir, dir);
    test_shell("seq 100000 | head -c %d >%s/root/large; truncate -s 5000 %s/root/hole", LARGE, dir,
               dir);
    test_shell("printf %%01024d 7 >%s/seven; printf %%01024d 8 >%s/eight", dir, dir);
    snprintf(f->image, sizeof f->image, "%s/fs.img", dir);
    test_shell("cp %s/seven %s/root/ && mke2fs -q -F -t ext4 -b 1024 -O metadata_csum -d %s/root "
               "%s 16M >%s/out 2>&1",
               dir, dir, dir, f->image, dir);
    test_shell("cd %s && block=$(debugfs -R 'blocks seven' fs.img 2>/dev/null) && "
               "printf '%s' | sed \"s/BLOCK/$block/g\" | debugfs -w -f - fs.img >out 2>&1",
               dir, commands);
}

static enum err open_view(struct fixture *f, struct error *e)
{
    assert_int_equal(map_file(f->image, PROT_READ | PROT_WRITE, &f->bytes, &f->view.len, e), OK);
    f->view.bytes = f->bytes;
    return ext4_view_open(&f->view, e);
}

static void end(struct fixture *f)
{
    ext4_view_clear(&f->view);
    munmap(f->bytes, (size_t)f->view.len);
}

// The first byte but zeros of the file "seven".
static char digit(const struct fixture *f)
{
    struct error e;
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    assert_ok(ext4_read_file(&f->view, "seven", MAX, &data, &len, &e));
    assert_int_equal(len, 1024);
    return (char)data[len - 1];
}

static void files_are_found_by_their_paths(void **state)
{
    struct error e;
    struct fixture f;
    size_t len;
    make(&f, *state, "");
    assert_ok(open_view(&f, &e));
    CLEANUP(cleanup_free) uint8_t *small = NULL;
    assert_ok(ext4_read_file(&f.view, "deep/er/small", MAX, &small, &len, &e));
    assert_int_equal(len, 6);
    assert_memory_equal(small, "small\n", 6);
    CLEANUP(cleanup_free) uint8_t *large = NULL;
    assert_ok(ext4_read_file(&f.view, "large", MAX, &large, &len, &e));
    assert_int_equal(len, LARGE);
    assert_memory_equal(large, "1\n2\n3\n", 6);
    assert_memory_equal(large + 108894, "20001\n", 6);
    CLEANUP(cleanup_free) uint8_t *hole = NULL;
    assert_ok(ext4_read_file(&f.view, "hole", MAX, &hole, &len, &e));
    assert_int_equal(len, 5000);
    assert_int_equal(hole[0] | hole[4999], 0);
    end(&f);
}

static void what_is_no_file_is_refused(void **state)
{
    struct error e;
    struct fixture f;
    uint8_t *data;
    size_t len;
    make(&f, *state, "");
    assert_ok(open_view(&f, &e));
    assert_fails(ERR_IO, "ext4: none",
                 ext4_read_file(&f.view, "deep/er/none", MAX, &data, &len, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_fails(ERR_FORMAT, "folder", ext4_read_file(&f.view, "deep", MAX, &data, &len, &e));
    assert_fails(ERR_FORMAT, "too large", ext4_read_file(&f.view, "large", 100, &data, &len, &e));
    assert_fails(ERR_FORMAT, "below a file",
                 ext4_read_file(&f.view, "large/x", MAX, &data, &len, &e));
    f.bytes[1024 + 500] ^= 1;
    assert_fails(ERR_FORMAT, "checksum of the superblock", ext4_view_open(&f.view, &e));
    f.bytes[1024 + 56] = 0;
    assert_fails(ERR_FORMAT, "no superblock", ext4_view_open(&f.view, &e));
    end(&f);
}

static void a_committed_transaction_counts(void **state)
{
    struct error e;
    struct fixture f;
    make(&f, *state, "jo\\njw -b BLOCK eight\\njc\\n");
    assert_ok(open_view(&f, &e));
    assert_true(f.view.needs_recovery);
    assert_int_equal(digit(&f), '8');
    // Without the flag the kernel wipes the journal instead of playing it.
    test_shell("debugfs -w -R 'feature -needs_recovery' %s >/dev/null 2>&1", f.image);
    munmap(f.bytes, (size_t)f.view.len);
    assert_int_equal(map_file(f.image, PROT_READ | PROT_WRITE, &f.bytes, &f.view.len, &e), OK);
    f.view.bytes = f.bytes;
    assert_ok(ext4_view_open(&f.view, &e));
    assert_int_equal(digit(&f), '7');
    end(&f);
}

static void one_without_its_commit_does_not(void **state)
{
    struct error e;
    struct fixture f;
    make(&f, *state, "jo\\njw -b BLOCK -c eight\\njc\\n");
    assert_ok(open_view(&f, &e));
    assert_int_equal(digit(&f), '7');
    end(&f);
}

static void a_journal_with_checksums_is_played(void **state)
{
    struct error e;
    struct fixture f;
    make(&f, *state, "jo -c -v 3\\njw -b BLOCK eight\\njc\\n");
    assert_ok(open_view(&f, &e));
    assert_int_equal(digit(&f), '8');
    end(&f);
}

static void a_block_that_was_revoked_later_is_not_played(void **state)
{
    struct error e;
    struct fixture f;
    make(&f, *state, "jo\\njw -b BLOCK eight\\njw -r BLOCK\\njc\\n");
    assert_ok(open_view(&f, &e));
    assert_int_equal(digit(&f), '7');
    end(&f);
}

static void a_block_that_is_journaled_after_its_revocation_is_played(void **state)
{
    struct error e;
    struct fixture f;
    make(&f, *state, "jo\\njw -r BLOCK\\njw -b BLOCK eight\\njc\\n");
    assert_ok(open_view(&f, &e));
    assert_int_equal(digit(&f), '8');
    end(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_found_by_their_paths),
        TEST(what_is_no_file_is_refused),
        TEST(a_committed_transaction_counts),
        TEST(one_without_its_commit_does_not),
        TEST(a_journal_with_checksums_is_played),
        TEST(a_block_that_was_revoked_later_is_not_played),
        TEST(a_block_that_is_journaled_after_its_revocation_is_played),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
