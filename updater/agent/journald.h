// SPDX-License-Identifier: Apache-2.0
// Events for the system journal, with fields that can be asked for:
// `journalctl VV_VERSION=2.0`, `journalctl MESSAGE_ID=6f112442e4b24019bcba9a998a77066e`.
//
// By systemd's "Native Journal Protocol" (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/): one
// datagram an entry, lines of FIELD=VALUE. Fields: MESSAGE (the sentence), MESSAGE_ID (of states
// and of reports), PRIORITY, SYSLOG_IDENTIFIER, and the variables of events.h that are not empty.
// No value has an end of line in it, so the form of the protocol for those is not needed.
//
// Invariants
// 1. Nobody waits for the journal: what it does not take at once is told to the caller, who has
//    stderr for it.
// 2. Used only where stderr is the journal anyway: on a plain init, or with a terminal or a file,
//    nothing is sent.
#ifndef UPDATER_AGENT_JOURNALD_H
#define UPDATER_AGENT_JOURNALD_H

#include "updater/agent/events.h"

#include <sys/socket.h>
#include <sys/un.h>

#define JOURNALD_SOCKET "/run/systemd/journal/socket"
#define JOURNALD_STATE_ID "6f112442e4b24019bcba9a998a77066e"  // a change of state
#define JOURNALD_REPORT_ID "0c6b0d9734a24cf2a884e2ab61ab97ab" // the end of an offer

struct journald {
    int fd; // -1: nobody listens
    struct sockaddr_un to;
    socklen_t to_len;
};

// Whether `fd` is the stream that systemd named in JOURNAL_STREAM, "DEVICE:INODE" in decimal;
// `journal_stream` NULL: it named none.
bool journald_is_stream(int fd, const char *journal_stream);

// `path` NULL, or one that is too long: nobody listens. It is looked for with each entry: the
// journal may be restarted.
struct journald journald_open(const char *path);
void journald_close(struct journald *j);

// False: the journal does not have it.
bool journald_send(const struct journald *j, const struct agent_event *ev);

#endif
