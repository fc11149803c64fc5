/* The rules of the specification (Sources/Protocol/Protocol.docc) that the model has, one block each. A rule is on
   unless its macro NO_… is defined: then it is left out, as in a planted bug, and `make model-mutants` must find a
   counterexample. i and j are nodes; a time is an epoch and a counter in one integer, compared as one (GlobalTime in
   Sources/Wire). */

/* P1: output leaves only when what it tells is saved. */
#ifdef NO_OUTPUT_RULE
#define OUTPUT_AT_COMMIT(time) told = time
#else
#define OUTPUT_AT_COMMIT(time) skip
#endif

/* P4: who has answered a poll stands still until the epoch is open, and gives up no pre-image for lack of memory … */
#ifdef NO_STANDSTILL
#define RUNNING(i) (ACTS(i))
#else
#define RUNNING(i) (ACTS(i) && !node[i].isFrozen)
#endif
/* … and keeps what its answer named until that is saved. */
#ifdef NO_PLEDGE
#define PLEDGE(i) skip
#else
#define PLEDGE(i) node[i].mustKeep = (node[i].copy != NONE)
#endif

/* P5: a node that slept through epochs goes back to the smallest of their opening times. */
#ifdef NO_CHAIN
#define CUTOFF(i, e) (opened[e])
#elif EPOCHS > 2
#define CUTOFF(i, e) ((e) == 2 && node[i].epoch == 0 && opened[1] < opened[2] -> opened[1] : opened[e])
#else
#define CUTOFF(i, e) (opened[e])
#endif
/* P5: a commit is named by epoch and counter; another branch's record with the same counter is another commit. */
#ifdef NO_IDENTITY
#define IS_NEXT(i, time) (COUNTER(time) == COUNTER(node[i].applied) + 1 && EPOCH(time) <= node[i].epoch)
#else
#define IS_NEXT(i, time) ((time) == LINE(node[i].epoch, COUNTER(node[i].applied) + 1))
#endif

/* P6: who is behind at the opening is not set forward. */
#ifdef NO_BEHIND
#define ENTERED_AT(i, e, cutoff) (opened[e])
#else
#define ENTERED_AT(i, e, cutoff) (node[i].applied < (cutoff) -> node[i].applied : (cutoff))
#endif

/* P7: the epoch is durable before it is announced, and so is what is saved. */
#ifdef NO_DURABLE_EPOCH
#define FORGET_EPOCH arbiter.epoch = 0
#else
#define FORGET_EPOCH skip
#endif
#ifdef NO_DURABLE_SAVE
#define FORGET_SAVE arbiter.saved = 0; arbiter.image = 0
#else
#define FORGET_SAVE skip
#endif
/* P7, P22: a restarted arbiter begins an interrupted poll anew, and one that finds no living node polls as well. */
#ifdef NO_RESTARTED_POLL
#define POLLS_AFTER_RESTART (0)
#else
#define POLLS_AFTER_RESTART (arbiter.isPolling || MEMBERS == 0)
#endif

/* P11: an overwritten version is kept until it is saved; a saved state is that of one time. */
#ifdef NO_PREIMAGE
#define KEEP(i, version) skip
#else
#define KEEP(i, version) node[i].kept = node[i].kept | BIT(version)
#endif
#ifdef NO_EXACT_VERSION
#define SERVES_SAVING(i, version) (node[i].copy != NONE)
#define SAVED_CONTENT(i, version) (node[i].copy)
#else
#define SERVES_SAVING(i, version) ((HELD(i) & BIT(version)) != 0)
#define SAVED_CONTENT(i, version) (version)
#endif

/* P12: a frame of another epoch is dropped. */
#ifdef NO_EPOCH_CHECK
#define SAME_EPOCH(a, b) (1)
#else
#define SAME_EPOCH(a, b) ((a) == (b))
#endif

/* P13: the grant carries the token's time, and nobody commits before it has applied that. */
#ifdef NO_TOKEN_TIME
#define TOKEN_TIME(i) (node[i].applied)
#else
#define TOKEN_TIME(i) (node[i].applied > node[i].tokenTime -> node[i].applied : node[i].tokenTime)
#endif
#ifdef NO_CATCH_UP
#define CAUGHT_UP(i) (1)
#else
#define CAUGHT_UP(i) (node[i].applied >= node[i].tokenTime)
#endif

/* P15: an epoch opens before a node that crashed is admitted again. Without the rule, a node may come back in the epoch
   in which it died, and the token of a cluster that has died is given to the first who comes. */
#if defined(NO_REBOOT_EPOCH)
#define EPOCH_FOR_THE_DEAD arbiter.isTokenFree = (MEMBERS == 0)
#elif defined(NO_INCARNATION)
#define EPOCH_FOR_THE_DEAD skip
#else
#define EPOCH_FOR_THE_DEAD beginPoll()
#endif

/* P16: a commit is applied with all its frames in hand; else the one that names the page may be missing. */
#ifdef NO_ALL_FRAMES
#define INVALIDATES(time) (0)
#else
#define INVALIDATES(time) (versionAt[time] == (time))
#endif

/* P17: a request has a fresh nonce; a server must have applied what the requester had; a reply older than a commit
   known here is refused; one from a later time waits. */
#ifdef NO_NONCE
#define FRESH_REQUEST(i) node[i].askedAt = node[i].applied
#else
#define FRESH_REQUEST(i) node[i].askedAt = node[i].applied; node[i].replies = 0
#endif
#if defined(NO_NONCE) && defined(NO_EPOCH_CHECK)
#define DROP_FOREIGN_REPLIES(i) skip
#else
#define DROP_FOREIGN_REPLIES(i) node[i].replies = 0
#endif
#ifdef NO_SERVER_TIME
#define LATE_ENOUGH(time, i) (1)
#else
#define LATE_ENOUGH(time, i) ((time) >= node[i].askedAt)
#endif
#ifdef NO_FLOOR
#define NOT_OLDER(i) (ALL)
#else
#define NOT_OLDER(i) (FROM(node[i].floor))
#endif
#ifdef NO_WAITING
#define NOT_LATER(i) (ALL)
#else
#define NOT_LATER(i) (UPTO(node[i].applied))
#endif
/* The specification's floor counts from the request on; the code's is never forgotten within an epoch. */
#ifdef FLOOR_SINCE_REQUEST
#define FLOOR_AFTER_LOSS(i) node[i].floor = 0
#else
#define FLOOR_AFTER_LOSS(i) skip
#endif

/* P18: the read set outlives the copy. */
#ifdef NO_READ_SET_KEPT
#define READ_SET_AFTER_EVICTION(i) node[i].isForgotten = 1
#else
#define READ_SET_AFTER_EVICTION(i) skip
#endif

/* P19: pages are not handed over: an unsaved version stays with its committer. */
#ifdef NO_OWNER_KEEPS
#define MUST_KEEP(i) (0)
#else
#define MUST_KEEP(i) (node[i].mustKeep)
#endif
