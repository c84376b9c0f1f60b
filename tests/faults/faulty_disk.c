/* A disk that tells and fails, preloaded into a spool (LD_PRELOAD): stands in front of the writes to a file named data.mdb.
 *
 *   FAULTY_DISK_LOG=FILE   every write and flush that succeeded is appended to FILE, as struct record and the bytes written;
 *                          what the spool acknowledges after a flush is in the log before that
 *   FAULTY_DISK_META=FILE  while FILE exists, writes through a descriptor of synchronous writes (LMDB's meta page) fail, EIO
 */
#undef _FILE_OFFSET_BITS /* the names as LMDB calls them */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { kWrite = 1, kSynchronousWrite = 2, kFlush = 3 };
enum { kMaxParts = 64 }; /* LMDB's own limit */
struct record {
  uint32_t kind, length;
  uint64_t offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

#define REAL(name) (__extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int is_the_store(int fd) {
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  static const char kName[] = "/data.mdb";
  const size_t name = sizeof kName - 1;
  return length > (ssize_t)name && memcmp(path + length - name, kName, name) == 0;
}

static int is_synchronous(int fd) { return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; }

static int meta_fails(int fd) {
  const char *trigger = getenv("FAULTY_DISK_META");
  return trigger != NULL && is_synchronous(fd) && access(trigger, F_OK) == 0;
}

static void tell(enum kind kind, off_t offset, const struct iovec *parts, int count, ssize_t wrote, size_t length) {
  const char *path = getenv("FAULTY_DISK_LOG");
  if (path == NULL || wrote < 0) return;
  if ((size_t)wrote != length || count > kMaxParts) abort(); /* the test's own disk writes all or nothing */
  if (log_fd < 0) log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct iovec all[kMaxParts + 1];
  struct record head = {kind, (uint32_t)length, (uint64_t)offset};
  all[0].iov_base = &head;
  all[0].iov_len = sizeof head;
  int used = 1;
  for (int i = 0; i < count; ++i) all[used++] = parts[i];
  if (REAL(writev)(log_fd, all, used) != (ssize_t)(sizeof head + length)) abort();
}

/* What LMDB writes with: one page or the meta page by pwrite(), several in a row by lseek() and writev(). */
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  if (!is_the_store(fd)) return REAL(pwrite)(fd, bytes, length, offset);
  if (meta_fails(fd)) return errno = EIO, -1;
  pthread_mutex_lock(&lock);
  const ssize_t wrote = REAL(pwrite)(fd, bytes, length, offset);
  const struct iovec one = {(void *)bytes, length};
  tell(is_synchronous(fd) ? kSynchronousWrite : kWrite, offset, &one, 1, wrote, length);
  pthread_mutex_unlock(&lock);
  return wrote;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!is_the_store(fd)) return REAL(writev)(fd, parts, count);
  pthread_mutex_lock(&lock);
  const off_t offset = lseek(fd, 0, SEEK_CUR);
  const ssize_t wrote = REAL(writev)(fd, parts, count);
  size_t length = 0;
  for (int i = 0; i < count; ++i) length += parts[i].iov_len;
  tell(kWrite, offset, parts, count, wrote, length);
  pthread_mutex_unlock(&lock);
  return wrote;
}

int fdatasync(int fd) {
  const int result = REAL(fdatasync)(fd);
  if (result == 0 && is_the_store(fd)) {
    pthread_mutex_lock(&lock);
    tell(kFlush, 0, NULL, 0, 0, 0);
    pthread_mutex_unlock(&lock);
  }
  return result;
}
