// SPDX-License-Identifier: Apache-2.0
#include "updater/install.h"
#include "updater/json_text.h"
#include "updater/source_open.h"
#include "updater/verbs.h"

#include <inttypes.h>
#include <string.h>

enum { URL_MAX = 4095 };

static const char *result_name(const struct install_options *o, const struct install_report *r)
{
    if (r->nothing_to_do) {
        return "nothing_to_do";
    }
    return o->dry_run ? "planned" : "installed";
}

static enum err print_json(const struct device *d, const struct install_options *o,
                           const struct install_report *r, FILE *out, struct error *e)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(r->release.manifest_sha256, SHA256_SIZE, hex);
    CLEANUP(cleanup_json)
    json_t *root = json_pack(
        "{s:s, s:s, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "result",
        result_name(o, r), "slot", d->config->slots[r->slot].name, "version",
        json_text(r->release.version), "release_index", (json_int_t)r->release.release_index,
        "manifest_sha256", hex, "planned_bytes", (json_int_t)r->planned_bytes, "planned_copy_bytes",
        (json_int_t)r->planned_copy_bytes, "planned_zero_bytes", (json_int_t)r->planned_zero_bytes,
        "planned_write_bytes", (json_int_t)r->planned_write_bytes, "fetched_bytes",
        (json_int_t)r->fetched_bytes, "copied_bytes", (json_int_t)r->copied_bytes, "written_bytes",
        (json_int_t)r->written_bytes, "reused_bytes", (json_int_t)r->reused_bytes, "activated",
        r->activated);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

static const char *next_boot(const struct device *d, const struct install_report *r)
{
    if (r->activated) {
        return "It boots next, on trial.";
    }
    return r->slot == d->running ? "It is running."
                                 : "The next boot is as before; 'vv-update activate' changes that.";
}

static void print_plan(const char *slot, const struct install_report *r, FILE *out)
{
    char sizes[5][16];
    fprintf(out,
            "%s (release %" PRIu64 ") can be installed into slot %s: %s to fetch, %s to copy, %s "
            "to write, %s to zero, %s in place already.\n",
            r->release.version, r->release.release_index, slot,
            format_size(r->planned_bytes, sizes[0], sizeof sizes[0]),
            format_size(r->planned_copy_bytes, sizes[1], sizeof sizes[1]),
            format_size(r->planned_write_bytes, sizes[2], sizeof sizes[2]),
            format_size(r->planned_zero_bytes, sizes[3], sizeof sizes[3]),
            format_size(r->reused_bytes, sizes[4], sizeof sizes[4]));
}

static void print_text(const struct device *d, const struct install_options *o,
                       const struct install_report *r, FILE *out)
{
    const char *slot = d->config->slots[r->slot].name;
    char fetch[16];
    char copied[16];
    char written[16];
    char reused[16];
    if (r->nothing_to_do) {
        fprintf(out,
                "Slot %s holds %s (release %" PRIu64
                ") already: nothing was fetched or written. %s\n",
                slot, r->release.version, r->release.release_index, next_boot(d, r));
    } else if (o->dry_run) {
        print_plan(slot, r, out);
    } else {
        fprintf(out,
                "%s (release %" PRIu64 ") is in slot %s: %s fetched, %s copied, %s written, "
                "%s in place already. %s\n",
                r->release.version, r->release.release_index, slot,
                format_size(r->fetched_bytes, fetch, sizeof fetch),
                format_size(r->copied_bytes, copied, sizeof copied),
                format_size(r->written_bytes, written, sizeof written),
                format_size(r->reused_bytes, reused, sizeof reused), next_boot(d, r));
    }
}

// "-" stands for a line of standard input: what has a password in it is not for the process list.
static enum err read_from(FILE *in, const char **from, char *line, size_t size, struct error *e)
{
    if (strcmp(*from, "-") != 0) {
        return OK;
    }
    size_t len = fgets(line, (int)size, in) != NULL ? strcspn(line, "\n") : 0;
    if (len == 0 || len == size - 1) {
        return fail(e, ERR_USAGE, 0,
                    "-: wants one line on standard input, of %zu bytes at most: a URL or a file",
                    size - 2);
    }
    line[len] = '\0';
    *from = line;
    return OK;
}

// `manifest` is where the hash is put that `ret` points to.
static enum err read_options(const struct parsed *args, uint8_t manifest[SHA256_SIZE],
                             struct install_options *ret, struct error *e)
{
    const char *hex = parsed_option(args, "manifest");
    *ret = (struct install_options){
        .dry_run = parsed_option(args, "dry-run") != NULL,
        .no_activate = parsed_option(args, "no-activate") != NULL,
        .again = parsed_option(args, "again") != NULL,
        .manifest_sha256 = hex != NULL ? manifest : NULL,
    };
    if (hex != NULL && !hex_decode(hex, SHA256_SIZE, manifest)) {
        return fail(e, ERR_USAGE, 0,
                    "--manifest: wants the 64 hexadecimal digits, in lower case, of the SHA-256 of "
                    "a manifest");
    }
    return OK;
}

enum err verb_install(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_source) struct source *source = NULL;
    struct install_report report;
    struct install_options options;
    uint8_t manifest[SHA256_SIZE];
    char line[URL_MAX + 2];
    const char *from = args->args[0];
    enum err err = read_options(args, manifest, &options, e);
    if (err == OK) {
        err = read_from(a->in, &from, line, sizeof line, e);
    }
    if (err == OK) {
        // Who only looks needs no lock: a dry run may be made beside an install.
        err = app_open_device(a, args, options.dry_run ? DEVICE_LOOK : DEVICE_CHANGE, &d, e);
    }
    if (err == OK) {
        err = device_load_trust(d, e); // before a server is asked
    }
    if (err == OK) {
        err = source_open(d, from, &source, e);
    }
    if (err == OK) {
        // Before any thread is started, which takes over what it finds.
        priority_set(d->config->nice, d->config->io_priority, d->log);
        err = install_run(d, source, &options, &report, e);
    }
    if (err != OK) {
        return err;
    }
    if (app_json(args)) {
        err = print_json(d, &options, &report, a->out, e);
    } else {
        print_text(d, &options, &report, a->out);
    }
    if (err == OK && report.activated && parsed_option(args, "reboot") != NULL) {
        fflush(a->out);
        err = d->reboot(d, e);
    }
    return err;
}
