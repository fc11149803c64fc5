// What Swift's Glibc module leaves out of the C library: Linux's event descriptors and a poll with a fine time limit.
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

// Declared by <poll.h> only under _GNU_SOURCE, which the module that already owns <poll.h> does not define.
extern int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *limit, const sigset_t *signals);
