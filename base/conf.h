// SPDX-License-Identifier: Apache-2.0
// Strict configuration files: one key=value a line under [section] headings.
//
// Rules (docs/man/vv-update.conf.5 states them for users)
// 1. `#` and `;` begin a comment at the start of a line only; a value runs to the end of its line
//    and is trimmed of white space at both ends.
// 2. Within one file a repeated section heading and a repeated key are errors. In a later file the
//    same key replaces the earlier value.
// 3. Every entry knows its origin, file and line; every error names them. Errors are ERR_CONFIG.
// 4. What keys exist is not known here: the user of this module walks the entries, marks those it
//    knows as used, and conf_check_unused() refuses the rest.
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

struct conf_entry {
    char *section; // "slot a": kind and name with exactly one space, or just the kind
    char *key;
    char *value;
    const char *file; // owned by the conf
    unsigned line;
    bool used;
};

// A heading, of the file where it stands first.
struct conf_section {
    char *name; // "slot a", as in an entry
    const char *file;
    unsigned line;
};

struct conf {
    struct conf_entry *entries;
    size_t count;
    struct conf_section *sections;
    size_t section_count;
    char **files;
    size_t file_count;
};

void conf_clear(struct conf *c);

// Reads `text` as the content of `file` on top of what `c` holds already.
MUST_CHECK enum err conf_add_text(struct conf *c, const char *file, const char *text, size_t len,
                                  struct error *e);
// Reads one file. With `check_owner`, it must belong to root and not be writable by others.
MUST_CHECK enum err conf_add_file(struct conf *c, const char *path, bool check_owner,
                                  struct error *e);
// Reads DIR/*.conf in byte order of their names. A missing directory is empty. A name that is also
// in `masked_by` (may be NULL) is left to that directory.
MUST_CHECK enum err conf_add_dir(struct conf *c, const char *dir, const char *masked_by,
                                 bool check_owner, struct error *e);

// The entry, marked as used; NULL when there is none.
struct conf_entry *conf_find(struct conf *c, const char *section, const char *key);

// ERR_CONFIG that names file and line: "FILE:LINE: [SECTION] ...", and of a section that stands in
// no file the first file.
enum err conf_fail_section(struct error *e, const struct conf *c, const char *section,
                           const char *fmt, ...) PRINTF_LIKE(4, 5);
// The same of an entry: "FILE:LINE: KEY: ...".
enum err conf_fail(struct error *e, const struct conf_entry *entry, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// Refuses the first entry nobody marked as used.
MUST_CHECK enum err conf_check_unused(const struct conf *c, struct error *e);

#endif
