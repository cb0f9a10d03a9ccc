// SPDX-License-Identifier: Apache-2.0
#include "updater/config_build.h"

#include "tests/support/expect.h"
#include "updater/config_check.h"
#include "updater/config_keys.h"

// The least that makes a configuration, one line a piece, so that a test can leave one out.
static const char *const least[] = {
    "[device]",
    "product=vv-edge",
    "compatible=vv-virtual",
    "state_dir=/data",
    "[slot a]",
    "rootfs=/dev/slot-a",
    "[slot b]",
    "rootfs=/dev/slot-b",
    "[trust]",
    "roots=/etc/trust",
    NULL,
};

// `least` without the line `leave_out` (may be NULL), then `more`.
static void text_of(const char *leave_out, const char *more, char *ret, size_t size)
{
    ret[0] = '\0';
    for (size_t i = 0; least[i] != NULL; i++) {
        if (leave_out == NULL || strcmp(least[i], leave_out) != 0) {
            size_t used = strlen(ret);
            snprintf(ret + used, size - used, "%s\n", least[i]);
        }
    }
    size_t used = strlen(ret);
    snprintf(ret + used, size - used, "%s", more);
}

static enum err build_text(const char *text, struct config **ret, struct error *e)
{
    CLEANUP(conf_clear) struct conf raw = {0};
    enum err err = conf_add_text(&raw, "test.conf", text, strlen(text), e);
    assert_int_equal(err, OK);
    err = config_build(&raw, ret, e);
    assert_int_equal(raw.count, 0);
    return err;
}

static enum err build(const char *leave_out, const char *more, struct config **ret, struct error *e)
{
    char text[32768];
    text_of(leave_out, more, text, sizeof text);
    return build_text(text, ret, e);
}

#define assert_refused(leave_out, more, part)                                                      \
    do {                                                                                           \
        CLEANUP(cleanup_config) struct config *c_ = NULL;                                          \
        assert_fails(ERR_CONFIG, part, build(leave_out, more, &c_, &e));                           \
        assert_null(c_);                                                                           \
        assert_contains(e.msg, "test.conf");                                                       \
    } while (0)

static void the_least_configuration_gets_all_documented_defaults(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL, "", &c, &e));
    assert_string_equal(c->product, "vv-edge");
    assert_string_equal(c->compatible, "vv-virtual");
    assert_null(c->device_id);
    assert_string_equal(c->cmdline_file, "/proc/cmdline");
    assert_string_equal(c->reboot_command, "systemctl reboot");
    assert_string_equal(c->state_dir, "/data");
    assert_string_equal(c->env_config, "/etc/fw_env.config");
    assert_int_equal(c->boot.contract, CONTRACT_ORDER);
    assert_string_equal(c->boot.slot_var, "rpipart");
    assert_int_equal(c->boot.attempts, 3);
    assert_string_equal(c->trust_roots, "/etc/trust");
    assert_int_equal(c->trust_signers, 1);
    assert_null(c->http.ca);
    assert_null(c->http.client_cert);
    assert_null(c->http.client_key);
    assert_int_equal(c->http.rate_limit, 0);
    assert_int_equal(c->http.max_waste_bytes, 64 << 20);
    assert_int_equal(c->http.low_speed_bytes, 1024);
    assert_int_equal(c->http.low_speed_ms, 30000);
    assert_int_equal(c->http.retries, 5);
    assert_int_equal(c->byte_budget, 0);
    assert_int_equal(c->connections, 4);
    assert_int_equal(c->workers, WORKERS_AUTO);
    assert_int_equal(c->nice, 0);
    assert_int_equal(c->io_priority.class, IO_CLASS_UNCHANGED);
    assert_int_equal(c->confirm_deadline_ms, 600000);
    assert_int_equal(c->confirm_stable_ms, 0);
    assert_int_equal(c->check_count, 0);
    assert_int_equal(c->fleet.source, FLEET_NONE);
    assert_int_equal(c->fleet.interval_ms, 600 * 1000);
    assert_int_equal(c->fleet.jitter_percent, 10);
    assert_int_equal(c->gates.command_timeout_ms, 30 * 1000);
    assert_int_equal(c->gates.clock_wait_ms, 3600 * 1000);
    assert_int_equal(c->gates.install_window.count, 0);
    assert_string_equal(c->gates.fleet_lock_group, "default");
    assert_string_equal(c->agent.socket, "/run/vv-update/agent.sock");
    // Each key that has a default has it in the configuration, whatever section it stands in.
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (k->base == BASE_CONFIG && k->fallback != NULL &&
            config_entry(c, k->section, NULL, k->key) == NULL) {
            fail_msg("expected a default of [%s] %s", k->section, k->key);
        }
    }
}

static void slots_get_names_boot_names_boot_values_and_partitions(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL, "", &c, &e));
    assert_string_equal(c->slots[0].name, "a");
    assert_string_equal(c->boot.slots[0].name, "a");
    assert_string_equal(c->boot.slots[0].bootname, "A");
    assert_string_equal(c->boot.slots[0].bootvalue, "2");
    assert_int_equal(c->slots[0].partition_count, 1);
    assert_string_equal(c->slots[0].partitions[0].name, "rootfs");
    assert_string_equal(c->slots[0].partitions[0].path, "/dev/slot-a");
    assert_string_equal(c->slots[1].name, "b");
    assert_string_equal(c->boot.slots[1].bootname, "B");
    assert_string_equal(c->boot.slots[1].bootvalue, "3");
    assert_string_equal(c->slots[1].partitions[0].path, "/dev/slot-b");
}

static void slots_are_numbered_by_name_and_not_by_their_place_in_a_file(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build_text("[slot b]\nbootname=two\nrootfs=/b\nboot=/bb\n"
                         "[slot a]\nrootfs=/a\nbootvalue=7\nboot=/aa\n"
                         "[trust]\nroots=/t\n"
                         "[device]\nproduct=p\ncompatible=c\nstate_dir=/d\n",
                         &c, &e));
    assert_string_equal(c->slots[0].name, "a");
    assert_string_equal(c->boot.slots[0].bootname, "A");
    assert_string_equal(c->boot.slots[0].bootvalue, "7");
    assert_string_equal(c->boot.slots[1].bootname, "two");
    assert_int_equal(c->slots[1].partition_count, 2);
    assert_string_equal(c->slots[1].partitions[1].name, "boot");
    assert_string_equal(c->slots[1].partitions[1].path, "/bb");
}

static void there_are_exactly_two_slots(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_fails(ERR_CONFIG, "there is none", build_text("[trust]\nroots=/t\n", &c, &e));
    assert_fails(ERR_CONFIG, "there is one", build_text("[slot a]\nrootfs=/a\n", &c, &e));
    assert_refused(NULL, "[slot c]\nrootfs=/dev/c\n", "[slot c] is one too many");
    assert_contains(e.msg, "test.conf:11: ");
}

static void a_missing_required_key_is_named_with_its_section(void **state)
{
    struct error e;
    (void)state;
    assert_refused("product=vv-edge", "", "[device] needs the key product");
    assert_refused("compatible=vv-virtual", "", "[device] needs the key compatible");
    // A key that is spelt wrong is told as such, not as one that is missing.
    assert_refused("roots=/etc/trust", "rots=/etc/trust", "did you mean roots?");
    assert_refused("state_dir=/data", "", "[device] needs the key state_dir");
    assert_refused("roots=/etc/trust", "", "[trust] needs the key roots");
}

// A file on top of another one: what is missing is told where its section stands.
static void a_missing_key_is_told_with_file_and_line_of_its_section(void **state)
{
    struct error e;
    char text[1024];
    static const char more[] = "# the API\n\n[check api]\nkind=http\n";
    (void)state;
    CLEANUP(conf_clear) struct conf raw = {0};
    CLEANUP(cleanup_config) struct config *c = NULL;
    text_of(NULL, "", text, sizeof text);
    assert_ok(conf_add_text(&raw, "test.conf", text, strlen(text), &e));
    assert_ok(conf_add_text(&raw, "conf.d/50-checks.conf", more, strlen(more), &e));
    assert_fails(ERR_CONFIG, "conf.d/50-checks.conf:3: [check api] needs the key url",
                 config_build(&raw, &c, &e));
}

static void a_check_without_keys_is_no_check_that_is_left_out(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[check api]\n# kind=http\n",
                   "test.conf:11: [check api] needs the key kind");
}

static void a_poll_interval_longer_than_the_longest_is_refused_by_name(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[fleet]\ninterval=8d\n",
                   "test.conf:12: interval: [fleet] wants a duration from 10s to 7d");
}

static void times_by_which_no_release_would_be_kept_are_refused(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[confirm]\ndeadline=1min\nstable_for=1min\n",
                   "test.conf:13: stable_for: [confirm] must be less than deadline (1 min)");
    assert_refused(NULL,
                   "[confirm]\ndeadline=1min\n[check x]\nkind=exec\ncommand=true\n"
                   "interval=30s\nsuccesses=3\n",
                   "test.conf:17: successes: [check x] that many, interval apart, do not fit");
    assert_refused(NULL,
                   "[confirm]\ndeadline=1min\n[check x]\nkind=docker\ncontainer=c\n"
                   "running_for=1min\n",
                   "test.conf:16: running_for: [check x] must be less than deadline (1 min)");
    // Of a check that does not count nothing is asked.
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL,
                    "[confirm]\ndeadline=1min\n[check x]\nkind=exec\ncommand=true\n"
                    "interval=30s\nsuccesses=3\nseverity=wanted\n",
                    &c, &e));
}

static void a_slot_without_a_partition_is_refused(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_fails(ERR_CONFIG, "[slot b] names no partition",
                 build_text("[slot a]\nrootfs=/a\n[slot b]\nbootname=B\n[trust]\nroots=/t\n"
                            "[device]\nproduct=p\ncompatible=c\nstate_dir=/d\n",
                            &c, &e));
}

static void unknown_sections_and_keys_are_refused_with_file_and_line(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[fleets]\nurl=http://x\n",
                   "test.conf:11: [fleets] is no section that there is");
    assert_refused(NULL, "[bootloader]\natempts=3\n", "test.conf:12: atempts: [bootloader] has no");
    assert_contains(e.msg, "did you mean attempts?");
    assert_refused(NULL, "[confirm]\nsigners=1\n", "signers belongs to [trust]");
    assert_refused(NULL, "[bootloader x]\nattempts=3\n",
                   "[bootloader x] must be [bootloader]: it takes no name");
    assert_refused(NULL, "[check]\nkind=exec\n", "[check] needs a name: [check NAME]");
    assert_refused(NULL, "[slot]\nrootfs=/x\n", "[slot] needs a name");
}

static void a_bad_value_says_section_key_and_what_is_allowed(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[bootloader]\nattempts=10\n",
                   "test.conf:12: attempts: [bootloader] wants a number from 1 to 9, not '10'");
    assert_refused(NULL, "[check x]\nkind=http\nurl=gopher://u:secret@h/\n",
                   "[check x] wants an http:// or https:// URL, not 'gopher://***@h/'");
    assert_null(strstr(e.msg, "secret"));
}

static void a_partition_wants_an_absolute_path(void **state)
{
    struct error e;
    (void)state;
    assert_refused("rootfs=/dev/slot-b", "", "test.conf:7: [slot b] names no partition");
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_fails(ERR_CONFIG,
                 "test.conf:2: botname: [slot c] wants an absolute path for the partition botname, "
                 "not 'C' (did you mean bootname?)",
                 build_text("[slot c]\nbotname=C\n[slot d]\nrootfs=/d\n", &c, &e));
}

static void a_slot_has_no_more_partitions_than_an_image_may_have(void **state)
{
    struct error e;
    char more[2048] = "[slot c]\n";
    (void)state;
    for (int i = 0; i <= MANIFEST_PARTITIONS_MAX; i++) {
        size_t used = strlen(more);
        snprintf(more + used, sizeof more - used, "part%d=/dev/p%d\n", i, i);
    }
    char text[4096];
    snprintf(text, sizeof text,
             "[device]\nproduct=p\ncompatible=c\nstate_dir=/d\n[trust]\nroots=/t\n"
             "[slot d]\nrootfs=/d\n%s",
             more);
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_fails(ERR_CONFIG, "[slot c] has more than 16 partitions", build_text(text, &c, &e));
}

static void contract_bootcount_needs_a_boot_value_for_slots_of_other_names(void **state)
{
    static const char slots[] =
        "[device]\nproduct=p\ncompatible=c\nstate_dir=/d\n[trust]\nroots=/t\n"
        "[slot left]\nrootfs=/l\n%s[slot right]\nrootfs=/r\n[bootloader]\ncontract=%s\n";
    struct error e;
    char text[1024];
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    snprintf(text, sizeof text, slots, "bootvalue=4\n", "bootcount");
    assert_fails(ERR_CONFIG, "[slot right] needs the key bootvalue: the value of rpipart",
                 build_text(text, &c, &e));
    snprintf(text, sizeof text, slots, "", "order");
    assert_ok(build_text(text, &c, &e));
    assert_string_equal(c->boot.slots[0].bootname, "LEFT");
    assert_string_equal(c->boot.slots[0].bootvalue, "");
}

static void a_client_key_without_a_certificate_is_refused(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[network]\nclient_key=/k.pem\n", "of no use without client_cert");
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL, "[network]\nclient_key=/k.pem\nclient_cert=/c.pem\n", &c, &e));
    assert_string_equal(c->http.client_key, "/k.pem");
}

static void checks_of_each_kind_get_their_keys_and_dockers_defaults(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL,
                    "[check tv_api]\nurl=http://h/status\nkind=http\nexpect=204\nsuccesses=2\n"
                    "[check heart]\nkind=file-age\npath=/data/beat\nmax_age=5min\n"
                    "severity=wanted\n[check job]\nkind=exec\ncommand=a | b\ninterval=2min\n"
                    "timeout=4s\nretries=7\nstart_period=1min\n",
                    &c, &e));
    assert_int_equal(c->check_count, 3);
    const struct config_check *http = &c->checks[0];
    assert_string_equal(http->name, "tv_api");
    assert_int_equal(http->kind, CHECK_HTTP);
    assert_true(http->required);
    assert_string_equal(http->url, "http://h/status");
    assert_int_equal(http->expect_first, 204);
    assert_int_equal(http->interval_ms, 30000);
    assert_int_equal(http->timeout_ms, 10000);
    assert_int_equal(http->retries, 3);
    assert_int_equal(http->start_period_ms, 0);
    assert_int_equal(http->successes, 2);
    const struct config_check *age = &c->checks[1];
    assert_int_equal(age->kind, CHECK_FILE_AGE);
    assert_false(age->required);
    assert_string_equal(age->path, "/data/beat");
    assert_int_equal(age->max_age_ms, 300000);
    const struct config_check *job = &c->checks[2];
    assert_int_equal(job->kind, CHECK_EXEC);
    assert_string_equal(job->command, "a | b");
    assert_int_equal(job->interval_ms, 120000);
    assert_int_equal(job->timeout_ms, 4000);
    assert_int_equal(job->retries, 7);
    assert_int_equal(job->start_period_ms, 60000);
    assert_int_equal(job->successes, 1);
}

static void the_other_kinds_get_their_keys_too(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL,
                    "[check t]\nkind=tcp\naddress=camera:554\n"
                    "[check m]\nkind=mount\npath=/data\nwritable=yes\n"
                    "[check d]\nkind=disk-free\npath=/data\nmin_free=5%\n"
                    "[check u]\nkind=systemd-unit\nunit=a.service\n"
                    "[check c]\nkind=docker\ncontainer=scanner\n"
                    "[check s]\nkind=server\nurl=https://fleet/\n",
                    &c, &e));
    assert_int_equal(c->check_count, 6);
    assert_string_equal(c->checks[0].address, "camera:554");
    assert_string_equal(c->checks[1].path, "/data");
    assert_true(c->checks[1].writable);
    assert_int_equal(c->checks[2].min_free.percent, 5);
    assert_string_equal(c->checks[3].unit, "a.service");
    assert_string_equal(c->checks[4].container, "scanner");
    assert_string_equal(c->checks[4].socket, "/run/docker.sock");
    assert_int_equal(c->checks[4].running_for_ms, 10000);
    assert_string_equal(c->checks[5].url, "https://fleet/");
    assert_ptr_equal(c->checks[5].network, &c->http);
}

static void a_required_unit_is_one_more_check(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL,
                    "[check x]\nkind=exec\ncommand=true\n"
                    "[confirm]\nrequire_unit=boot-complete.target\n",
                    &c, &e));
    assert_int_equal(c->check_count, 2);
    assert_string_equal(c->checks[1].name, "boot-complete.target");
    assert_int_equal(c->checks[1].kind, CHECK_SYSTEMD_UNIT);
    assert_string_equal(c->checks[1].unit, "boot-complete.target");
    assert_true(c->checks[1].required);
    assert_int_equal(c->checks[1].retries, 3);
    assert_int_equal(c->checks[1].successes, 1);
    assert_true(c->checks[1].interval_ms > 0 && c->checks[1].timeout_ms > 0);
}

static void a_required_unit_with_the_name_of_a_check_is_refused(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL,
                   "[check a.service]\nkind=exec\ncommand=true\n"
                   "[confirm]\nrequire_unit=a.service\n",
                   "require_unit: [confirm] there is a [check a.service] already");
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL, "[confirm]\nrequire_unit=\n", &c, &e));
    assert_int_equal(c->check_count, 0);
}

static void an_http_check_accepts_any_2xx_by_default(void **state)
{
    struct error e;
    (void)state;
    CLEANUP(cleanup_config) struct config *c = NULL;
    assert_ok(build(NULL, "[check x]\nkind=http\nurl=http://h/\n", &c, &e));
    assert_int_equal(c->checks[0].expect_first, 200);
    assert_int_equal(c->checks[0].expect_last, 299);
}

static void a_check_needs_its_kind_and_the_keys_of_its_kind(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[check x]\nretries=3\n", "[check x] needs the key kind");
    assert_refused(
        NULL, "[check x]\nkind=ping\n",
        "wants http, tcp, exec, file-age, mount, disk-free, systemd-unit, docker or server");
    assert_refused(NULL, "[check x]\nkind=http\n", "[check x] needs the key url");
    assert_refused(NULL, "[check x]\nkind=exec\n", "[check x] needs the key command");
    assert_refused(NULL, "[check x]\nkind=file-age\nmax_age=1s\n", "[check x] needs the key path");
    assert_refused(NULL, "[check x]\nkind=file-age\npath=/x\n", "[check x] needs the key max_age");
}

static void a_key_of_another_kind_of_check_is_refused(void **state)
{
    struct error e;
    (void)state;
    assert_refused(NULL, "[check x]\nkind=http\nurl=http://h/\ncommand=true\n",
                   "test.conf:14: command: [check x] is a check of another kind");
    assert_refused(NULL, "[check x]\nkind=exec\ncommand=true\nmax_age=1s\n", "of another kind");
    assert_refused(NULL, "[check x]\nkind=file-age\npath=/x\nmax_age=1s\nexpect=200\n",
                   "of another kind");
}

static void there_is_a_limit_to_the_number_of_checks(void **state)
{
    struct error e;
    char more[32000] = "";
    (void)state;
    for (int i = 0; i <= CONFIG_CHECKS_MAX; i++) {
        size_t used = strlen(more);
        snprintf(more + used, sizeof more - used, "[check c%d]\nkind=exec\ncommand=true\n", i);
    }
    assert_refused(NULL, more, "[check c200] is one too many: at most 200 checks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_configuration_gets_all_documented_defaults),
        cmocka_unit_test(slots_get_names_boot_names_boot_values_and_partitions),
        cmocka_unit_test(slots_are_numbered_by_name_and_not_by_their_place_in_a_file),
        cmocka_unit_test(there_are_exactly_two_slots),
        cmocka_unit_test(a_missing_required_key_is_named_with_its_section),
        cmocka_unit_test(a_missing_key_is_told_with_file_and_line_of_its_section),
        cmocka_unit_test(a_check_without_keys_is_no_check_that_is_left_out),
        cmocka_unit_test(a_poll_interval_longer_than_the_longest_is_refused_by_name),
        cmocka_unit_test(times_by_which_no_release_would_be_kept_are_refused),
        cmocka_unit_test(a_slot_without_a_partition_is_refused),
        cmocka_unit_test(unknown_sections_and_keys_are_refused_with_file_and_line),
        cmocka_unit_test(a_bad_value_says_section_key_and_what_is_allowed),
        cmocka_unit_test(a_partition_wants_an_absolute_path),
        cmocka_unit_test(a_slot_has_no_more_partitions_than_an_image_may_have),
        cmocka_unit_test(contract_bootcount_needs_a_boot_value_for_slots_of_other_names),
        cmocka_unit_test(a_client_key_without_a_certificate_is_refused),
        cmocka_unit_test(checks_of_each_kind_get_their_keys_and_dockers_defaults),
        cmocka_unit_test(the_other_kinds_get_their_keys_too),
        cmocka_unit_test(a_required_unit_is_one_more_check),
        cmocka_unit_test(a_required_unit_with_the_name_of_a_check_is_refused),
        cmocka_unit_test(an_http_check_accepts_any_2xx_by_default),
        cmocka_unit_test(a_check_needs_its_kind_and_the_keys_of_its_kind),
        cmocka_unit_test(a_key_of_another_kind_of_check_is_refused),
        cmocka_unit_test(there_is_a_limit_to_the_number_of_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
