// SPDX-License-Identifier: Apache-2.0
#include "base/conf.h"

#include "base/parse.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 256 * 1024, LINE_MAX_LEN = 4096 };

// One file being read on top of `conf`.
struct reader {
    struct conf *conf;
    const char *file; // owned by the conf; its address tells entries of this file from others
    unsigned line;
    char *section;   // owned; NULL before the first heading
    char **headings; // owned; all of this file so far
    size_t heading_count;
};

static void clear_reader(struct reader *r)
{
    for (size_t i = 0; i < r->heading_count; i++) {
        free(r->headings[i]);
    }
    free(r->headings);
    free(r->section);
}

static void clear_entry(struct conf_entry *entry)
{
    free(entry->section);
    free(entry->key);
    free(entry->value);
}

void conf_clear(struct conf *c)
{
    for (size_t i = 0; i < c->count; i++) {
        clear_entry(&c->entries[i]);
    }
    for (size_t i = 0; i < c->section_count; i++) {
        free(c->sections[i].name);
    }
    for (size_t i = 0; i < c->file_count; i++) {
        free(c->files[i]);
    }
    free(c->entries);
    free(c->sections);
    free(c->files);
    *c = (struct conf){0};
}

static enum err PRINTF_LIKE(3, 4)
    fail_line(struct error *e, const struct reader *r, const char *fmt, ...)
{
    char why[384];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return fail(e, ERR_CONFIG, 0, "%s:%u: %s", r->file, r->line, why);
}

// A piece of a line.
struct span {
    const char *at;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.at[s.len - 1])) {
        s.len--;
    }
    return s;
}

// Appends a copy of `s` to a growing list of strings.
static enum err append_string(char ***list, size_t *count, struct span s, struct error *e)
{
    char **bigger = reallocarray(*list, *count + 1, sizeof **list);
    if (bigger == NULL) {
        return fail_memory(e);
    }
    *list = bigger;
    bigger[*count] = strndup(s.at, s.len);
    if (bigger[*count] == NULL) {
        return fail_memory(e);
    }
    (*count)++;
    return OK;
}

// "kind" or "kind name", exactly one space, both of the alphabet of names.
static bool is_section(const char *text)
{
    char kind[NAME_MAX_LEN + 1];
    size_t len = strcspn(text, " ");
    if (len > NAME_MAX_LEN) {
        return false;
    }
    memcpy(kind, text, len);
    kind[len] = '\0';
    return is_name(kind) && (text[len] == '\0' || is_name(text + len + 1));
}

static const struct conf_section *find_section(const struct conf *c, const char *name)
{
    for (size_t i = 0; i < c->section_count; i++) {
        if (strcmp(c->sections[i].name, name) == 0) {
            return &c->sections[i];
        }
    }
    return NULL;
}

static enum err note_section(struct reader *r, const char *name, struct error *e)
{
    struct conf *c = r->conf;
    if (find_section(c, name) != NULL) {
        return OK;
    }
    struct conf_section *bigger = reallocarray(c->sections, c->section_count + 1, sizeof *bigger);
    if (bigger == NULL) {
        return fail_memory(e);
    }
    c->sections = bigger;
    bigger[c->section_count] = (struct conf_section){strdup(name), r->file, r->line};
    if (bigger[c->section_count].name == NULL) {
        return fail_memory(e);
    }
    c->section_count++;
    return OK;
}

static enum err read_heading(struct reader *r, struct span s, struct error *e)
{
    if (s.at[s.len - 1] != ']') {
        return fail_line(e, r, "a section heading must end with ']'");
    }
    struct span inner = {s.at + 1, s.len - 2};
    CLEANUP(cleanup_free) char *section = strndup(inner.at, inner.len);
    if (section == NULL) {
        return fail_memory(e);
    }
    if (!is_section(section)) {
        return fail_line(e, r, "[%s] is neither of the form [kind] nor [kind name]", section);
    }
    for (size_t i = 0; i < r->heading_count; i++) {
        if (strcmp(r->headings[i], section) == 0) {
            return fail_line(e, r, "section [%s] stands twice in this file", section);
        }
    }
    enum err err = append_string(&r->headings, &r->heading_count, inner, e);
    if (err == OK) {
        err = note_section(r, section, e);
    }
    if (err != OK) {
        return err;
    }
    free(r->section);
    r->section = TAKE_PTR(section);
    return OK;
}

static struct conf_entry *find(const struct conf *c, const char *section, const char *key)
{
    for (size_t i = 0; i < c->count; i++) {
        struct conf_entry *entry = &c->entries[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

// The entry of this key as another file left it, or a new and empty one; NULL and `e` filled when
// this file has the key already.
static struct conf_entry *claim_entry(struct reader *r, const char *key, struct error *e)
{
    struct conf *c = r->conf;
    struct conf_entry *old = find(c, r->section, key);
    if (old != NULL && old->file == r->file) {
        fail_line(e, r, "%s: stands twice in [%s], first in line %u", key, r->section, old->line);
        return NULL;
    }
    if (old != NULL) {
        return old;
    }
    struct conf_entry *bigger = reallocarray(c->entries, c->count + 1, sizeof *bigger);
    if (bigger == NULL) {
        fail_memory(e);
        return NULL;
    }
    c->entries = bigger;
    struct conf_entry fresh = {.section = strdup(r->section), .key = strdup(key)};
    if (fresh.section == NULL || fresh.key == NULL) {
        clear_entry(&fresh);
        fail_memory(e);
        return NULL;
    }
    c->entries[c->count] = fresh;
    return &c->entries[c->count++];
}

static enum err store_pair(struct reader *r, const char *key, char *value, struct error *e)
{
    struct conf_entry *entry = claim_entry(r, key, e);
    if (entry == NULL) {
        free(value);
        return e->code;
    }
    free(entry->value);
    entry->value = value;
    entry->file = r->file;
    entry->line = r->line;
    entry->used = false;
    return OK;
}

static enum err read_pair(struct reader *r, struct span s, struct error *e)
{
    const char *equals = memchr(s.at, '=', s.len);
    if (equals == NULL) {
        return fail_line(e, r, "neither a [section], a key=value nor a comment");
    }
    struct span k = trim((struct span){s.at, (size_t)(equals - s.at)});
    struct span v = trim((struct span){equals + 1, s.len - (size_t)(equals - s.at) - 1});
    CLEANUP(cleanup_free) char *key = strndup(k.at, k.len);
    CLEANUP(cleanup_free) char *value = strndup(v.at, v.len);
    if (key == NULL || value == NULL) {
        return fail_memory(e);
    }
    if (key[0] == '\0') {
        return fail_line(e, r, "no key before the '='");
    }
    if (!is_name(key)) {
        return fail_line(e, r, "'%s' cannot be a key", key);
    }
    if (r->section == NULL) {
        return fail_line(e, r, "%s: stands before the first [section]", key);
    }
    return store_pair(r, key, TAKE_PTR(value), e);
}

static enum err read_line(struct reader *r, struct span s, struct error *e)
{
    if (s.len > LINE_MAX_LEN) {
        return fail_line(e, r, "longer than %d bytes", LINE_MAX_LEN);
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return fail_line(e, r, "control character 0x%02x in column %zu", c, i + 1);
        }
    }
    if (s.len > 0 && (s.at[0] == '#' || s.at[0] == ';')) {
        return OK;
    }
    s = trim(s);
    if (s.len == 0) {
        return OK;
    }
    return s.at[0] == '[' ? read_heading(r, s, e) : read_pair(r, s, e);
}

enum err conf_add_text(struct conf *c, const char *file, const char *text, size_t len,
                       struct error *e)
{
    if (len > FILE_MAX) {
        return fail(e, ERR_CONFIG, 0, "%s: larger than %d bytes", file, FILE_MAX);
    }
    enum err err = append_string(&c->files, &c->file_count, (struct span){file, strlen(file)}, e);
    if (err != OK) {
        return err;
    }
    CLEANUP(clear_reader)
    struct reader r = {.conf = c, .file = c->files[c->file_count - 1]};
    size_t pos = 0;
    while (err == OK && pos < len) {
        const char *newline = memchr(text + pos, '\n', len - pos);
        size_t end = newline == NULL ? len : (size_t)(newline - text);
        r.line++;
        err = read_line(&r, (struct span){text + pos, end - pos}, e);
        pos = end + 1;
    }
    return err;
}

static enum err check_file(int fd, const char *path, bool check_owner, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return fail(e, ERR_CONFIG, errno, "%s: stat", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return fail(e, ERR_CONFIG, 0, "%s: not a regular file", path);
    }
    if (check_owner && (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
        return fail(e, ERR_CONFIG, 0,
                    "%s: must belong to root and be writable by nobody else (chown root, "
                    "chmod go-w)",
                    path);
    }
    return OK;
}

enum err conf_add_file(struct conf *c, const char *path, bool check_owner, struct error *e)
{
    // O_NONBLOCK: opening a FIFO in place of the file must not hang.
    CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return fail(e, ERR_CONFIG, errno, "%s: open", path);
    }
    enum err err = check_file(fd, path, check_owner, e);
    if (err != OK) {
        return err;
    }
    // One byte more than allowed, so that conf_add_text() sees what is too large.
    CLEANUP(cleanup_free) char *text = malloc(FILE_MAX + 1);
    if (text == NULL) {
        return fail_memory(e);
    }
    size_t len = 0;
    while (len < FILE_MAX + 1) {
        ssize_t n = read(fd, text + len, FILE_MAX + 1 - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_CONFIG, errno, "%s: read", path);
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    return conf_add_text(c, path, text, len, e);
}

static int is_drop_in(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

// Not alphasort(): it follows the locale.
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

// DIR/NAME, unless MASKED_BY/NAME exists.
static enum err add_drop_in(struct conf *c, const char *dir, const char *masked_by,
                            const char *name, bool check_owner, struct error *e)
{
    if (masked_by != NULL) {
        CLEANUP(cleanup_free) char *mask = NULL;
        if (asprintf(&mask, "%s/%s", masked_by, name) < 0) {
            mask = NULL;
            return fail_memory(e);
        }
        struct stat st;
        if (lstat(mask, &st) == 0) {
            return OK;
        }
    }
    CLEANUP(cleanup_free) char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return fail_memory(e);
    }
    return conf_add_file(c, path, check_owner, e);
}

enum err conf_add_dir(struct conf *c, const char *dir, const char *masked_by, bool check_owner,
                      struct error *e)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, is_drop_in, by_bytes);
    if (count < 0) {
        return errno == ENOENT ? OK : fail(e, ERR_CONFIG, errno, "%s: read the directory", dir);
    }
    enum err err = OK;
    for (int i = 0; i < count; i++) {
        if (err == OK) {
            err = add_drop_in(c, dir, masked_by, names[i]->d_name, check_owner, e);
        }
        free(names[i]);
    }
    free(names);
    return err;
}

struct conf_entry *conf_find(struct conf *c, const char *section, const char *key)
{
    struct conf_entry *entry = find(c, section, key);
    if (entry != NULL) {
        entry->used = true;
    }
    return entry;
}

enum err conf_fail_section(struct error *e, const struct conf *c, const char *section,
                           const char *fmt, ...)
{
    char why[384];
    const struct conf_section *s = find_section(c, section);
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    if (s == NULL) {
        return fail(e, ERR_CONFIG, 0, "%s: [%s] %s", c->files[0], section, why);
    }
    return fail(e, ERR_CONFIG, 0, "%s:%u: [%s] %s", s->file, s->line, section, why);
}

enum err conf_fail(struct error *e, const struct conf_entry *entry, const char *fmt, ...)
{
    char why[384];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return fail(e, ERR_CONFIG, 0, "%s:%u: %s: %s", entry->file, entry->line, entry->key, why);
}

enum err conf_check_unused(const struct conf *c, struct error *e)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct conf_entry *entry = &c->entries[i];
        if (!entry->used) {
            return conf_fail(e, entry, "unknown key in [%s]", entry->section);
        }
    }
    return OK;
}
