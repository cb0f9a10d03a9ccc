// SPDX-License-Identifier: Apache-2.0
// Whether what [network] of the configuration names can be used.
#ifndef UPDATER_HTTP_OPTIONS_H
#define UPDATER_HTTP_OPTIONS_H

#include "updater/source_http.h"

// That `ca`, `client_cert` and `client_key` can be read, so that a broken path is found here and
// not at the first handshake: ERR_CONFIG names the key. `ca` may be a directory.
MUST_CHECK enum err http_options_check(const struct http_options *options, bool *ret_ca_is_dir,
                                       struct error *e);

#endif
