// SPDX-License-Identifier: Apache-2.0
// How the value of a key is read: one reader for each kind of value, named by the table of keys.
//
// Invariants
// 1. A reader sets the field or refuses (false), and then the field is as before; it never stores
//    something else than what was written.
// 2. Strings are kept by reference.
// 3. `spec` gives the limits of numbers, sizes and durations; the other readers do not look at it.
#ifndef UPDATER_CONFIG_VALUES_H
#define UPDATER_CONFIG_VALUES_H

#include <stdbool.h>

struct key_spec;

// Text, into a `const char *`; "_or_none": an empty value takes it back, NULL.
bool config_read_text(void *field, const struct key_spec *spec, const char *value);
bool config_read_text_or_none(void *field, const struct key_spec *spec, const char *value);
bool config_read_some_text(void *field, const struct key_spec *spec, const char *value);
bool config_read_name(void *field, const struct key_spec *spec, const char *value);
bool config_read_name_or_none(void *field, const struct key_spec *spec, const char *value);
bool config_read_boot_value(void *field, const struct key_spec *spec, const char *value);
bool config_read_path(void *field, const struct key_spec *spec, const char *value);
bool config_read_path_or_none(void *field, const struct key_spec *spec, const char *value);
bool config_read_url(void *field, const struct key_spec *spec, const char *value);
bool config_read_url_or_none(void *field, const struct key_spec *spec, const char *value);
bool config_read_address(void *field, const struct key_spec *spec, const char *value);
bool config_read_unit(void *field, const struct key_spec *spec, const char *value);
bool config_read_unit_or_none(void *field, const struct key_spec *spec, const char *value);

// Into an `unsigned`.
bool config_read_number(void *field, const struct key_spec *spec, const char *value);
// The same, written with % behind it.
bool config_read_percent(void *field, const struct key_spec *spec, const char *value);
// The same, or WORKERS_AUTO for "auto".
bool config_read_workers(void *field, const struct key_spec *spec, const char *value);
// Bytes and milliseconds, into a `uint64_t`.
bool config_read_size(void *field, const struct key_spec *spec, const char *value);
bool config_read_duration(void *field, const struct key_spec *spec, const char *value);
// Into a `bool`.
bool config_read_bool(void *field, const struct key_spec *spec, const char *value);

// SIZE or SIZE/DURATION, into a `struct http_options`.
bool config_read_low_speed(void *field, const struct key_spec *spec, const char *value);
// 200 or 200-299, into a `struct config_check`.
bool config_read_expect(void *field, const struct key_spec *spec, const char *value);
// SIZE or a percentage, into a `struct free_space`.
bool config_read_free_space(void *field, const struct key_spec *spec, const char *value);

// none, idle, best-effort or best-effort:N, into a `struct io_priority`.
bool config_read_io_priority(void *field, const struct key_spec *spec, const char *value);

// Weekly windows, into a `struct windows`.
bool config_read_windows(void *field, const struct key_spec *spec, const char *value);

// One of a few words, into the enum or bool they stand for.
bool config_read_loader_type(void *field, const struct key_spec *spec, const char *value);
bool config_read_contract(void *field, const struct key_spec *spec, const char *value);
bool config_read_check_kind(void *field, const struct key_spec *spec, const char *value);
bool config_read_fleet_source(void *field, const struct key_spec *spec, const char *value);
bool config_read_severity(void *field, const struct key_spec *spec, const char *value);

#endif
