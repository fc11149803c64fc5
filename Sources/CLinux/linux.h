// What Swift's Glibc module leaves out of the C library: Linux's event descriptors, a poll with a fine time limit,
// starting processes without the descriptors of their parent, what is known of a file system, early writing, room
// that is taken before, and how the allocator gets its memory.
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <time.h>

// Declared by <poll.h> only under _GNU_SOURCE, which the module that already owns <poll.h> does not define.
extern int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *limit, const sigset_t *signals);

// Declared by <spawn.h> only under _GNU_SOURCE. Closes every descriptor from `first` on in the new process.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);

// Declared by <stdio.h> only under _GNU_SOURCE. Gives two names to each other's files, all at once.
#define PLURIX_RENAME_EXCHANGE 2u
extern int renameat2(int old_directory, const char *old, int new_directory, const char *new_name, unsigned int flags);

// Declared by <fcntl.h> only under _GNU_SOURCE. Takes room for a part of a file; with that mode its size stays.
#define PLURIX_ALLOCATE_KEEP_SIZE 1
extern int fallocate(int descriptor, int mode, long offset, long count);

// Declared by <fcntl.h> only under _GNU_SOURCE. Begins to write a part of a file to the disk.
#define PLURIX_FILE_RANGE_WRITE 2u
extern int sync_file_range(int descriptor, long offset, long count, unsigned int flags);
