/* What must be true after every step, and how a step ends. */

/* Ends a run with the rule's number in Spin's report. */
#define RULE(number, condition) assert((condition) || number == 0)

inline start() {
  arbiter.saving = NONE;
  n = 1;
  do :: n < EPOCHS -> opened[n] = NONE; n++ :: else -> break od;
  n = 0;
  do
  :: n < NODES ->
     node[n].isAlive = 1; node[n].isMember = 1; node[n].offer1 = NONE; node[n].offer2 = NONE;
#ifdef READ_SETS
     node[n].read = NONE;
#endif
#ifdef STRICT_READS
     node[n].strictFrom = NONE; node[n].strictTime = NONE;
#endif
#ifdef OLD_GRANTS
     node[n].grant = NONE;
#endif
     n++
  :: else -> break
  od;
  node[0].hasToken = 1;
#ifdef OLD_GRANTS
  node[0].grant = 0;
#endif
}

/* Forgets what no later step can tell apart, checks the invariants, and brings the nodes into one order. */
inline endStep() {
  n = 0;
  do :: n < NODES -> forgetIrrelevant(n); n++ :: else -> break od;
  serveAll();
  n = 0;
  do :: n < NODES -> check(n); n++ :: else -> break od;
  RULE(11, arbiter.image == versionAt[arbiter.saved]);
  checkNothingLost();
  n = 0; m = 0; count = 0; cutoff = 0; now_ = 0;
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
     if :: node[i].copy != NONE && node[i].copy > opened[arbiter.epoch] -> node[i].mustKeep = 0 :: else fi
  :: else
  fi;
  if :: node[i].copy == NONE || node[i].copy <= arbiter.saved -> node[i].mustKeep = 0 :: else fi;
  if :: node[i].tokenTime <= node[i].applied -> node[i].tokenTime = 0 :: else fi
#ifndef NO_NONCE
  ; if
  :: node[i].copy != NONE -> node[i].floor = 0; node[i].askedAt = 0; node[i].replies = 0
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
     m = i + 1;
     do
     :: m < NODES ->
        RULE(14, !(node[i].hasToken && node[m].hasToken && node[m].isAlive && node[i].epoch == node[m].epoch));
        m++
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
     m = COUNTER(arbiter.saved) + 1;
     do
     :: m <= COMMITS && (committed & BIT(LINE(arbiter.epoch, m))) ->
        cutoff = LINE(arbiter.epoch, m);
        if
        :: versionAt[cutoff] == cutoff ->
           n = 0; count = 0;
           do
           :: n < NODES -> count = count + ((HELD(n) & BIT(cutoff)) -> 1 : 0); n++
           :: else -> break
           od;
           RULE(19, count > 0)
        :: else
        fi;
        m++
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
    orderPair(0, 1);
    if (sizeof(now.node) / sizeof(now.node[0]) > 2) {
      orderPair(1, 2);
      orderPair(0, 1);
    }
  }
}
