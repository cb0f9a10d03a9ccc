// SPDX-License-Identifier: Apache-2.0
#include "base/version.h"

#ifndef VV_VERSION
#define VV_VERSION "unreleased"
#endif
#ifndef VV_BUILD_TIME
#define VV_BUILD_TIME 0
#endif

const char vv_version[] = VV_VERSION;
const uint64_t vv_build_time_s = VV_BUILD_TIME;
