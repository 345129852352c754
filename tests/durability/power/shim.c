/* Writes down what a program does to the files of one folder, in order: for LD_PRELOAD.

   POWER_FOLDER is the folder (absolute, without links), POWER_LOG the file for the records:
   a byte for the operation, then a handle, an offset and a length of 8 bytes each, then the data.
   Every operation and its record are made under one lock, so that the order of the records is the order of
   the operations. Shared memory of SQLite (-shm) is left out: nothing relies on it after a power cut. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define REAL(name) real_##name = (__typeof__(real_##name))dlsym(RTLD_NEXT, #name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_fd = -1;
static uint64_t handles[DESCRIPTORS]; /* by descriptor; 0: not in the folder */
static uint64_t last_handle;

static int (*real_open)(const char *, int, ...);
static int (*real_open64)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static void *(*real_mmap64)(void *, size_t, int, int, int, off64_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);

static void complain(const char *what) {
    dprintf(2, "power shim: %s\n", what);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    REAL(open); REAL(open64); REAL(close); REAL(write); REAL(pwrite); REAL(pwrite64); REAL(ftruncate);
    REAL(ftruncate64); REAL(fsync); REAL(fdatasync); REAL(unlink); REAL(rename); REAL(mmap); REAL(mmap64);
    REAL(fallocate); REAL(posix_fallocate); REAL(writev); REAL(pwritev);
    folder = getenv("POWER_FOLDER");
    const char *log_path = getenv("POWER_LOG");
    if (!folder || !log_path) return;
    folder_length = strlen(folder);
    log_fd = real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) complain("cannot open POWER_LOG");
}

static const char *inside(const char *path) {
    if (log_fd < 0 || !path || strncmp(path, folder, folder_length) != 0) return NULL;
    if (path[folder_length] == 0) return "";
    if (path[folder_length] != '/') return NULL;
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
    return path + folder_length + 1;
}

static uint64_t handle_of(int fd) { return fd >= 0 && fd < DESCRIPTORS ? handles[fd] : 0; }

static void all_of_it(const void *bytes, size_t size) {
    const char *at = bytes;
    while (size) {
        ssize_t written = syscall(SYS_write, log_fd, at, size);
        if (written < 0) complain("cannot write to POWER_LOG");
        at += written;
        size -= (size_t)written;
    }
}

static void record(char operation, uint64_t handle, uint64_t offset, const void *bytes, uint64_t size) {
    char head[25];
    head[0] = operation;
    memcpy(head + 1, &handle, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &size, 8);
    all_of_it(head, sizeof head);
    all_of_it(bytes, size);
}

static int opened(int fd, const char *name, int flags, int existed) {
    if (fd < 0) return fd;
    if (fd >= DESCRIPTORS) complain("too many descriptors");
    handles[fd] = ++last_handle;
    uint64_t how = (existed ? 0 : 1) | (flags & O_TRUNC ? 2 : 0) | (flags & O_APPEND ? 4 : 0);
    record('o', handles[fd], how, name, strlen(name));
    return fd;
}

#define OPEN(function)                                                                             \
    int function(const char *path, int flags, ...) {                                               \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                     \
            va_list rest;                                                                          \
            va_start(rest, flags);                                                                 \
            mode = va_arg(rest, mode_t);                                                           \
            va_end(rest);                                                                          \
        }                                                                                          \
        if (!real_##function) REAL(function);                                                      \
        const char *name = inside(path);                                                           \
        if (!name) return real_##function(path, flags, mode);                                      \
        pthread_mutex_lock(&lock);                                                                 \
        int existed = access(path, F_OK) == 0;                                                     \
        int fd = opened(real_##function(path, flags, mode), name, flags, existed);                 \
        pthread_mutex_unlock(&lock);                                                               \
        return fd;                                                                                 \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (!real_close) REAL(close);
    if (!handle_of(fd)) return real_close(fd);
    pthread_mutex_lock(&lock);
    handles[fd] = 0;
    int result = real_close(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    if (!real_write) REAL(write);
    if (!handle_of(fd)) return real_write(fd, bytes, size);
    pthread_mutex_lock(&lock);
    off_t at = lseek(fd, 0, SEEK_END);
    if (!(fcntl(fd, F_GETFL) & O_APPEND)) complain("a plain write that does not append");
    ssize_t written = real_write(fd, bytes, size);
    int error = errno;
    if (written > 0) record('w', handles[fd], (uint64_t)at, bytes, (uint64_t)written);
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

#define PWRITE(function, offset_type)                                                              \
    ssize_t function(int fd, const void *bytes, size_t size, offset_type offset) {                 \
        if (!real_##function) REAL(function);                                                      \
        if (!handle_of(fd)) return real_##function(fd, bytes, size, offset);                       \
        pthread_mutex_lock(&lock);                                                                 \
        ssize_t written = real_##function(fd, bytes, size, offset);                                \
        int error = errno;                                                                         \
        if (written > 0) record('w', handles[fd], (uint64_t)offset, bytes, (uint64_t)written);     \
        pthread_mutex_unlock(&lock);                                                               \
        errno = error;                                                                             \
        return written;                                                                            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(function, offset_type)                                                            \
    int function(int fd, offset_type size) {                                                       \
        if (!real_##function) REAL(function);                                                      \
        if (!handle_of(fd)) return real_##function(fd, size);                                      \
        pthread_mutex_lock(&lock);                                                                 \
        int result = real_##function(fd, size);                                                    \
        int error = errno;                                                                         \
        if (result == 0) record('t', handles[fd], (uint64_t)size, "", 0);                          \
        pthread_mutex_unlock(&lock);                                                               \
        errno = error;                                                                             \
        return result;                                                                             \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(function)                                                                             \
    int function(int fd) {                                                                         \
        if (!real_##function) REAL(function);                                                      \
        if (!handle_of(fd)) return real_##function(fd);                                            \
        pthread_mutex_lock(&lock);                                                                 \
        int result = real_##function(fd);                                                          \
        int error = errno;                                                                         \
        if (result == 0) record('s', handles[fd], 0, "", 0);                                       \
        pthread_mutex_unlock(&lock);                                                               \
        errno = error;                                                                             \
        return result;                                                                             \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    if (!real_unlink) REAL(unlink);
    const char *name = inside(path);
    if (!name) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int result = real_unlink(path);
    int error = errno;
    if (result == 0) record('u', 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) {
    if (!real_rename) REAL(rename);
    if (inside(from) || inside(to)) complain("rename is not recorded");
    return real_rename(from, to);
}

#define MMAP(function, offset_type)                                                                \
    void *function(void *at, size_t size, int protection, int flags, int fd, offset_type offset) { \
        if (!real_##function) REAL(function);                                                      \
        if (handle_of(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))                    \
            complain("a file is written through memory, which is not recorded");                   \
        return real_##function(at, size, protection, flags, fd, offset);                           \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

int fallocate(int fd, int mode, off_t offset, off_t size) {
    if (!real_fallocate) REAL(fallocate);
    if (handle_of(fd)) complain("fallocate is not recorded");
    return real_fallocate(fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
    if (!real_posix_fallocate) REAL(posix_fallocate);
    if (handle_of(fd)) complain("posix_fallocate is not recorded");
    return real_posix_fallocate(fd, offset, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!real_writev) REAL(writev);
    if (handle_of(fd)) complain("writev is not recorded");
    return real_writev(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    if (!real_pwritev) REAL(pwritev);
    if (handle_of(fd)) complain("pwritev is not recorded");
    return real_pwritev(fd, parts, count, offset);
}
