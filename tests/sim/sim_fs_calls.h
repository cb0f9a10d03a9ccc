// SPDX-License-Identifier: Apache-2.0
// The system calls that lead to a simulated file system (sim_fs.h): open, read, write, fsync,
// close, rename, unlink, fstat, stat and fchmod, answering as Linux does.
//
// The linker puts them in front of the C library: a program that uses them is linked with
// -Wl,@tests/sim/wraps_fs.txt, which also names what fortified objects call instead. Calls from
// within shared libraries are not seen.
//
// Invariants
// 1. A path outside "/sim/" and a descriptor below SIM_FS_FD_FIRST go to the real system, and so
//    does everything while nothing is mounted.
// 2. A call asks sim_call(SIM_STATE) before it does anything, and tells sim_changed() after it
//    changed what is pending or durable. close() does neither: it cannot fail.
// 3. A write that is ordered to fail with `fail_short` is no failure: it takes the first half of
//    its bytes and says so. One of a single byte fails.
// 4. Permissions are not looked at: it is root who updates.
#ifndef TESTS_SIM_SIM_FS_CALLS_H
#define TESTS_SIM_SIM_FS_CALLS_H

// The only directory below "/sim/".
#define SIM_FS_DIR "/sim/state"

// More than any descriptor of the real system (fs.nr_open).
enum { SIM_FS_FD_FIRST = 1 << 30 };

struct sim_fs;

// From now on this one is SIM_FS_DIR; NULL: there is none. The caller keeps it.
void sim_fs_mount(struct sim_fs *fs);

// Until it is called with NULL, an fsync() of a descriptor of the real system is `sync(context)`
// instead, which answers with 0 or an errno: for a file that stands for a simulated disk.
void sim_fs_divert_sync(int (*sync)(void *context), void *context);

#endif
