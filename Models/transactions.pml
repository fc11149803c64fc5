/* Commit, the token, and following others' commits. */

#define CAN_COMMIT(i) \
  (RUNNING(i) && node[i].hasToken && CAUGHT_UP(i) && COUNTER(node[i].applied) < COMMITS)

/* A commit that changes the page. It is decided, and its record sent, in this step. */
inline CommitPage(i) {
  d_step {
    CAN_COMMIT(i) && node[i].copy != NONE ->
    now_ = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d commits the page at %d.%d\n", i, EPOCH(now_), COUNTER(now_));
    RULE(13, !(committed & BIT(now_)));
    RULE(17, node[i].copy == versionAt[node[i].applied]);
    committed = committed | BIT(now_);
    versionAt[now_] = now_;
    KEEP(i, node[i].copy);
    node[i].copy = now_;
    node[i].mustKeep = 1;
    finishCommit(i)
  }
}

/* A commit that changes other pages only. */
inline CommitElsewhere(i) {
  d_step {
    CAN_COMMIT(i) ->
    now_ = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d commits elsewhere at %d.%d\n", i, EPOCH(now_), COUNTER(now_));
    RULE(13, !(committed & BIT(now_)));
    committed = committed | BIT(now_);
    versionAt[now_] = versionAt[node[i].applied];
    finishCommit(i)
  }
}

inline finishCommit(i) {
#ifdef READ_SETS
  RULE(18, node[i].read == NONE || node[i].read == versionAt[node[i].applied]);
  node[i].read = NONE; node[i].isForgotten = 0;
#endif
  node[i].applied = now_;
  OUTPUT_AT_COMMIT(now_)
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
    now_ = NEXT_RECORD(i);
    printf("node %d applies %d.%d\n", i, EPOCH(now_), COUNTER(now_));
    if
    :: INVALIDATES(now_) ->
#ifdef READ_SETS
       if :: !node[i].isForgotten -> node[i].read = NONE :: else fi;
#endif
       if
       :: node[i].copy != NONE -> KEEP(i, node[i].copy); loseCopy(i); node[i].askedAt = now_
       :: else
       fi;
       node[i].floor = now_
    :: else
    fi;
    node[i].applied = now_
  }
}

/* The token changes hands. That the grant is still under way, or lost, is no other state than that its target has the
   token and does nothing. A duplicate is refused by its number [P14] and by the target's incarnation [P15]: so neither
   has to be kept. A target that has not heard of the epoch yet takes the grant when it does. */
inline Grant(i, j) {
  d_step {
    RUNNING(i) && node[i].hasToken && node[j].isAlive && node[j].epoch <= node[i].epoch ->
    printf("node %d grants the token to %d\n", i, j);
    now_ = TOKEN_TIME(i);
    if
    :: node[j].epoch == node[i].epoch -> node[j].hasToken = 1; node[j].tokenTime = now_
    :: node[j].epoch < node[i].epoch && node[i].epoch == 1 -> node[j].offer1 = now_
    :: else -> node[j].offer2 = now_
    fi;
#ifdef OLD_GRANTS
    node[j].grant = now_; node[j].grantEpoch = node[i].epoch;
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
    node[i].isAlive && node[i].copy != NONE && node[i].read == NONE ->
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

/* ---- Steps that only broken rules allow ---- */
#ifdef OLD_GRANTS
#ifdef NO_INCARNATION
#define MAY_TAKE_AGAIN(i) (node[i].isReborn)
#else
#define MAY_TAKE_AGAIN(i) (1)
#endif
/* P14, P15: a grant that was taken before is taken again, by its target or the target's next incarnation. */
inline TakeAgain(i) {
  d_step {
    RUNNING(i) && node[i].grant != NONE && node[i].grantEpoch == node[i].epoch && !node[i].hasToken && MAY_TAKE_AGAIN(i) ->
    printf("node %d takes an old grant\n", i);
    node[i].hasToken = 1; node[i].tokenTime = node[i].grant
  }
}
#endif
#ifdef NO_JOIN_NONCE
/* P15: a booting node believes the answer to an earlier boot. */
inline JoinAgain(i) {
  d_step {
    !node[i].isAlive && node[i].grant == 0 && node[i].grantEpoch == 0 ->
    printf("node %d joins by an old answer\n", i);
    node[i].isAlive = 1; node[i].copy = NONE; node[i].hasToken = 1
  }
}
#endif
#ifdef NO_DECISION_FIRST
/* P16: the record is sent before the commit is decided, and the transaction is undone. */
inline AnnounceUndecided(i) {
  d_step {
    CAN_COMMIT(i) ->
    now_ = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d announces %d.%d and aborts\n", i, EPOCH(now_), COUNTER(now_));
    RULE(13, !(committed & BIT(now_)));
    committed = committed | BIT(now_);
    versionAt[now_] = versionAt[node[i].applied]
  }
}
#endif
