/* What must be true after every step, and how a step ends. */

/* Ends a run with the rule's number in Spin's report. */
#define RULE(number, condition) assert((condition) || number == 0)

inline start() {
  arbiter.saving = NONE;
  one = 1;
  do :: one < EPOCHS -> opened[one] = NONE; one++ :: else -> break od;
  one = 0;
  do
  :: one < NODES ->
     node[one].isAlive = 1; node[one].isMember = 1; node[one].offer1 = NONE; node[one].offer2 = NONE;
#ifdef READ_SETS
     node[one].read = NONE;
#endif
#ifdef STRICT_READS
     node[one].strictFrom = NONE; node[one].strictTime = NONE;
#endif
#ifdef OLD_GRANTS
     node[one].grant = NONE;
#endif
     one++
  :: else -> break
  od;
  node[0].hasToken = 1;
#ifdef OLD_GRANTS
  node[0].grant = 0;
#endif
}

/* Forgets what no later step can tell apart, checks the invariants, and brings the nodes into one order. */
inline endStep() {
  one = 0;
  do :: one < NODES -> forgetIrrelevant(one); one++ :: else -> break od;
  serveAll();
  one = 0;
  do :: one < NODES -> check(one); one++ :: else -> break od;
  RULE(11, arbiter.image == versionAt[arbiter.saved]);
  checkNothingLost();
  one = 0; other = 0; counter = 0; amount = 0; cutoff = 0; moment = 0;
#ifndef NO_SYMMETRY
  c_code { orderNodes(); }
#endif
}

/* Versions up to the saved time, and those that an opening has undone, are asked for by nobody. */
inline forgetIrrelevant(i) {
  node[i].kept = node[i].kept & ~UPTO(arbiter.saved);
  if
  :: node[i].epoch < arbiter.epoch && node[i].isAlive ->
     node[i].kept = node[i].kept & UPTO(opened[arbiter.epoch]);
#ifdef PAST_RESTS
     node[i].replies = 0; node[i].askedAt = 0; node[i].hasToken = 0; node[i].tokenTime = 0; node[i].isFrozen = 0;
#endif
     if :: node[i].copy != NONE && node[i].copy > opened[arbiter.epoch] -> node[i].mustKeep = 0 :: else fi
  :: else
  fi;
  if :: node[i].copy == NONE || node[i].copy <= arbiter.saved -> node[i].mustKeep = 0 :: else fi;
  if :: node[i].tokenTime <= node[i].applied -> node[i].tokenTime = 0 :: else fi
#ifndef NO_NONCE
  ; if
  :: node[i].copy != NONE -> node[i].floor = 0; node[i].askedAt = 0; node[i].replies = 0
  :: node[i].copy == NONE && node[i].floor > 0 -> node[i].askedAt = 0
  :: else
  fi
#endif
}

inline check(i) {
  if
  :: node[i].isAlive ->
     /* The commits that a node has applied are a prefix of its epoch's line. */
     RULE(5, node[i].applied == LINE(node[i].epoch, COUNTER(node[i].applied)));
     /* Every copy is the page's state at the node's time: so no transaction reads two times, and none is lost. */
     RULE(17, node[i].copy == NONE || node[i].copy == versionAt[node[i].applied]);
#ifdef READ_SETS
     RULE(18, node[i].read == NONE || node[i].read == versionAt[node[i].applied]);
#endif
     other = i + 1;
     do
     :: other < NODES ->
        RULE(14, !(node[i].hasToken && node[other].hasToken && node[other].isAlive &&
                   node[i].epoch == node[other].epoch));
        other++
     :: else -> break
     od
  :: else
  fi
}

#ifdef PRESSURE
#define PRESSED (pressed > 0)
#else
#define PRESSED (0)
#endif
/* Without a crash, every unsaved version on the current line is held by somebody. */
inline checkNothingLost() {
  if
  :: crashes == 0 && !PRESSED ->
     counter = COUNTER(arbiter.saved) + 1;
     do
     :: counter <= COMMITS && (committed & BIT(LINE(arbiter.epoch, counter))) ->
        cutoff = LINE(arbiter.epoch, counter);
        if
        :: versionAt[cutoff] == cutoff ->
           one = 0; amount = 0;
           do
           :: one < NODES -> amount = amount + ((HELD(one) & BIT(cutoff)) -> 1 : 0); one++
           :: else -> break
           od;
           RULE(19, amount > 0)
        :: else
        fi;
        counter++
     :: else -> break
     od
  :: else
  fi
}

/* The nodes are alike and nothing outside of a node's record names it. So states that differ by a renaming of nodes
   have the same future, and one of them is enough: the one whose records are in ascending order. */
c_code {
  static void orderPair(int a, int b) {
    unsigned char saved[sizeof(now.node[0])];
    if (memcmp(&now.node[a], &now.node[b], sizeof(saved)) <= 0) return;
    memcpy(saved, &now.node[a], sizeof(saved));
    memcpy(&now.node[a], &now.node[b], sizeof(saved));
    memcpy(&now.node[b], saved, sizeof(saved));
  }
  static void orderNodes(void) {
    int nodes = sizeof(now.node) / sizeof(now.node[0]);
    for (int sorted = nodes - 1; sorted > 0; sorted--)
      for (int lower = 0; lower < sorted; lower++) orderPair(lower, lower + 1);
  }
}
