// SPDX-License-Identifier: Apache-2.0
#include "updater/config_keys.h"

#include "base/parse.h"
#include "bootloader/boot_defaults.h"
#include "updater/config_values.h"

#include <stdio.h>
#include <string.h>

enum {
    HTTP = 1 << CHECK_HTTP,
    TCP = 1 << CHECK_TCP,
    EXEC = 1 << CHECK_EXEC,
    FILE_AGE = 1 << CHECK_FILE_AGE,
    MOUNT = 1 << CHECK_MOUNT,
    DISK_FREE = 1 << CHECK_DISK_FREE,
    SYSTEMD_UNIT = 1 << CHECK_SYSTEMD_UNIT,
    DOCKER = 1 << CHECK_DOCKER,
    SERVER = 1 << CHECK_SERVER,
    EVERY = (1 << CHECK_KINDS) - 1,
};

enum { DURATION_MAX_MS = INT32_MAX }; // 24 days; poll() and its kin take an int

#define A_NAME "1 to 64 of the characters A-Z a-z 0-9 . _ + ~ : -"
#define A_PATH "an absolute path"
#define A_PATH_OR_NONE "an absolute path, or nothing for none"
#define A_COMMAND_OR_NONE "a command, or nothing for none"
#define A_WINDOWS "windows such as Sun 02:00-04:00, Mon-Fri 23:00-05:00, or nothing for always"
#define A_DURATION "a duration up to 24d (ms, s, min, h, d) that is not 0, e.g. 30s"

#define IN_CONFIG(field) .base = BASE_CONFIG, .offset = offsetof(struct config, field)
#define IN_SLOT(field) .base = BASE_BOOT_SLOT, .offset = offsetof(struct boot_slot, field)
#define IN_CHECK(field) .base = BASE_CHECK, .offset = offsetof(struct config_check, field)

_Static_assert(CONFIG_CONNECTIONS_MAX == 6 && CONFIG_WORKERS_MAX == 8, "what is allowed below");
_Static_assert(BOOT_DEFAULT_ATTEMPTS == 3, "the default of attempts below");

// clang-format off
const struct key_spec config_keys[] = {
    {"device", "product", config_read_name, IN_CONFIG(product),
     .allowed = A_NAME, .flags = KEY_REQUIRED},
    {"device", "compatible", config_read_name, IN_CONFIG(compatible),
     .allowed = A_NAME, .flags = KEY_REQUIRED},
    {"device", "id", config_read_name_or_none, IN_CONFIG(device_id),
     .allowed = A_NAME ", or nothing for none"},
    {"device", "state_dir", config_read_path, IN_CONFIG(state_dir),
     .allowed = A_PATH, .flags = KEY_REQUIRED},
    {"device", "cmdline_file", config_read_path, IN_CONFIG(cmdline_file),
     .fallback = "/proc/cmdline", .allowed = A_PATH},
    {"device", "reboot_command", config_read_text, IN_CONFIG(reboot_command),
     .fallback = "systemctl reboot", .allowed = "a command, or nothing to never reboot"},
    {"device", "watchdog", config_read_path_or_none, IN_CONFIG(watchdog),
     .fallback = "/dev/watchdog", .allowed = A_PATH_OR_NONE},

    {"slot", "bootname", config_read_name, IN_SLOT(bootname), .allowed = A_NAME},
    {"slot", "bootvalue", config_read_boot_value, IN_SLOT(bootvalue),
     .allowed = "a value without white space, quotes and ; $ \\ & |"},

    {"bootloader", "type", config_read_loader_type, IN_CONFIG(boot),
     .fallback = "uboot", .allowed = "uboot"},
    {"bootloader", "contract", config_read_contract, IN_CONFIG(boot.contract),
     .fallback = "order", .allowed = "order or bootcount"},
    {"bootloader", "env_config", config_read_path, IN_CONFIG(env_config),
     .fallback = "/etc/fw_env.config", .allowed = A_PATH},
    {"bootloader", "slot_var", config_read_name, IN_CONFIG(boot.slot_var),
     .fallback = BOOT_DEFAULT_SLOT_VAR, .allowed = A_NAME},
    {"bootloader", "attempts", config_read_number, IN_CONFIG(boot.attempts), 1, ATTEMPTS_MAX,
     .fallback = "3", .allowed = "a number from 1 to 9"},

    {"trust", "roots", config_read_path, IN_CONFIG(trust_roots),
     .allowed = A_PATH, .flags = KEY_REQUIRED},
    {"trust", "signers", config_read_number, IN_CONFIG(trust_signers), 1, 16,
     .fallback = "1", .allowed = "a number from 1 to 16"},

    {"network", "ca", config_read_path_or_none, IN_CONFIG(http.ca), .allowed = A_PATH_OR_NONE},
    {"network", "client_cert", config_read_path_or_none, IN_CONFIG(http.client_cert),
     .allowed = A_PATH_OR_NONE},
    {"network", "client_key", config_read_path_or_none, IN_CONFIG(http.client_key),
     .allowed = A_PATH_OR_NONE},
    {"network", "rate_limit", config_read_size, IN_CONFIG(http.rate_limit), 0, INT64_MAX,
     .fallback = "0", .allowed = "bytes a second (K, M, G), or 0 for no limit",
     .flags = KEY_STATE_DIR},
    {"network", "byte_budget", config_read_size, IN_CONFIG(byte_budget), 0, INT64_MAX,
     .fallback = "0", .allowed = "a size in bytes (K, M, G), or 0 for no limit",
     .flags = KEY_STATE_DIR},
    {"network", "max_waste", config_read_size, IN_CONFIG(http.max_waste_bytes), 0, INT64_MAX,
     .fallback = "64M", .allowed = "a size in bytes (K, M, G)", .flags = KEY_STATE_DIR},
    {"network", "low_speed", config_read_low_speed, IN_CONFIG(http), 1, DURATION_MAX_MS,
     .fallback = "1K/30s", .allowed = "SIZE or SIZE/DURATION, e.g. 1K/30s",
     .flags = KEY_STATE_DIR},
    {"network", "retries", config_read_number, IN_CONFIG(http.retries), 0, 1000,
     .fallback = "5", .allowed = "a number from 0 to 1000", .flags = KEY_STATE_DIR},
    {"network", "connections", config_read_number, IN_CONFIG(connections), 1,
     CONFIG_CONNECTIONS_MAX, .fallback = "4", .allowed = "a number from 1 to 6",
     .flags = KEY_STATE_DIR},

    {"install", "workers", config_read_workers, IN_CONFIG(workers), 0, CONFIG_WORKERS_MAX,
     .fallback = "auto", .allowed = "auto or a number from 0 to 8"},
    {"install", "nice", config_read_number, IN_CONFIG(nice), 0, 19,
     .fallback = "0", .allowed = "a number from 0 to 19"},
    {"install", "io_priority", config_read_io_priority, IN_CONFIG(io_priority), 0, IO_LEVEL_MAX,
     .fallback = "none", .allowed = "idle, best-effort, best-effort:0 to best-effort:7, or none"},

    {"confirm", "deadline", config_read_duration, IN_CONFIG(confirm_deadline_ms), 1,
     DURATION_MAX_MS, .fallback = "10min", .allowed = A_DURATION},
    {"confirm", "stable_for", config_read_duration, IN_CONFIG(confirm_stable_ms), 0,
     DURATION_MAX_MS, .fallback = "0s", .allowed = "a duration up to 24d (ms, s, min, h, d)"},

    {"confirm", "require_unit", config_read_unit_or_none, IN_CONFIG(confirm_require_unit),
     .allowed = "the name of a unit, or nothing for none"},
    {"confirm", "baseline", config_read_bool, IN_CONFIG(confirm_baseline),
     .fallback = "yes", .allowed = "yes or no"},

    {"check", "kind", config_read_check_kind, IN_CHECK(kind),
     .allowed = "http, tcp, exec, file-age, mount, disk-free, systemd-unit, docker or server",
     .flags = KEY_REQUIRED, .kinds = EVERY},
    {"check", "severity", config_read_severity, IN_CHECK(required),
     .fallback = "required", .allowed = "required or wanted", .kinds = EVERY},
    {"check", "url", config_read_url, IN_CHECK(url),
     .allowed = "an http:// or https:// URL", .flags = KEY_REQUIRED | KEY_URL,
     .kinds = HTTP | SERVER},
    {"check", "expect", config_read_expect, .base = BASE_CHECK, .min = 100, .max = 599,
     .fallback = "200-299", .allowed = "a status code or a range of them, e.g. 200-299",
     .kinds = HTTP},
    {"check", "command", config_read_some_text, IN_CHECK(command),
     .allowed = "a command", .flags = KEY_REQUIRED, .kinds = EXEC},
    {"check", "address", config_read_address, IN_CHECK(address),
     .allowed = "HOST:PORT", .flags = KEY_REQUIRED, .kinds = TCP},
    {"check", "path", config_read_path, IN_CHECK(path),
     .allowed = A_PATH, .flags = KEY_REQUIRED, .kinds = FILE_AGE | MOUNT | DISK_FREE},
    {"check", "max_age", config_read_duration, IN_CHECK(max_age_ms), 1, DURATION_MAX_MS,
     .allowed = A_DURATION, .flags = KEY_REQUIRED, .kinds = FILE_AGE},
    {"check", "writable", config_read_bool, IN_CHECK(writable),
     .fallback = "no", .allowed = "yes or no", .kinds = MOUNT},
    {"check", "min_free", config_read_free_space, IN_CHECK(min_free), 1, 100,
     .allowed = "a size that is not 0 (K, M, G) or a percentage, e.g. 5%", .flags = KEY_REQUIRED,
     .kinds = DISK_FREE},
    {"check", "unit", config_read_unit, IN_CHECK(unit),
     .allowed = "the name of a unit", .flags = KEY_REQUIRED, .kinds = SYSTEMD_UNIT},
    {"check", "container", config_read_name, IN_CHECK(container),
     .allowed = A_NAME, .flags = KEY_REQUIRED, .kinds = DOCKER},
    {"check", "socket", config_read_path, IN_CHECK(socket),
     .fallback = "/run/docker.sock", .allowed = A_PATH, .kinds = DOCKER},
    {"check", "running_for", config_read_duration, IN_CHECK(running_for_ms), 0, DURATION_MAX_MS,
     .fallback = "10s", .allowed = "a duration up to 24d (ms, s, min, h, d)", .kinds = DOCKER},
    {"check", "interval", config_read_duration, IN_CHECK(interval_ms), 1, DURATION_MAX_MS,
     .fallback = "30s", .allowed = A_DURATION, .kinds = EVERY},
    {"check", "timeout", config_read_duration, IN_CHECK(timeout_ms), 1, DURATION_MAX_MS,
     .fallback = "10s", .allowed = A_DURATION, .kinds = EVERY},
    {"check", "start_period", config_read_duration, IN_CHECK(start_period_ms), 0, DURATION_MAX_MS,
     .fallback = "0s", .allowed = "a duration up to 24d (ms, s, min, h, d)", .kinds = EVERY},
    {"check", "retries", config_read_number, IN_CHECK(retries), 1, 1000,
     .fallback = "3", .allowed = "a number from 1 to 1000", .kinds = EVERY},
    {"check", "successes", config_read_number, IN_CHECK(successes), 1, 1000,
     .fallback = "1", .allowed = "a number from 1 to 1000", .kinds = EVERY},

    {"fleet", "source", config_read_fleet_source, IN_CONFIG(fleet.source),
     .fallback = "none", .allowed = "none or dir", .flags = KEY_STATE_DIR},
    {"fleet", "dir", config_read_path_or_none, IN_CONFIG(fleet.dir),
     .allowed = A_PATH_OR_NONE, .flags = KEY_STATE_DIR},
    {"fleet", "url", config_read_url_or_none, IN_CONFIG(fleet.url),
     .allowed = "an http:// or https:// URL, or nothing for none",
     .flags = KEY_STATE_DIR | KEY_URL},
    {"fleet", "report_dir", config_read_path_or_none, IN_CONFIG(fleet.report_dir),
     .allowed = A_PATH_OR_NONE},
    {"fleet", "interval", config_read_duration, IN_CONFIG(fleet.interval_ms),
     FLEET_INTERVAL_MIN_MS, FLEET_INTERVAL_MAX_MS, .fallback = "10min",
     .allowed = "a duration from 10s to 7d (ms, s, min, h, d)", .flags = KEY_STATE_DIR},
    {"fleet", "jitter", config_read_percent, IN_CONFIG(fleet.jitter_percent), 0, 50,
     .fallback = "10%", .allowed = "a percentage from 0% to 50%", .flags = KEY_STATE_DIR},

    {"gates", "download_window", config_read_windows, IN_CONFIG(gates.download_window),
     .allowed = A_WINDOWS, .flags = KEY_STATE_DIR},
    {"gates", "install_window", config_read_windows, IN_CONFIG(gates.install_window),
     .allowed = A_WINDOWS, .flags = KEY_STATE_DIR},
    {"gates", "reboot_window", config_read_windows, IN_CONFIG(gates.reboot_window),
     .allowed = A_WINDOWS, .flags = KEY_STATE_DIR},
    {"gates", "clock_wait", config_read_duration, IN_CONFIG(gates.clock_wait_ms), 0,
     DURATION_MAX_MS, .fallback = "1h", .allowed = "a duration up to 24d (ms, s, min, h, d)",
     .flags = KEY_STATE_DIR},
    {"gates", "monthly_budget", config_read_size, IN_CONFIG(gates.monthly_budget), 0, INT64_MAX,
     .fallback = "0", .allowed = "a size in bytes (K, M, G), or 0 for no limit",
     .flags = KEY_STATE_DIR},
    {"gates", "need_ac", config_read_bool, IN_CONFIG(gates.need_ac),
     .fallback = "no", .allowed = "yes or no", .flags = KEY_STATE_DIR},
    {"gates", "battery_min", config_read_percent, IN_CONFIG(gates.battery_min_percent), 0, 100,
     .fallback = "0%", .allowed = "a percentage from 0% to 100%", .flags = KEY_STATE_DIR},
    {"gates", "need_consent", config_read_bool, IN_CONFIG(gates.need_consent),
     .fallback = "no", .allowed = "yes or no", .flags = KEY_STATE_DIR},
    {"gates", "download_command", config_read_text_or_none, IN_CONFIG(gates.download_command),
     .allowed = A_COMMAND_OR_NONE},
    {"gates", "install_command", config_read_text_or_none, IN_CONFIG(gates.install_command),
     .allowed = A_COMMAND_OR_NONE},
    {"gates", "reboot_command", config_read_text_or_none, IN_CONFIG(gates.reboot_command),
     .allowed = A_COMMAND_OR_NONE},
    {"gates", "command_timeout", config_read_duration, IN_CONFIG(gates.command_timeout_ms), 1,
     DURATION_MAX_MS, .fallback = "30s", .allowed = A_DURATION},
    {"gates", "fleet_lock_url", config_read_url_or_none, IN_CONFIG(gates.fleet_lock_url),
     .allowed = "an http:// or https:// URL, or nothing for none",
     .flags = KEY_STATE_DIR | KEY_URL},
    {"gates", "fleet_lock_group", config_read_name, IN_CONFIG(gates.fleet_lock_group),
     .fallback = "default", .allowed = A_NAME, .flags = KEY_STATE_DIR},

    {"agent", "socket", config_read_path, IN_CONFIG(agent.socket),
     .fallback = "/run/vv-update/agent.sock", .allowed = A_PATH},
    {"agent", "group", config_read_name_or_none, IN_CONFIG(agent.group),
     .allowed = A_NAME ", or nothing for root only"},
    {"agent", "metrics", config_read_path_or_none, IN_CONFIG(agent.metrics),
     .allowed = A_PATH_OR_NONE},
    {"agent", "hook", config_read_text_or_none, IN_CONFIG(agent.hook),
     .allowed = A_COMMAND_OR_NONE},
    {0},
};
// clang-format on

const struct key_spec *config_key_find(const char *section, const char *key)
{
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (strcmp(k->section, section) == 0 && strcmp(k->key, key) == 0) {
            return k;
        }
    }
    return NULL;
}

bool config_section_known(const char *section, bool *ret_named)
{
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (strcmp(k->section, section) == 0) {
            *ret_named = k->base != BASE_CONFIG;
            return true;
        }
    }
    return false;
}

// Insertions, deletions and changes of one character that lead from `a` to `b`, both names.
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1];
    size_t len = strnlen(b, NAME_MAX_LEN);
    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t best = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = diagonal + 1 < best ? diagonal + 1 : best;
        }
    }
    return row[len];
}

const char *config_key_hint(const char *section, const char *key, char *buf, size_t len)
{
    const struct key_spec *near = NULL;
    const struct key_spec *elsewhere = NULL;
    size_t least = 3; // more changes than two make another word of most keys
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (strcmp(k->section, section) != 0) {
            elsewhere = strcmp(k->key, key) == 0 ? k : elsewhere;
        } else if (edit_distance(k->key, key) < least) {
            least = edit_distance(k->key, key);
            near = k;
        }
    }
    if (near != NULL) {
        snprintf(buf, len, "did you mean %s?", near->key);
        return buf;
    }
    if (elsewhere != NULL) {
        snprintf(buf, len, "%s belongs to [%s]", key, elsewhere->section);
        return buf;
    }
    size_t used = (size_t)snprintf(buf, len, "its keys are");
    for (const struct key_spec *k = config_keys; k->section != NULL && used < len; k++) {
        if (strcmp(k->section, section) == 0) {
            used += (size_t)snprintf(buf + used, len - used, " %s", k->key);
        }
    }
    return buf;
}

const char *config_key_shown(const struct key_spec *spec, const char *value, char *buf, size_t len)
{
    const char *start = strstr(value, "://");
    if (spec == NULL || (spec->flags & KEY_URL) == 0 || start == NULL) {
        snprintf(buf, len, "%s", value);
        return buf;
    }
    start += 3;
    size_t authority = strcspn(start, "/?#");
    const char *at = memrchr(start, '@', authority);
    if (at == NULL) {
        snprintf(buf, len, "%s", value);
    } else {
        snprintf(buf, len, "%.*s***%s", (int)(start - value), value, at);
    }
    return buf;
}
