/* Crash, rejoin, poll, opening of an epoch, and a killed arbiter. */

/* A node forgets everything. What it sent stays in the network, and its answer to a poll with the arbiter. */
inline Crash(i) {
  d_step {
    node[i].isAlive && crashes < CRASHES ->
    printf("node %d crashes\n", i);
    crashes++;
    node[i].isAlive = 0;
    forget(i);
#ifdef OLD_GRANTS
    node[i].isReborn = 1;
#ifdef NO_TOKEN_NUMBER
    node[i].grant = NONE;
#endif
#endif
    node[i].offer1 = NONE; node[i].offer2 = NONE
  }
}

inline forget(i) {
  node[i].epoch = 0; node[i].applied = 0; node[i].isFrozen = 0;
  node[i].copy = NONE; node[i].mustKeep = 0; node[i].kept = 0;
  node[i].floor = 0; node[i].askedAt = 0; node[i].replies = 0;
  node[i].hasToken = 0; node[i].tokenTime = 0;
#ifdef READ_SETS
  node[i].read = NONE; node[i].isForgotten = 0;
#endif
#ifdef STRICT_READS
  node[i].strictFrom = NONE; node[i].strictTime = NONE;
#endif
}

/* The arbiter learns of a death, by the host or by a new boot. An epoch opens before that node is admitted [P15]. */
inline NoticeDeath(i) {
  d_step {
    !node[i].isAlive && node[i].isMember && arbiter.epoch < EPOCHS - 1 ->
    printf("the arbiter learns that node %d is dead\n", i);
    node[i].isMember = 0;
    EPOCH_FOR_THE_DEAD
  }
}

/* A new incarnation is admitted at the arbiter's epoch and time. */
inline Join(c, i) {
  d_step {
    !node[i].isAlive && !node[i].isMember && !arbiter.isPolling && ARBITER_MAY_BE_AT(c) ->
    moment = ARBITER_TIME(c);
    printf("node %d joins in epoch %d at %d.%d\n", i, arbiter.epoch, EPOCH(moment), COUNTER(moment));
    node[i].isAlive = 1; node[i].isMember = 1;
    node[i].epoch = arbiter.epoch; node[i].applied = moment;
    node[i].askedAt = moment;
    node[i].hasToken = arbiter.isTokenFree;
    if :: arbiter.isTokenFree -> node[i].tokenTime = opened[arbiter.epoch] :: else fi;
    arbiter.isTokenFree = 0
  }
}

inline beginPoll() {
  if
  :: !arbiter.isPolling -> forgetAnswers(); arbiter.isPolling = 1
  :: else
  fi;
  arbiter.saving = NONE
}

inline forgetAnswers() {
  other = 0;
  do
  :: other < NODES -> node[other].hasAnswered = 0; node[other].claims = 0; other++
  :: else -> break
  od
}

/* The arbiter may poll at any time: a token, record or page is missing, or a timer was wrong. */
inline Poll() {
  d_step {
    !arbiter.isPolling && arbiter.epoch < EPOCHS - 1 ->
    printf("the arbiter polls\n");
    beginPoll()
  }
}

/* A node of the arbiter's epoch promises to stand still, and names the unsaved versions that it holds. */
inline Answer(i) {
  d_step {
    arbiter.isPolling && node[i].isAlive && node[i].isMember && node[i].epoch == arbiter.epoch &&
    !node[i].hasAnswered ->
    printf("node %d answers the poll\n", i);
    node[i].isFrozen = 1;
    node[i].hasAnswered = 1;
    node[i].claims = HELD(i) & ~UPTO(arbiter.saved);
    PLEDGE(i)
  }
}

#define VERSION(c) versionAt[ARBITER_TIME(c)]
#define CAN_PRODUCE(c) (VERSION(c) == arbiter.image || (CLAIMED & BIT(VERSION(c))))

/* The epoch opens at a time whose page version is in the image or was named in an answer. Other pages may force an
   older time than the newest such: any is allowed. Any node that has answered may get the token, or none. */
inline Open(c) {
  d_step {
    arbiter.isPolling && arbiter.epoch < EPOCHS - 1 && ARBITER_MAY_BE_AT(c) && CAN_PRODUCE(c) ->
    moment = ARBITER_TIME(c);
    open()
  }
}
inline OpenFor(c, i) {
  d_step {
    arbiter.isPolling && arbiter.epoch < EPOCHS - 1 && ARBITER_MAY_BE_AT(c) && CAN_PRODUCE(c) &&
    node[i].hasAnswered && node[i].isMember ->
    moment = ARBITER_TIME(c);
    if
    :: node[i].isAlive && arbiter.epoch == 0 -> node[i].offer1 = moment
    :: node[i].isAlive && arbiter.epoch == 1 -> node[i].offer2 = moment
    :: else
    fi;
    open()
  }
}
inline open() {
  printf("epoch %d opens at %d.%d\n", arbiter.epoch + 1, EPOCH(moment), COUNTER(moment));
  RULE(1, moment >= told);
  RULE(7, opened[arbiter.epoch + 1] == NONE);
  other = 0; amount = 0;
  do
  :: other < NODES ->
     RULE(4, !node[other].isAlive || !node[other].hasAnswered || (node[other].claims & ~HELD(other)) == 0);
     amount = amount + (node[other].hasAnswered && node[other].isMember -> 1 : 0);
     other++
  :: else -> break
  od;
  forgetAnswers();
  arbiter.epoch++;
  opened[arbiter.epoch] = moment;
  arbiter.isPolling = 0;
  arbiter.isTokenFree = (amount == 0)
}

/* A node hears of an epoch: the newest, or an older one from a frame that was long under way. */
inline Enter(i, e) {
  printf("node %d enters epoch %d\n", i, e);
  cutoff = CUTOFF(i, e);
  node[i].applied = ENTERED_AT(i, e, cutoff);
  if
  :: node[i].copy != NONE && node[i].copy > cutoff -> node[i].copy = NONE; node[i].floor = 0; node[i].mustKeep = 0
  :: else
  fi;
  if :: node[i].floor > cutoff -> node[i].floor = 0 :: else fi;
  FRESH_REQUEST(i);
  DROP_FOREIGN_REPLIES(i);
  node[i].kept = node[i].kept & UPTO(cutoff);
  node[i].epoch = e;
  node[i].isFrozen = 0;
#ifdef READ_SETS
  node[i].read = NONE; node[i].isForgotten = 0;
#endif
  node[i].hasToken = 0;
  node[i].tokenTime = 0;
  if
  :: e == 1 && node[i].offer1 != NONE -> node[i].hasToken = 1; node[i].tokenTime = node[i].offer1
  :: e == 2 && node[i].offer2 != NONE -> node[i].hasToken = 1; node[i].tokenTime = node[i].offer2
  :: else
  fi;
  node[i].offer1 = NONE;
  node[i].offer2 = (e == 2 -> NONE : node[i].offer2)
}
inline Enter1(i) {
  d_step { MAY_ENTER(i, 1) -> Enter(i, 1) }
}
#if EPOCHS > 2
inline Enter2(i) {
  d_step { MAY_ENTER(i, 2) -> Enter(i, 2) }
}
#endif

/* The arbiter is killed and restarted. Epochs, deaths, polls and what is saved are durable; what it applied, gathered
   and was answered is not. An interrupted poll is not resumed: a new one begins [P7]. An arbiter that finds no living
   node opens an epoch before it admits one: whatever the dead have committed in this one is forgotten [P22]. */
inline Kill() {
  d_step {
    kills < KILLS ->
    printf("the arbiter is killed\n");
    kills++;
    FORGET_EPOCH;
    FORGET_SAVE;
    arbiter.saving = NONE;
    forgetAnswers();
    arbiter.isPolling = POLLS_AFTER_RESTART;
    arbiter.isTokenFree = (MEMBERS == 0)
  }
}

/* ---- Steps with every counter ---- */
#define OPENINGS_AT(c) :: Open(c) AT(OpenFor, c)
#define JOINS_AT(c) AT(Join, c)
#define OPENINGS EACH_COUNTER(OPENINGS_AT)
#define JOINS EACH_COUNTER(JOINS_AT)
