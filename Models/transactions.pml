/* Commit, the token, and following others' commits. */

#define CAN_COMMIT(i) \
  (RUNNING(i) && node[i].hasToken && CAUGHT_UP(i) && COUNTER(node[i].applied) < COMMITS)

/* A commit that changes the page. It is decided, and its record sent, in this step. */
inline CommitPage(i) {
  d_step {
    CAN_COMMIT(i) && node[i].copy != NONE ->
    moment = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d commits the page at %d.%d\n", i, EPOCH(moment), COUNTER(moment));
    RULE(13, !(committed & BIT(moment)));
    RULE(17, node[i].copy == versionAt[node[i].applied]);
    committed = committed | BIT(moment);
    versionAt[moment] = moment;
    KEEP(i, node[i].copy);
    node[i].copy = moment;
    node[i].mustKeep = 1;
    finishCommit(i)
  }
}

/* A commit that changes other pages only. */
inline CommitElsewhere(i) {
  d_step {
    CAN_COMMIT(i) ->
    moment = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d commits elsewhere at %d.%d\n", i, EPOCH(moment), COUNTER(moment));
    RULE(13, !(committed & BIT(moment)));
    committed = committed | BIT(moment);
    versionAt[moment] = versionAt[node[i].applied];
    finishCommit(i)
  }
}

inline finishCommit(i) {
#ifdef READ_SETS
  RULE(18, node[i].read == NONE || node[i].read == versionAt[node[i].applied]);
  node[i].read = NONE; node[i].isForgotten = 0;
#endif
  node[i].applied = moment;
  OUTPUT_AT_COMMIT(moment)
}

/* The next commit of this epoch's line is received and applied: the page that it names is invalid. */
#define CAN_APPLY(i, time) ((time) < TIMES && (committed & BIT(time)) && IS_NEXT(i, time))
#define NEXT(i) LINE(node[i].epoch, COUNTER(node[i].applied) + 1)
#ifdef NO_IDENTITY
#define NEXT_RECORD(i) (CAN_APPLY(i, COUNTER(node[i].applied) + 1) -> COUNTER(node[i].applied) + 1 : NEXT(i))
#else
#define NEXT_RECORD(i) NEXT(i)
#endif
inline Apply(i) {
  d_step {
    RUNNING(i) && COUNTER(node[i].applied) < COMMITS && CAN_APPLY(i, NEXT_RECORD(i)) ->
    moment = NEXT_RECORD(i);
    printf("node %d applies %d.%d\n", i, EPOCH(moment), COUNTER(moment));
    if
    :: INVALIDATES(moment) ->
#ifdef READ_SETS
       if :: !node[i].isForgotten -> node[i].read = NONE :: else fi;
#endif
       if
       :: node[i].copy != NONE -> KEEP(i, node[i].copy); loseCopy(i); node[i].askedAt = moment
       :: else
       fi;
       node[i].floor = moment
    :: else
    fi;
    node[i].applied = moment
  }
}

/* The token changes hands. That the grant is still under way, or lost, is no other state than that its target has the
   token and does nothing. A duplicate is refused by its number [P14] and by the target's incarnation [P15]: so neither
   has to be kept. A target that has not heard of the epoch yet takes the grant when it does. */
inline Grant(i, j) {
  d_step {
    RUNNING(i) && node[i].hasToken && node[j].isAlive && node[j].epoch <= node[i].epoch ->
    printf("node %d grants the token to %d\n", i, j);
    moment = TOKEN_TIME(i);
    if
    :: node[j].epoch == node[i].epoch -> node[j].hasToken = 1; node[j].tokenTime = moment
    :: node[j].epoch < node[i].epoch && node[i].epoch == 1 -> node[j].offer1 = moment
    :: else -> node[j].offer2 = moment
    fi;
#ifdef OLD_GRANTS
    node[j].grant = moment; node[j].grantEpoch = node[i].epoch;
#endif
#ifndef NO_IDENTICAL_GRANT
    node[i].hasToken = 0; node[i].tokenTime = 0
#endif
  }
}

#ifdef READ_SETS
/* A transaction reads the page; it ends by a commit, by a conflict (Apply), by an epoch, or of itself. */
inline Read(i) {
  d_step {
    ACTS(i) && node[i].copy != NONE && node[i].read == NONE ->
    printf("node %d reads version %d\n", i, node[i].copy);
    node[i].read = node[i].copy
  }
}
inline Abandon(i) {
  d_step { node[i].read != NONE -> node[i].read = NONE; node[i].isForgotten = 0 }
}
#endif

#ifdef STRICT_READS
/* P2: a strict read asks the arbiter after it began, and waits until the node has applied the time in the answer. */
inline AskStrict(i) {
  d_step {
    node[i].isAlive && node[i].strictFrom == NONE ->
    printf("node %d begins a strict read\n", i);
    node[i].strictFrom = told; node[i].strictTime = NONE
  }
}
inline AnswerStrict(i) {
  d_step {
    node[i].strictFrom != NONE && node[i].strictTime == NONE && !arbiter.isPolling &&
    SAME_EPOCH(node[i].epoch, arbiter.epoch) ->
    printf("the arbiter answers node %d: %d\n", i, arbiter.saved);
    node[i].strictTime = arbiter.saved
  }
}
#ifdef NO_STRICT_QUESTION
#define MAY_READ_STRICTLY(i) (node[i].hasToken)
#else
#define MAY_READ_STRICTLY(i) (node[i].strictTime != NONE && node[i].applied >= node[i].strictTime)
#endif
inline ReadStrict(i) {
  d_step {
    RUNNING(i) && node[i].strictFrom != NONE && MAY_READ_STRICTLY(i) ->
    printf("node %d reads strictly at %d\n", i, node[i].applied);
    RULE(2, COUNTER(node[i].strictFrom) <= COUNTER(node[i].applied) &&
            LINE(node[i].epoch, COUNTER(node[i].strictFrom)) == node[i].strictFrom);
    node[i].strictFrom = NONE; node[i].strictTime = NONE
  }
}
#endif
