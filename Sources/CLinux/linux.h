// What Swift's Glibc module leaves out of the C library: Linux's event descriptors, a poll with a fine time limit,
// starting processes without the descriptors of their parent, what is known of a file system, early writing, room
// that is taken before, and how the allocator gets its memory.
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
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

// Declared by <sys/mman.h> and <fcntl.h> only under _GNU_SOURCE. Memory that processes share and nobody can shrink.
#define PLURIX_MEMORY_SEALABLE 3u // closed on exec, may be sealed
#define PLURIX_ADD_SEALS 1033
#define PLURIX_GET_SEALS 1034
#define PLURIX_SEALS_OF_SIZE 7 // no more seals, no shrinking, no growing
extern int memfd_create(const char *name, unsigned int flags);

// Swift sees no macros that build and take apart control messages. Both pass two open files with a datagram; a
// receiver that gets none finds -1.
static inline ssize_t plurix_send_files(
    int socket, const struct sockaddr *to, socklen_t size, const void *bytes, size_t count, const int files[2]) {
    union { struct cmsghdr head; char bytes[CMSG_SPACE(2 * sizeof(int))]; } control = {0};
    struct iovec part = {(void *)bytes, count};
    struct msghdr message = {(void *)to, size, &part, 1, control.bytes, sizeof control.bytes, 0};
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(&control.head), files, 2 * sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static inline ssize_t plurix_receive_files(int socket, void *bytes, size_t count, int files[2]) {
    union { struct cmsghdr head; char bytes[CMSG_SPACE(2 * sizeof(int))]; } control;
    struct iovec part = {bytes, count};
    struct msghdr message = {0, 0, &part, 1, control.bytes, sizeof control.bytes, 0};
    files[0] = files[1] = -1;
    ssize_t received = recvmsg(socket, &message, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(files, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
    return received;
}
