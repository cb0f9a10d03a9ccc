// SPDX-License-Identifier: Apache-2.0
// How many processors there are for us.
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

// Those this process may run on; 1 at least.
unsigned cpus_usable(void);

#endif
