// SPDX-License-Identifier: Apache-2.0
#include "updater/config_files.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

// The standard places, moved into the directory of the test.
struct tree {
    const char *dir;
    char vendor[256];
    char main_file[256];
    char local[256];
    struct config_places places;
};

static void make_dir(const char *dir, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(temp_dir_path(path, sizeof path, dir, name), 0755), 0);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[512];
    FILE *f = fopen(temp_dir_path(path, sizeof path, dir, name), "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static struct tree make_tree(const char *dir)
{
    struct tree t = {.dir = dir};
    make_dir(dir, "lib");
    make_dir(dir, "etc");
    make_dir(dir, "etc/conf.d");
    make_dir(dir, "state");
    make_dir(dir, "state/conf.d");
    snprintf(t.vendor, sizeof t.vendor, "%s/lib", dir);
    snprintf(t.main_file, sizeof t.main_file, "%s/etc/update.conf", dir);
    snprintf(t.local, sizeof t.local, "%s/etc/conf.d", dir);
    return t;
}

static const struct config_places *places_of(struct tree *t)
{
    t->places = (struct config_places){t->vendor, t->main_file, t->local, false, false};
    return &t->places;
}

static const char *value_of(struct conf *c, const char *section, const char *key)
{
    struct conf_entry *entry = conf_find(c, section, key);
    return entry == NULL ? NULL : entry->value;
}

static void put_main_file(const struct tree *t, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text, "[device]\nproduct=main\nstate_dir=%s/state\n%s", t->dir, more);
    put(t->dir, "etc/update.conf", text);
}

static void later_files_win_in_the_documented_order(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    put(t.dir, "lib/10-global.conf",
        "[device]\nproduct=vendor\nid=vendor\n[network]\nretries=1\n"
        "rate_limit=1\nmax_waste=1\n[trust]\nsigners=1\n");
    put_main_file(&t, "[network]\nretries=2\nrate_limit=2\nmax_waste=2\n");
    put(t.dir, "etc/conf.d/10-global.conf.off", "not read");
    put(t.dir, "etc/conf.d/50-group.conf", "[network]\nrate_limit=3\nmax_waste=3\n");
    put(t.dir, "etc/conf.d/90-device.conf", "[network]\nrate_limit=4\n");
    put(t.dir, "state/conf.d/fleet.conf", "[network]\nrate_limit=5\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read(places_of(&t), &c, &e));
    assert_string_equal(value_of(&c, "device", "id"), "vendor");
    assert_string_equal(value_of(&c, "device", "product"), "main");
    assert_string_equal(value_of(&c, "trust", "signers"), "1");
    assert_string_equal(value_of(&c, "network", "retries"), "2");
    assert_string_equal(value_of(&c, "network", "max_waste"), "3");
    assert_string_equal(value_of(&c, "network", "rate_limit"), "5");
}

static void a_local_name_hides_the_vendor_file_of_the_same_name(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    put(t.dir, "lib/20-network.conf", "[network]\nretries=1\n");
    put(t.dir, "lib/30-trust.conf", "[trust]\nsigners=2\n");
    put(t.dir, "etc/conf.d/20-network.conf", "");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read(places_of(&t), &c, &e));
    assert_null(value_of(&c, "network", "retries"));
    assert_string_equal(value_of(&c, "trust", "signers"), "2");
}

static void the_main_file_may_be_missing_when_drop_ins_are_there(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    CLEANUP(conf_clear) struct conf none = {0};
    assert_fails(ERR_CONFIG, "there is no configuration", //
                 config_files_read(places_of(&t), &none, &e));
    assert_contains(e.msg, t.main_file);
    put(t.dir, "etc/conf.d/all.conf", "[trust]\nsigners=2\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read(places_of(&t), &c, &e));
    assert_string_equal(value_of(&c, "trust", "signers"), "2");
}

static void a_main_file_that_is_a_dangling_link_is_not_missing(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    put(t.dir, "etc/conf.d/all.conf", "[trust]\nsigners=2\n");
    assert_int_equal(symlink("/nonexistent", t.main_file), 0);
    CLEANUP(conf_clear) struct conf c = {0};
    assert_fails(ERR_CONFIG, t.main_file, config_files_read(places_of(&t), &c, &e));
}

static void the_state_directory_can_set_limits_and_fleet_only(void **state)
{
    static const char *const refused[] = {
        "[trust]\nroots=/tmp\n",       "[trust]\nsigners=1\n",
        "[slot a]\nrootfs=/dev/sda\n", "[slot c]\nrootfs=/dev/sda\n",
        "[bootloader]\nattempts=9\n",  "[check x]\nkind=exec\n",
        "[device]\nstate_dir=/tmp\n",  "[device]\nreboot_command=true\n",
        "[network]\nca=/tmp/ca.pem\n", "[network]\nclient_key=/tmp/key.pem\n",
        "[confirm]\ndeadline=1s\n",    "[agent]\nhook=true\n",
        "[fleet]\nreport_dir=/tmp\n",  "[gates]\nreboot_command=true\n",
    };
    struct error e;
    struct tree t = make_tree(*state);
    put_main_file(&t, "");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        put(t.dir, "state/conf.d/x.conf", refused[i]);
        CLEANUP(conf_clear) struct conf c = {0};
        assert_fails(ERR_CONFIG, "cannot be set from the state directory",
                     config_files_read(places_of(&t), &c, &e));
        assert_contains(e.msg, "state/conf.d/x.conf:2: ");
    }
    // Others of its section may stand there.
    assert_contains(e.msg, ":2: reboot_command: this key of [gates] cannot be set from the state "
                           "directory; vv-update.conf(5) has those that can");
    put(t.dir, "state/conf.d/x.conf",
        "[network]\nrate_limit=1M\nmax_waste=1M\nlow_speed=1K\nretries=9\nconnections=2\nbyte_"
        "budget=1G\n");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read(places_of(&t), &c, &e));
    assert_string_equal(value_of(&c, "network", "retries"), "9");
    put(t.dir, "state/conf.d/x.conf", "[fleet]\nurl=http://h/x.vvi\n[gates]\nneed_ac=yes\n");
    CLEANUP(conf_clear) struct conf fleet = {0};
    assert_ok(config_files_read(places_of(&t), &fleet, &e));
    assert_string_equal(value_of(&fleet, "gates", "need_ac"), "yes");
}

static void without_a_state_directory_its_drop_ins_are_not_looked_for(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    put(t.dir, "etc/update.conf", "[device]\nproduct=x\n");
    put(t.dir, "state/conf.d/x.conf", "broken");
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read(places_of(&t), &c, &e));
    assert_int_equal(c.file_count, 1);
}

static void a_broken_file_at_any_place_is_named(void **state)
{
    static const char *const names[] = {"lib/a.conf", "etc/conf.d/a.conf", "state/conf.d/a.conf"};
    struct error e;
    struct tree t = make_tree(*state);
    put_main_file(&t, "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        put(t.dir, names[i], "[network]\nnonsense\n");
        CLEANUP(conf_clear) struct conf c = {0};
        assert_fails(ERR_CONFIG, names[i], config_files_read(places_of(&t), &c, &e));
        assert_contains(e.msg, ":2: ");
        assert_int_equal(remove(temp_dir_path(path, sizeof path, t.dir, names[i])), 0);
    }
}

static void one_file_of_the_caller_and_its_drop_ins_are_all_there_is(void **state)
{
    struct error e;
    struct tree t = make_tree(*state);
    char path[512];
    put_main_file(&t, "[network]\nretries=2\n");
    put(t.dir, "state/conf.d/x.conf", "[network]\nretries=3\n");
    make_dir(t.dir, "own.conf.d");
    put(t.dir, "own.conf", "[network]\nretries=4\nrate_limit=4\n");
    put(t.dir, "own.conf.d/50.conf", "[network]\nrate_limit=5\n");
    CLEANUP(conf_clear) struct conf c = {0};
    temp_dir_path(path, sizeof path, t.dir, "own.conf");
    assert_ok(config_files_read_one(path, false, &c, &e));
    assert_string_equal(value_of(&c, "network", "retries"), "4");
    assert_string_equal(value_of(&c, "network", "rate_limit"), "5");
    assert_int_equal(c.file_count, 2);
    CLEANUP(conf_clear) struct conf missing = {0};
    temp_dir_path(path, sizeof path, t.dir, "missing.conf");
    assert_fails(ERR_CONFIG, "missing.conf", config_files_read_one(path, false, &missing, &e));
}

static void a_file_that_others_may_write_is_refused_when_the_owner_counts(void **state)
{
    static const char *const names[] = {"own.conf", "own.conf.d/50.conf"};
    struct error e;
    struct tree t = make_tree(*state);
    char own[512];
    if (geteuid() != 0) {
        skip();
    }
    make_dir(t.dir, "own.conf.d");
    put(t.dir, "own.conf", "[network]\nretries=4\n");
    put(t.dir, "own.conf.d/50.conf", "[network]\nrate_limit=5\n");
    temp_dir_path(own, sizeof own, t.dir, "own.conf");
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        temp_dir_path(path, sizeof path, t.dir, names[i]);
        assert_int_equal(chmod(path, 0666), 0);
        CLEANUP(conf_clear) struct conf c = {0};
        assert_fails(ERR_CONFIG, "must belong to root", config_files_read_one(own, true, &c, &e));
        CLEANUP(conf_clear) struct conf unchecked = {0};
        assert_ok(config_files_read_one(own, false, &unchecked, &e));
        assert_int_equal(chmod(path, 0644), 0);
    }
    CLEANUP(conf_clear) struct conf c = {0};
    assert_ok(config_files_read_one(own, true, &c, &e));
    struct tree *tp = &t;
    put_main_file(tp, "");
    struct config_places places = *places_of(tp);
    places.check_owner = true;
    assert_int_equal(chmod(t.main_file, 0620), 0);
    CLEANUP(conf_clear) struct conf standard = {0};
    assert_fails(ERR_CONFIG, "must belong to root", config_files_read(&places, &standard, &e));
}

static void the_standard_places_are_those_of_the_manual(void **state)
{
    (void)state;
    struct config_places p = config_places_standard();
    assert_string_equal(p.vendor_dir, "/usr/lib/vv-update/conf.d");
    assert_string_equal(p.main_file, "/etc/vv-update/update.conf");
    assert_string_equal(p.local_dir, "/etc/vv-update/conf.d");
    assert_int_equal(p.check_owner, geteuid() == 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(later_files_win_in_the_documented_order),
        WITH_DIR(a_local_name_hides_the_vendor_file_of_the_same_name),
        WITH_DIR(the_main_file_may_be_missing_when_drop_ins_are_there),
        WITH_DIR(a_main_file_that_is_a_dangling_link_is_not_missing),
        WITH_DIR(the_state_directory_can_set_limits_and_fleet_only),
        WITH_DIR(without_a_state_directory_its_drop_ins_are_not_looked_for),
        WITH_DIR(a_broken_file_at_any_place_is_named),
        WITH_DIR(one_file_of_the_caller_and_its_drop_ins_are_all_there_is),
        WITH_DIR(a_file_that_others_may_write_is_refused_when_the_owner_counts),
        cmocka_unit_test(the_standard_places_are_those_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
