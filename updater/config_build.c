// SPDX-License-Identifier: Apache-2.0
#include "updater/config_build.h"

#include "base/parse.h"
#include "bootloader/boot_defaults.h"
#include "updater/config_check.h"
#include "updater/config_keys.h"

#include <string.h>

// A unit that failed stays failed: little patience, but for a systemd that is busy.
enum {
    REQUIRED_UNIT_INTERVAL_MS = 2000,
    REQUIRED_UNIT_TIMEOUT_MS = 10000,
    REQUIRED_UNIT_RETRIES = 3,
};

// "slot a": the kind into `kind`, the name ("" for none) returned.
static const char *split_section(const char *section, char kind[NAME_MAX_LEN + 1])
{
    size_t len = strcspn(section, " ");
    memcpy(kind, section, len);
    kind[len] = '\0';
    return section[len] == '\0' ? section + len : section + len + 1;
}

static int slot_index(const struct config *c, const char *name)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (c->slots[i].name != NULL && strcmp(c->slots[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static struct config_check *find_check(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->check_count; i++) {
        if (strcmp(c->checks[i].name, name) == 0) {
            return &c->checks[i];
        }
    }
    return NULL;
}

static enum err add_slot(struct config *c, const char *section, const char *name, struct error *e)
{
    if (slot_index(c, name) >= 0) {
        return OK;
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (c->slots[i].name == NULL) {
            c->slots[i].name = name;
            return OK;
        }
    }
    return conf_fail_section(e, &c->raw, section,
                             "is one too many: there are two slots, and [slot %s] and [slot %s] "
                             "are these",
                             c->slots[0].name, c->slots[1].name);
}

static enum err append_check(struct config *c, const struct config_check *check, struct error *e)
{
    struct config_check *bigger = reallocarray(c->checks, c->check_count + 1, sizeof *bigger);
    if (bigger == NULL) {
        return fail_memory(e);
    }
    c->checks = bigger;
    c->checks[c->check_count++] = *check;
    return OK;
}

static enum err add_check(struct config *c, const char *section, const char *name, struct error *e)
{
    if (find_check(c, name) != NULL) {
        return OK;
    }
    if (c->check_count == CONFIG_CHECKS_MAX) {
        return conf_fail_section(e, &c->raw, section, "is one too many: at most %d checks",
                                 CONFIG_CHECKS_MAX);
    }
    return append_check(c, &(struct config_check){.name = name, .network = &c->http}, e);
}

static enum err add_section(struct config *c, const char *section, struct error *e)
{
    char kind[NAME_MAX_LEN + 1];
    const char *name = split_section(section, kind);
    bool named;
    if (!config_section_known(kind, &named)) {
        return conf_fail_section(e, &c->raw, section,
                                 "is no section that there is; these are [device], [slot NAME], "
                                 "[bootloader], [trust], [network], [install], [fleet], [gates], "
                                 "[agent], [confirm] and [check NAME]");
    }
    if (named && name[0] == '\0') {
        return conf_fail_section(e, &c->raw, section, "needs a name: [%s NAME]", kind);
    }
    if (!named && name[0] != '\0') {
        return conf_fail_section(e, &c->raw, section, "must be [%s]: it takes no name", kind);
    }
    if (strcmp(kind, "slot") == 0) {
        return add_slot(c, section, name, e);
    }
    return strcmp(kind, "check") == 0 ? add_check(c, section, name, e) : OK;
}

static int by_slot_name(const void *a, const void *b)
{
    const struct config_slot *x = a;
    const struct config_slot *y = b;
    return strcmp(x->name, y->name);
}

// Finds slots and checks. Slots are sorted by name, so that their numbers in the journal do not
// depend on which file names them first.
static enum err find_sections(struct config *c, struct error *e)
{
    for (size_t i = 0; i < c->raw.section_count; i++) {
        enum err err = add_section(c, c->raw.sections[i].name, e);
        if (err != OK) {
            return err;
        }
    }
    if (c->slots[1].name == NULL) {
        return fail(e, ERR_CONFIG, 0, "%s: there must be two sections [slot NAME], there is %s",
                    c->raw.files[0], c->slots[0].name == NULL ? "none" : "one");
    }
    qsort(c->slots, SLOT_COUNT, sizeof c->slots[0], by_slot_name);
    for (int i = 0; i < SLOT_COUNT; i++) {
        c->boot.slots[i] = (struct boot_slot){.name = c->slots[i].name, .bootvalue = ""};
    }
    return OK;
}

// Where the field of `spec` is, for the section with this name.
static void *field_of(struct config *c, const struct key_spec *spec, const char *name)
{
    char *base = (char *)c;
    if (spec->base == BASE_BOOT_SLOT) {
        base = (char *)&c->boot.slots[slot_index(c, name)];
    } else if (spec->base == BASE_CHECK) {
        base = (char *)find_check(c, name);
    }
    return base + spec->offset;
}

static enum err read_value(struct config *c, struct conf_entry *entry, const struct key_spec *spec,
                           const char *name, struct error *e)
{
    char shown[256];
    entry->used = true;
    if (!spec->read(field_of(c, spec, name), spec, entry->value)) {
        return conf_fail(e, entry, "[%s] wants %s, not '%s'", entry->section, spec->allowed,
                         config_key_shown(spec, entry->value, shown, sizeof shown));
    }
    return OK;
}

// The kind of a check decides which other keys it has: it is read before them.
static enum err read_kinds(struct config *c, struct error *e)
{
    const struct key_spec *spec = config_key_find("check", "kind");
    for (size_t i = 0; i < c->check_count; i++) {
        const char *name = c->checks[i].name;
        char section[2 * NAME_MAX_LEN + 2];
        snprintf(section, sizeof section, "check %s", name);
        struct conf_entry *entry = conf_find(&c->raw, section, "kind");
        if (entry == NULL) {
            return conf_fail_section(e, &c->raw, section, "needs the key kind: %s", spec->allowed);
        }
        enum err err = read_value(c, entry, spec, name, e);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static bool belongs_to_kind(const struct config *c, const struct key_spec *spec, const char *name)
{
    if (spec->base != BASE_CHECK || name == NULL) {
        return true;
    }
    const struct config_check *check = find_check(c, name);
    return check != NULL && (spec->kinds & 1U << check->kind) != 0;
}

static enum err add_partition(struct config *c, struct conf_entry *entry, const char *name,
                              struct error *e)
{
    struct config_slot *slot = &c->slots[slot_index(c, name)];
    entry->used = true;
    if (entry->value[0] != '/') {
        char hint[256];
        return conf_fail(e, entry,
                         "[%s] wants an absolute path for the partition %s, not '%s' (%s)",
                         entry->section, entry->key, entry->value,
                         config_key_hint("slot", entry->key, hint, sizeof hint));
    }
    if (slot->partition_count == MANIFEST_PARTITIONS_MAX) {
        return conf_fail(e, entry, "[%s] has more than %d partitions", entry->section,
                         MANIFEST_PARTITIONS_MAX);
    }
    slot->partitions[slot->partition_count++] =
        (struct config_partition){.name = entry->key, .path = entry->value};
    return OK;
}

static enum err read_entry(struct config *c, struct conf_entry *entry, struct error *e)
{
    char kind[NAME_MAX_LEN + 1];
    const char *name = split_section(entry->section, kind);
    const struct key_spec *spec = config_key_find(kind, entry->key);
    if (spec == NULL && strcmp(kind, "slot") == 0) {
        return add_partition(c, entry, name, e);
    }
    if (spec == NULL) {
        char hint[256];
        return conf_fail(e, entry, "[%s] has no such key; %s", entry->section,
                         config_key_hint(kind, entry->key, hint, sizeof hint));
    }
    if (!belongs_to_kind(c, spec, name)) {
        return conf_fail(e, entry, "[%s] is a check of another kind; %s is not a key of it",
                         entry->section, entry->key);
    }
    return read_value(c, entry, spec, name, e);
}

static enum err read_entries(struct config *c, struct error *e)
{
    for (size_t i = 0; i < c->raw.count; i++) {
        enum err err = read_entry(c, &c->raw.entries[i], e);
        if (err != OK) {
            return err;
        }
    }
    return conf_check_unused(&c->raw, e);
}

// The defaults of one section as text, of the keys that no file gave.
static void write_defaults(const struct config *c, const char *kind, const char *name, FILE *out)
{
    fprintf(out, "[%s%s%s]\n", kind, name != NULL ? " " : "", name != NULL ? name : "");
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        if (k->fallback != NULL && strcmp(k->section, kind) == 0 && belongs_to_kind(c, k, name) &&
            config_entry(c, kind, name, k->key) == NULL) {
            fprintf(out, "%s=%s\n", k->key, k->fallback);
        }
    }
}

static void write_slot_defaults(const struct config *c, int slot, FILE *out)
{
    const char *name = c->slots[slot].name;
    write_defaults(c, "slot", name, out);
    if (config_entry(c, "slot", name, "bootname") == NULL) {
        char bootname[NAME_MAX_LEN + 1];
        boot_default_bootname(name, bootname, sizeof bootname);
        fprintf(out, "bootname=%s\n", bootname);
    }
    // For slots of other names the numbers of the partitions would be a guess.
    if (config_entry(c, "slot", name, "bootvalue") == NULL &&
        strcmp(name, slot == 0 ? "a" : "b") == 0) {
        fprintf(out, "bootvalue=%s\n", boot_default_bootvalue(slot));
    }
}

// Defaults are entries like any other, so that one way of reading and printing serves all.
static enum err add_defaults(struct config *c, struct error *e)
{
    static const char *const plain[] = {"device",  "bootloader", "trust", "network", "install",
                                        "confirm", "fleet",      "gates", "agent"};
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        write_defaults(c, plain[i], NULL, out);
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        write_slot_defaults(c, i, out);
    }
    for (size_t i = 0; i < c->check_count; i++) {
        write_defaults(c, "check", c->checks[i].name, out);
    }
    if (fclose(out) != 0) {
        return fail_memory(e);
    }
    return conf_add_text(&c->raw, CONFIG_ORIGIN_DEFAULT, text, len, e);
}

static enum err need(const struct config *c, const struct key_spec *spec, const char *name,
                     struct error *e)
{
    if ((spec->flags & KEY_REQUIRED) == 0 || !belongs_to_kind(c, spec, name) ||
        config_entry(c, spec->section, name, spec->key) != NULL) {
        return OK;
    }
    char section[2 * NAME_MAX_LEN + 2];
    snprintf(section, sizeof section, "%s%s%s", spec->section, name != NULL ? " " : "",
             name != NULL ? name : "");
    return conf_fail_section(e, &c->raw, section, "needs the key %s: %s", spec->key, spec->allowed);
}

static enum err check_required(const struct config *c, struct error *e)
{
    for (const struct key_spec *k = config_keys; k->section != NULL; k++) {
        enum err err = OK;
        if (k->base == BASE_CONFIG) {
            err = need(c, k, NULL, e);
        }
        for (size_t i = 0; i < c->check_count && k->base == BASE_CHECK && err == OK; i++) {
            err = need(c, k, c->checks[i].name, e);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

// With one of these no release would ever be kept.
static enum err check_times(const struct config *c, struct error *e)
{
    char deadline[32];
    format_duration(c->confirm_deadline_ms, deadline, sizeof deadline);
    if (c->confirm_stable_ms >= c->confirm_deadline_ms) {
        return conf_fail(e, config_entry(c, "confirm", NULL, "stable_for"),
                         "[confirm] must be less than deadline (%s): no release would be kept",
                         deadline);
    }
    for (size_t i = 0; i < c->check_count; i++) {
        const struct config_check *check = &c->checks[i];
        uint64_t healthy_ms = (check->successes - 1) * check->interval_ms;
        bool slow = healthy_ms + c->confirm_stable_ms >= c->confirm_deadline_ms;
        if (check->required && slow) {
            return conf_fail(e, config_entry(c, "check", check->name, "successes"),
                             "[check %s] that many, interval apart, do not fit into deadline (%s): "
                             "no release would be kept",
                             check->name, deadline);
        }
        if (check->required && check->kind == CHECK_DOCKER &&
            check->running_for_ms >= c->confirm_deadline_ms) {
            return conf_fail(e, config_entry(c, "check", check->name, "running_for"),
                             "[check %s] must be less than deadline (%s): no release would be kept",
                             check->name, deadline);
        }
    }
    return OK;
}

// What one key alone cannot tell.
static enum err check_pairs(const struct config *c, struct error *e)
{
    if (c->http.client_key != NULL && c->http.client_cert == NULL) {
        return conf_fail(e, config_entry(c, "network", NULL, "client_key"),
                         "[network] is of no use without client_cert");
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        const struct config_slot *slot = &c->slots[i];
        char section[NAME_MAX_LEN + 8];
        snprintf(section, sizeof section, "slot %s", slot->name);
        if (slot->partition_count == 0) {
            return conf_fail_section(e, &c->raw, section, "names no partition, e.g. rootfs=PATH");
        }
        if (c->boot.contract == CONTRACT_BOOTCOUNT && c->boot.slots[i].bootvalue[0] == '\0') {
            return conf_fail_section(e, &c->raw, section,
                                     "needs the key bootvalue: the value of %s that boots it",
                                     c->boot.slot_var);
        }
    }
    return check_times(c, e);
}

// A check like any other from then on.
static enum err add_required_unit(struct config *c, struct error *e)
{
    const char *unit = c->confirm_require_unit;
    if (unit == NULL) {
        return OK;
    }
    if (find_check(c, unit) != NULL) {
        return conf_fail(e, config_entry(c, "confirm", NULL, "require_unit"),
                         "[confirm] there is a [check %s] already", unit);
    }
    const struct config_check check = {
        .name = unit,
        .kind = CHECK_SYSTEMD_UNIT,
        .required = true,
        .interval_ms = REQUIRED_UNIT_INTERVAL_MS,
        .timeout_ms = REQUIRED_UNIT_TIMEOUT_MS,
        .retries = REQUIRED_UNIT_RETRIES,
        .successes = 1,
        .unit = unit,
    };
    return append_check(c, &check, e);
}

static enum err build(struct config *c, struct error *e)
{
    enum err err = find_sections(c, e);
    if (err == OK) {
        err = read_kinds(c, e);
    }
    if (err == OK) {
        err = add_defaults(c, e);
    }
    // Before what is missing: a key that is spelt wrong is told with its line.
    if (err == OK) {
        err = read_entries(c, e);
    }
    if (err == OK) {
        err = check_required(c, e);
    }
    if (err == OK) {
        err = check_pairs(c, e);
    }
    return err == OK ? add_required_unit(c, e) : err;
}

enum err config_build(struct conf *raw, struct config **ret, struct error *e)
{
    CLEANUP(cleanup_config) struct config *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return fail_memory(e);
    }
    c->raw = *raw;
    *raw = (struct conf){0};
    enum err err = build(c, e);
    if (err == OK) {
        *ret = TAKE_PTR(c);
    }
    return err;
}
