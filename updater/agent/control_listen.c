// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control_listen.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { FIRST_PASSED_FD = 3, BACKLOG = 16, DIRECTORY_MODE = 0755 };

// --- passed by systemd --------------------------------------------------------------------------

// How many were passed to this very process.
static uint64_t count_passed(void)
{
    const char *whom = getenv("LISTEN_PID");
    const char *how_many = getenv("LISTEN_FDS");
    uint64_t pid = 0;
    uint64_t count = 0;
    bool ours = whom != NULL && how_many != NULL && parse_u64(whom, &pid) &&
                pid == (uint64_t)getpid() && parse_u64(how_many, &count);
    return ours ? count : 0;
}

static bool has_option(int fd, int option, int want)
{
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == want;
}

static enum err take_passed(uint64_t count, struct control_socket *ret, struct error *e)
{
    int fd = FIRST_PASSED_FD;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (count != 1) {
        return fail(e, ERR_CONFIG, 0,
                    "systemd passed %llu sockets; the agent takes one: its socket unit has one "
                    "ListenStream=",
                    (unsigned long long)count);
    }
    if (!has_option(fd, SO_DOMAIN, AF_UNIX) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
        !has_option(fd, SO_ACCEPTCONN, 1)) {
        return fail(e, ERR_CONFIG, 0,
                    "what systemd passed is no listening Unix stream socket: its socket unit needs "
                    "ListenStream=/PATH and Accept=no");
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail(e, ERR_IO, errno, "the socket that systemd passed");
    }
    *ret = (struct control_socket){.fd = fd, .lock_fd = -1};
    return OK;
}

// --- a socket of our own ------------------------------------------------------------------------

static enum err make_address(const char *path, struct sockaddr_un *ret, struct error *e)
{
    size_t len = strlen(path);
    if (path[0] != '/' || len >= sizeof ret->sun_path) {
        return fail(e, ERR_CONFIG, 0,
                    "the socket's path \"%s\" must begin with / and have less "
                    "than %zu characters",
                    path, sizeof ret->sun_path);
    }
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, len);
    return OK;
}

// For all to enter, whatever the umask is: who may connect is told by the socket.
static enum err make_directory(const char *path, struct error *e)
{
    CLEANUP(cleanup_free) char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
    if (dir == NULL) {
        return fail_memory(e);
    }
    bool made = dir[0] != '\0' && mkdir(dir, DIRECTORY_MODE) == 0;
    bool there = made || dir[0] == '\0' || errno == EEXIST;
    return there && (!made || chmod(dir, DIRECTORY_MODE) == 0)
               ? OK
               : fail(e, ERR_IO, errno, "%s: make the directory of the socket", dir);
}

enum answers { NOBODY_ANSWERS, SOMEBODY_ANSWERS };

// Whether somebody listens there, and the process (0: not known). One whose queue is full does.
static enum answers ask(const struct sockaddr_un *at, pid_t *ret_pid)
{
    struct ucred who = {0};
    socklen_t len = sizeof who;
    CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *ret_pid = 0;
    if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0) {
        return errno == ECONNREFUSED || errno == ENOENT ? NOBODY_ANSWERS : SOMEBODY_ANSWERS;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0) {
        *ret_pid = who.pid;
    }
    return SOMEBODY_ANSWERS;
}

static enum err fail_other(const struct sockaddr_un *at, struct error *e)
{
    pid_t pid;
    if (ask(at, &pid) == NOBODY_ANSWERS) {
        return fail(e, ERR_AGAIN, 0, "another agent is starting or ending: it holds %s.lock",
                    at->sun_path);
    }
    return fail(e, ERR_AGAIN, 0, "another agent is running (pid %ld) and answers on %s", (long)pid,
                at->sun_path);
}

static enum err take_lock(const struct sockaddr_un *at, int *ret_fd, struct error *e)
{
    char path[sizeof at->sun_path + sizeof ".lock"];
    snprintf(path, sizeof path, "%s.lock", at->sun_path);
    CLEANUP(cleanup_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? fail_other(at, e) : fail(e, ERR_IO, errno, "%s: lock", path);
    }
    *ret_fd = TAKE_FD(fd);
    return OK;
}

// Takes away what a killed agent left. Somebody who answers holds no lock of ours: systemd, for an
// agent that it will start.
static enum err clear_path(const struct sockaddr_un *at, struct error *e)
{
    struct stat st;
    pid_t pid;
    if (lstat(at->sun_path, &st) != 0) {
        return errno == ENOENT ? OK : fail(e, ERR_IO, errno, "%s", at->sun_path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(e, ERR_CONFIG, 0, "%s is no socket, and is left as it is", at->sun_path);
    }
    return ask(at, &pid) == SOMEBODY_ANSWERS ? fail_other(at, e) : file_remove(at->sun_path, e);
}

static enum err find_group(const char *name, gid_t *ret, struct error *e)
{
    errno = 0;
    const struct group *group = getgrnam(name);
    if (group == NULL) {
        return fail(e, ERR_CONFIG, errno, "[agent] group: there is no group \"%s\"", name);
    }
    *ret = group->gr_gid;
    return OK;
}

// For nobody but root until somebody says otherwise.
static enum err bind_alone(int fd, const struct sockaddr_un *at, struct error *e)
{
    mode_t old = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)at, sizeof *at);
    umask(old);
    return bound == 0 ? OK : fail(e, ERR_IO, errno, "%s: make the socket", at->sun_path);
}

static enum err make(const char *path, const char *group, struct control_socket *s, struct error *e)
{
    struct sockaddr_un at;
    enum err err = make_address(path, &at, e);
    if (err == OK) {
        err = make_directory(path, e);
    }
    if (err == OK) {
        err = take_lock(&at, &s->lock_fd, e);
    }
    if (err == OK) {
        err = clear_path(&at, e);
    }
    if (err != OK) {
        return err;
    }
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        return fail(e, ERR_IO, errno, "%s: make the socket", path);
    }
    s->path = strdup(path);
    if (s->path == NULL) {
        return fail_memory(e);
    }
    err = bind_alone(s->fd, &at, e);
    if (err == OK) {
        err = control_socket_give(s, group, e);
    }
    return err != OK || listen(s->fd, BACKLOG) == 0 ? err
                                                    : fail(e, ERR_IO, errno, "%s: listen", path);
}

enum err control_socket_give(const struct control_socket *s, const char *group, struct error *e)
{
    gid_t gid = (gid_t)-1;
    if (group[0] == '\0') {
        return chmod(s->path, 0600) == 0 ? OK
                                         : fail(e, ERR_IO, errno, "%s: keep it for root", s->path);
    }
    enum err err = find_group(group, &gid, e);
    if (err != OK) {
        return err;
    }
    return chown(s->path, (uid_t)-1, gid) == 0 && chmod(s->path, 0660) == 0
               ? OK
               : fail(e, ERR_IO, errno, "%s: give it to the group %s", s->path, group);
}

enum err control_socket_open(const char *path, const char *group, struct control_socket *ret,
                             struct error *e)
{
    struct control_socket s = {.fd = -1, .lock_fd = -1};
    uint64_t passed = count_passed();
    enum err err = passed > 0 ? take_passed(passed, &s, e) : make(path, group, &s, e);
    if (err != OK) {
        control_socket_close(&s);
        return err;
    }
    *ret = s;
    return OK;
}

void control_socket_close(struct control_socket *s)
{
    struct error ignored;
    if (s->path != NULL) {
        (void)!file_remove(s->path, &ignored); // the next one takes it away
    }
    free(s->path);
    cleanup_close(&s->fd);
    cleanup_close(&s->lock_fd);
    *s = (struct control_socket){.fd = -1, .lock_fd = -1};
}
