// SPDX-License-Identifier: Apache-2.0
// What OpenSSL says of its failures, as an error of ours.
#ifndef BASE_OPENSSL_H
#define BASE_OPENSSL_H

#include "base/error.h"

// ERR_INTERNAL, "`what`: " and the first reason OpenSSL gives; its queue is emptied, so that no
// later error shows an old one.
enum err fail_openssl(struct error *e, const char *what);

#endif
