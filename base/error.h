// SPDX-License-Identifier: Apache-2.0
// The one way to report an error: a code for the machine and one sentence for the person.
//
// Invariants
// 1. The value of `enum err` is the exit status of both programs; docs/man lists it.
// 2. No foreign code (CURLcode, OpenSSL, libubootenv) is ever stored in `enum err`; errno goes to
//    `sys`, everything else into the sentence.
// 3. A function either reports through `struct error` or logs, never both.
// 4. Context ("slot b: ...") is added once, at the boundary that knows it, by error_context().
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
    OK = 0,
    ERR_INTERNAL = 1,  // a bug in this program
    ERR_USAGE = 2,     // the command line is wrong
    ERR_CONFIG = 3,    // a configuration file, key or path in it is wrong
    ERR_NETWORK = 4,   // DNS, connect, TLS, HTTP status, too slow, short after retries, changed
    ERR_TRUST = 5,     // signature, signer, expiry, product, compatible, release order
    ERR_FORMAT = 6,    // magic, CRC, structure, hash, wrong length, unsupported feature
    ERR_IO = 7,        // read, write, sync, full or read-only directory, environment unreadable
    ERR_TOO_LARGE = 8, // image larger than the slot
    ERR_NOT_NOW = 9,   // running slot on trial, slot in use, no verified release, running unclear
    ERR_HEALTH = 10,   // health checks failed, rolled back
    ERR_AGAIN = 75,    // another update holds the lock, gate closed
};

struct error {
    enum err code;
    int sys; // errno of the failed call, 0 when there was none
    char msg[512];
};

// Fills `e` and returns `code`, so that callers write `return fail(e, ERR_TRUST, 0, "...")`.
// When `sys` is not 0, ": " and its text are appended to the sentence. `e` must not be NULL.
enum err fail(struct error *e, enum err code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);

// Puts "context: " in front of the sentence of an error that is already filled; returns its code.
enum err error_context(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Out of memory, in one word for all callers.
enum err fail_memory(struct error *e);

#endif
