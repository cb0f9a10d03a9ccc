// SPDX-License-Identifier: Apache-2.0
#include "updater/config.h"
#include "updater/config_build.h"
#include "updater/config_keys.h"
#include "updater/json_text.h"

#include <limits.h>
#include <string.h>

// An entry and its place in the table of keys.
struct row {
    const struct conf_entry *entry;
    const struct key_spec *spec; // NULL: a partition of a slot
    size_t section_rank;         // where the table begins with this kind of section
    size_t key_rank;             // partitions come behind the keys of the table
};

static struct row make_row(const struct conf_entry *entry)
{
    struct row row = {.entry = entry, .section_rank = SIZE_MAX, .key_rank = SIZE_MAX};
    size_t kind_len = strcspn(entry->section, " ");
    for (size_t i = 0; config_keys[i].section != NULL; i++) {
        const struct key_spec *k = &config_keys[i];
        if (strlen(k->section) != kind_len || strncmp(k->section, entry->section, kind_len) != 0) {
            continue;
        }
        row.section_rank = i < row.section_rank ? i : row.section_rank;
        if (strcmp(k->key, entry->key) == 0) {
            row.spec = k;
            row.key_rank = i;
        }
    }
    return row;
}

static int by_rank(size_t x, size_t y)
{
    return (x > y) - (x < y);
}

static int by_table(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    int order = by_rank(x->section_rank, y->section_rank);
    order = order != 0 ? order : strcmp(x->entry->section, y->entry->section);
    order = order != 0 ? order : by_rank(x->key_rank, y->key_rank);
    return order != 0 ? order : strcmp(x->entry->key, y->entry->key);
}

static char *origin_of(const struct config *c, const struct conf_entry *entry)
{
    char *text = NULL;
    if (entry->file == c->raw.files[c->raw.file_count - 1]) {
        return strdup(CONFIG_ORIGIN_DEFAULT);
    }
    return asprintf(&text, "%s:%u", entry->file, entry->line) < 0 ? NULL : text;
}

static enum err print_text(const struct config *c, const struct row *rows, FILE *out,
                           struct error *e)
{
    const char *section = "";
    for (size_t i = 0; i < c->raw.count; i++) {
        const struct conf_entry *entry = rows[i].entry;
        char value[LINE_MAX * 3];
        CLEANUP(cleanup_free) char *origin = origin_of(c, entry);
        if (origin == NULL) {
            return fail_memory(e);
        }
        if (strcmp(entry->section, section) != 0) {
            section = entry->section;
            fprintf(out, "%s[%s]\n", i == 0 ? "" : "\n", section);
        }
        fprintf(out, "%s=%s   # %s\n", entry->key,
                config_key_shown(rows[i].spec, entry->value, value, sizeof value), origin);
    }
    return OK;
}

static enum err print_json(const struct config *c, const struct row *rows, FILE *out,
                           struct error *e)
{
    CLEANUP(cleanup_json) json_t *all = json_array();
    for (size_t i = 0; i < c->raw.count; i++) {
        const struct conf_entry *entry = rows[i].entry;
        char value[LINE_MAX * 3];
        CLEANUP(cleanup_free) char *origin = origin_of(c, entry);
        if (origin == NULL) {
            return fail_memory(e);
        }
        config_key_shown(rows[i].spec, entry->value, value, sizeof value);
        json_t *row = json_pack("{s:s, s:s, s:o, s:o}", "section", entry->section, "key",
                                entry->key, "value", json_text(value), "origin", json_text(origin));
        if (json_array_append_new(all, row) != 0) {
            return fail_memory(e);
        }
    }
    CLEANUP(cleanup_free) char *text = json_print(all, JSON_INDENT(2));
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

enum err config_print(const struct config *c, FILE *out, bool json, struct error *e)
{
    CLEANUP(cleanup_free) struct row *rows = calloc(c->raw.count, sizeof *rows);
    if (rows == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < c->raw.count; i++) {
        rows[i] = make_row(&c->raw.entries[i]);
    }
    qsort(rows, c->raw.count, sizeof *rows, by_table);
    enum err err = json ? print_json(c, rows, out, e) : print_text(c, rows, out, e);
    if (err == OK && fflush(out) != 0) {
        return fail(e, ERR_IO, errno, "print the configuration");
    }
    return err;
}
