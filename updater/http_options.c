// SPDX-License-Identifier: Apache-2.0
#include "updater/http_options.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>

// A broken path is found here and not at the first handshake.
static MUST_CHECK enum err check_path(const char *key, const char *path, bool *ret_is_dir,
                                      struct error *e)
{
    struct stat st;
    if (path == NULL) {
        return OK;
    }
    CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return fail(e, ERR_CONFIG, errno, "[network] %s: %s", key, path);
    }
    *ret_is_dir = S_ISDIR(st.st_mode);
    return OK;
}

enum err http_options_check(const struct http_options *options, bool *ret_ca_is_dir,
                            struct error *e)
{
    bool cert_is_dir = false;
    bool key_is_dir = false;
    enum err r = check_path("ca", options->ca, ret_ca_is_dir, e);
    if (r == OK) {
        r = check_path("client_cert", options->client_cert, &cert_is_dir, e);
    }
    if (r == OK) {
        r = check_path("client_key", options->client_key, &key_is_dir, e);
    }
    if (r == OK && (cert_is_dir || key_is_dir)) {
        r = fail(e, ERR_CONFIG, 0, "[network] %s: is a directory",
                 cert_is_dir ? "client_cert" : "client_key");
    }
    return r;
}
