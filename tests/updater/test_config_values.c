// SPDX-License-Identifier: Apache-2.0
#include "updater/config_values.h"

#include "tests/support/expect.h"
#include "updater/check.h"
#include "updater/config_keys.h"

// One value of one key: refused, or read into the structure that the key belongs to.
struct sample {
    const char *section;
    const char *key;
    const char *value;
    bool taken;
};

static union field {
    struct config config;
    struct boot_slot slot;
    struct config_check check;
} field;

static void *base_of(const struct key_spec *spec)
{
    return (char *)&field + spec->offset;
}

static bool take(const char *section, const char *key, const char *value)
{
    const struct key_spec *spec = config_key_find(section, key);
    assert_non_null(spec);
    memset(&field, 0, sizeof field);
    return spec->read(base_of(spec), spec, value);
}

static void each_key_takes_its_values_and_refuses_others(void **state)
{
    static const struct sample samples[] = {
        {"device", "product", "vv-edge", true},
        {"device", "product", "", false},
        {"device", "product", "two words", false},
        {"device", "compatible", "rpi4/b", false},
        {"device", "id", "", true},
        {"device", "id", "device-0001", true},
        {"device", "id", "a b", false},
        {"device", "state_dir", "/data", true},
        {"device", "state_dir", "data", false},
        {"device", "state_dir", "", false},
        {"device", "cmdline_file", "cmdline", false},
        {"device", "reboot_command", "", true},
        {"fleet", "source", "dir", true},
        {"fleet", "source", "ftp", false},
        {"fleet", "url", "", true},
        {"fleet", "url", "https://h/latest.vvi", true},
        {"fleet", "url", "/latest.vvi", false},
        {"fleet", "interval", "9s", false},
        {"fleet", "interval", "10s", true},
        {"fleet", "interval", "7d", true},
        {"fleet", "interval", "169h", false},
        {"fleet", "jitter", "0%", true},
        {"fleet", "jitter", "50%", true},
        {"fleet", "jitter", "51%", false},
        {"fleet", "jitter", "10", false},
        {"fleet", "jitter", "%", false},
        {"gates", "install_window", "", true},
        {"gates", "install_window", "Sun 02:00-04:00, Mon-Fri 23:00-05:00", true},
        {"gates", "install_window", "Sunday at two", false},
        {"gates", "need_ac", "maybe", false},
        {"gates", "battery_min", "30%", true},
        {"gates", "monthly_budget", "500M", true},
        {"gates", "monthly_budget", "a lot", false},
        {"gates", "fleet_lock_url", "lock.example", false},
        {"agent", "socket", "agent.sock", false},
        {"agent", "group", "", true},
        {"agent", "group", "two groups", false},
        {"agent", "hook", "", true},
        {"agent", "hook", "touch /tmp/x; true", true},
        {"device", "reboot_command", "touch /tmp/x; true", true},
        {"slot", "bootname", "A", true},
        {"slot", "bootname", "A B", false},
        {"slot", "bootname", "", false},
        {"slot", "bootvalue", "/dev/mmcblk0p2", true},
        {"slot", "bootvalue", "2;reset", false},
        {"slot", "bootvalue", "$(x)", false},
        {"slot", "bootvalue", "", false},
        {"bootloader", "type", "uboot", true},
        {"bootloader", "type", "grub", false},
        {"bootloader", "contract", "order", true},
        {"bootloader", "contract", "bootcount", true},
        {"bootloader", "contract", "Order", false},
        {"bootloader", "env_config", "fw_env.config", false},
        {"bootloader", "slot_var", "rpipart", true},
        {"bootloader", "slot_var", "a=b", false},
        {"bootloader", "attempts", "1", true},
        {"bootloader", "attempts", "9", true},
        {"bootloader", "attempts", "0", false},
        {"bootloader", "attempts", "10", false},
        {"bootloader", "attempts", "3x", false},
        {"trust", "roots", "/etc/trust", true},
        {"trust", "roots", "trust", false},
        {"trust", "signers", "16", true},
        {"trust", "signers", "0", false},
        {"trust", "signers", "17", false},
        {"network", "ca", "", true},
        {"network", "ca", "ca.pem", false},
        {"network", "client_cert", "/c.pem", true},
        {"network", "client_key", "k.pem", false},
        {"network", "rate_limit", "2M", true},
        {"network", "rate_limit", "0", true},
        {"network", "rate_limit", "fast", false},
        {"network", "rate_limit", "9999999T", false},
        {"network", "byte_budget", "0", true},
        {"network", "byte_budget", "2G", true},
        {"network", "byte_budget", "all", false},
        {"network", "max_waste", "64M", true},
        {"network", "max_waste", "-1", false},
        {"network", "low_speed", "1K/30s", true},
        {"network", "low_speed", "1K/", false},
        {"network", "low_speed", "1K/0", false},
        {"network", "low_speed", "/30s", false},
        {"network", "low_speed", "1K/25d", false},
        {"network", "low_speed", "00000000000000000000000000000001K/30s", false},
        {"network", "retries", "0", true},
        {"network", "retries", "1000", true},
        {"network", "retries", "1001", false},
        {"network", "connections", "1", true},
        {"network", "connections", "6", true},
        {"network", "connections", "0", false},
        {"network", "connections", "7", false},
        {"network", "connections", "auto", false},
        {"install", "nice", "19", true},
        {"install", "nice", "0", true},
        {"install", "nice", "20", false},
        {"install", "nice", "-5", false},
        {"install", "io_priority", "none", true},
        {"install", "io_priority", "idle", true},
        {"install", "io_priority", "best-effort:0", true},
        {"install", "io_priority", "best-effort:8", false},
        {"install", "io_priority", "best-effort:", false},
        {"install", "io_priority", "idle:1", false},
        {"install", "io_priority", "realtime", false},
        {"install", "io_priority", "", false},
        {"install", "io_priority", "best-effort-or-so:1", false},
        {"install", "workers", "auto", true},
        {"install", "workers", "0", true},
        {"install", "workers", "8", true},
        {"install", "workers", "9", false},
        {"install", "workers", "Auto", false},
        {"install", "workers", "4294967295", false},
        {"install", "workers", "", false},
        {"confirm", "deadline", "10min", true},
        {"confirm", "deadline", "0s", false},
        {"confirm", "deadline", "25d", false},
        {"confirm", "stable_for", "0", true},
        {"confirm", "stable_for", "1y", false},
        {"check", "kind", "exec", true},
        {"check", "severity", "wanted", true},
        {"check", "severity", "optional", false},
        {"check", "url", "http://127.0.0.1:8000/status", true},
        {"check", "url", "ftp://127.0.0.1/", false},
        {"check", "url", "http://127.0.0.1/a b", false},
        {"check", "expect", "204", true},
        {"check", "expect", "200-299", true},
        {"check", "expect", "299-200", false},
        {"check", "expect", "99", false},
        {"check", "expect", "200-600", false},
        {"check", "expect", "200-", false},
        {"check", "expect", "-299", false},
        {"check", "expect", "000000200", false},
        {"check", "command", "true", true},
        {"check", "command", "", false},
        {"check", "kind", "disk-free", true},
        {"check", "kind", "disk", false},
        {"check", "kind", "", false},
        {"check", "address", "127.0.0.1:8554", true},
        {"check", "address", "camera-1.shop.example:1", true},
        {"check", "address", "[fe80::1]:65535", true},
        {"check", "address", "fe80::1:80", false},
        {"check", "address", "[]:80", false},
        {"check", "address", "[1:80", false},
        {"check", "address", "127.0.0.1", false},
        {"check", "address", ":80", false},
        {"check", "address", "camera:0", false},
        {"check", "address", "camera:65536", false},
        {"check", "address", "camera:80/path", false},
        {"check", "address", "user@camera:80", false},
        {"check", "address", "a b:80", false},
        {"check", "writable", "yes", true},
        {"check", "writable", "rw", false},
        {"check", "min_free", "64M", true},
        {"check", "min_free", "5%", true},
        {"check", "min_free", "100%", true},
        {"check", "min_free", "101%", false},
        {"check", "min_free", "0%", false},
        {"check", "min_free", "0", false},
        {"check", "min_free", "%", false},
        {"check", "min_free", "5 %", false},
        {"check", "min_free", "00000005%", false},
        {"check", "min_free", "", false},
        {"check", "unit", "tv-api.service", true},
        {"check", "unit", "dev-disk-by\\x2dlabel-data.device", true},
        {"check", "unit", "heartbeat@scene:1.service", true},
        {"check", "unit", "", false},
        {"check", "unit", "-H evil", false},
        {"check", "unit", "--version", false},
        {"check", "unit", "a'b.service", false},
        {"check", "container", "scene_scanner", true},
        {"check", "container", "../images", false},
        {"check", "container", "a?b", false},
        {"check", "socket", "/run/podman/podman.sock", true},
        {"check", "socket", "docker.sock", false},
        {"check", "running_for", "0", true},
        {"check", "running_for", "long", false},
        {"check", "path", "/data/heartbeat", true},
        {"check", "path", "heartbeat", false},
        {"check", "max_age", "5min", true},
        {"check", "max_age", "0", false},
        {"check", "interval", "200ms", true},
        {"check", "interval", "0", false},
        {"check", "timeout", "0s", false},
        {"check", "start_period", "0s", true},
        {"check", "retries", "0", false},
        {"check", "successes", "0", false},
        {"check", "successes", "2", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        if (take(s->section, s->key, s->value) != s->taken) {
            fail_msg("[%s] %s=%s: expected it to be %s", s->section, s->key, s->value,
                     s->taken ? "taken" : "refused");
        }
    }
}

static void values_arrive_in_their_fields(void **state)
{
    (void)state;
    assert_true(take("bootloader", "contract", "bootcount"));
    assert_int_equal(field.config.boot.contract, CONTRACT_BOOTCOUNT);
    assert_true(take("bootloader", "attempts", "7"));
    assert_int_equal(field.config.boot.attempts, 7);
    assert_true(take("network", "rate_limit", "2M"));
    assert_int_equal(field.config.http.rate_limit, 2 << 20);
    assert_true(take("network", "byte_budget", "1G"));
    assert_int_equal(field.config.byte_budget, 1 << 30);
    assert_true(take("network", "low_speed", "4K/5s"));
    assert_int_equal(field.config.http.low_speed_bytes, 4096);
    assert_int_equal(field.config.http.low_speed_ms, 5000);
    assert_true(take("network", "low_speed", "100"));
    assert_int_equal(field.config.http.low_speed_bytes, 100);
    assert_int_equal(field.config.http.low_speed_ms, 30000);
    assert_true(take("network", "connections", "6"));
    assert_int_equal(field.config.connections, 6);
    assert_true(take("install", "io_priority", "best-effort:7"));
    assert_int_equal(field.config.io_priority.class, IO_CLASS_BEST_EFFORT);
    assert_int_equal(field.config.io_priority.level, 7);
    assert_true(take("install", "io_priority", "best-effort"));
    assert_int_equal(field.config.io_priority.level, IO_LEVEL_DEFAULT);
    assert_true(take("install", "io_priority", "idle"));
    assert_int_equal(field.config.io_priority.class, IO_CLASS_IDLE);
    assert_true(take("install", "workers", "3"));
    assert_int_equal(field.config.workers, 3);
    assert_true(take("install", "workers", "auto"));
    assert_int_equal(field.config.workers, WORKERS_AUTO);
    assert_true(take("check", "expect", "200-204"));
    assert_int_equal(field.check.expect_first, 200);
    assert_int_equal(field.check.expect_last, 204);
    assert_true(take("check", "expect", "418"));
    assert_int_equal(field.check.expect_first, 418);
    assert_int_equal(field.check.expect_last, 418);
    assert_true(take("check", "severity", "required"));
    assert_true(field.check.required);
    assert_true(take("check", "severity", "wanted"));
    assert_false(field.check.required);
    assert_true(take("check", "kind", "file-age"));
    assert_int_equal(field.check.kind, CHECK_FILE_AGE);
    assert_true(take("check", "min_free", "64M"));
    assert_int_equal(field.check.min_free.bytes, 64 << 20);
    assert_int_equal(field.check.min_free.percent, 0);
    assert_true(take("check", "min_free", "5%"));
    assert_int_equal(field.check.min_free.percent, 5);
    assert_true(take("check", "writable", "yes"));
    assert_true(field.check.writable);
    assert_true(take("slot", "bootvalue", "3"));
    assert_string_equal(field.slot.bootvalue, "3");
}

static void an_empty_value_takes_an_optional_path_back(void **state)
{
    (void)state;
    const struct key_spec *spec = config_key_find("network", "ca");
    field.config.http.ca = "/old";
    assert_true(spec->read(base_of(spec), spec, ""));
    assert_null(field.config.http.ca);
}

static void a_refused_value_leaves_the_field_alone(void **state)
{
    (void)state;
    const struct key_spec *spec = config_key_find("network", "low_speed");
    field.config.http.low_speed_bytes = 5;
    field.config.http.low_speed_ms = 6;
    assert_false(spec->read(base_of(spec), spec, "7/x"));
    assert_int_equal(field.config.http.low_speed_bytes, 5);
    assert_int_equal(field.config.http.low_speed_ms, 6);
}

static void every_kind_of_check_can_be_named_and_is_told_of_in_the_error(void **state)
{
    (void)state;
    const struct key_spec *spec = config_key_find("check", "kind");
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        const char *name = check_kind_name((enum check_kind)kind);
        assert_true(take("check", "kind", name));
        assert_int_equal(field.check.kind, kind);
        assert_contains(spec->allowed, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_takes_its_values_and_refuses_others),
        cmocka_unit_test(values_arrive_in_their_fields),
        cmocka_unit_test(an_empty_value_takes_an_optional_path_back),
        cmocka_unit_test(a_refused_value_leaves_the_field_alone),
        cmocka_unit_test(every_kind_of_check_can_be_named_and_is_told_of_in_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
