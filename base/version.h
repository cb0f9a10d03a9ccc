// SPDX-License-Identifier: Apache-2.0
// Which build this is. The Makefile gives both values to base/version.c and to no other file, so
// that a new build recompiles one file.
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#include <stdint.h>

// "1.4.0"; "unreleased" in a build outside the Makefile.
extern const char vv_version[];

// Seconds since 1970, from SOURCE_DATE_EPOCH or the last commit. The lowest time a device without
// a clock believes in (docs/trust.md, "Clocks"); 0 in a build outside the Makefile.
extern const uint64_t vv_build_time_s;

#endif
