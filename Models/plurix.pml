/* The protocol of Plurix for Spin: token, commit, catch-up, page transfer, saving, epoch change, crash, rejoin and a
   killed arbiter. README.md says what is left out and why that is sound; rules.pml has the rules and their switches.

   The network loses, duplicates, reorders and delays for ever. Therefore nothing is ever taken out of it: what was sent
   may be received at any later time, any number of times, or never. A pause or partition is a node that does not act.
   One page is followed; commits that change only other pages are "elsewhere". Data are versions: a copy's content is
   the commit that wrote it, which names it because no two commits have one time (checked, P13). */

/* ---- Bounds ---- */
#ifndef NODES
#define NODES 3
#endif
#ifndef EPOCHS
#define EPOCHS 2         /* epoch numbers; EPOCHS - 1 openings */
#endif
#ifndef COMMITS
#define COMMITS 2        /* the largest counter: commits on one line of history */
#endif
#ifndef CRASHES
#define CRASHES 1        /* of nodes, together */
#endif
#ifndef KILLS
#define KILLS 1          /* of the arbiter */
#endif

/* ---- Time: an epoch and a counter in one integer ---- */
#define SPAN (COMMITS + 1)
#define TIMES (EPOCHS * SPAN)   /* at most 12 */
#define TIME(epoch, counter) ((epoch) * SPAN + (counter))
#define COUNTER(time) ((time) % SPAN)
#define EPOCH(time) ((time) / SPAN)
#define NONE 15
#if TIMES > 12 || EPOCHS < 2 || EPOCHS > 3 || COMMITS > 3 || NODES < 2 || NODES > 4
#error the sets of times and the lists of steps end at these bounds
#endif
/* Sets of times */
#define BIT(time) (1 << (time))
#define UPTO(time) ((2 << (time)) - 1)
#define FROM(time) (~(BIT(time) - 1))
#define ALL (BIT(TIMES) - 1)

/* ---- History, and what the network carries of it ---- */
unsigned committed : 12;      /* commits whose records were sent */
byte versionAt[TIMES];        /* the page's version in the state at a time: itself when that commit changed the page */
byte opened[EPOCHS];          /* the time at which an epoch was opened, NONE before */
unsigned told : 4;            /* the newest time whose effects left the cluster */
unsigned crashes : 3;
unsigned kills : 2;
#ifdef PRESSURE
unsigned pressed : 2;
#endif

/* The commit with a counter on the line of history that ends in epoch e. */
#if EPOCHS > 2
#define LINE(e, c) ((e) > 1 && (c) > COUNTER(opened[2]) -> TIME(2, c) : \
                    ((e) > 0 && (c) > COUNTER(opened[1]) -> TIME(1, c) : TIME(0, c)))
#else
#define LINE(e, c) ((e) > 0 && (c) > COUNTER(opened[1]) -> TIME(1, c) : TIME(0, c))
#endif

/* Whether there is such a commit, or it is the beginning. */
#define HAPPENED(e, c) ((c) == 0 || (committed & BIT(LINE(e, c))))

/* ---- A node ---- */
typedef Node {
  unsigned isAlive : 1;
  unsigned epoch : 2;
  unsigned applied : 4;       /* time of the last commit applied */
  unsigned isFrozen : 1;      /* stands still for a poll */
  unsigned copy : 4;          /* version of the current copy, NONE when there is none */
  unsigned mustKeep : 1;      /* the copy is this node's own commit, or was named in an answer to a poll */
  unsigned kept : 12;      /* unsaved versions kept as pre-images */
  unsigned floor : 4;         /* newest applied commit that names the page, while there is no copy */
  unsigned askedAt : 4;       /* applied time of the request that is open while there is no copy */
  unsigned replies : 12;   /* versions in replies to it */
  unsigned hasToken : 1;
  unsigned tokenTime : 4;     /* no commit before this is applied; 0 when it is */
  unsigned offer1 : 4;        /* time of a grant of epoch 1 or 2 that arrives before the epoch is known here, or NONE */
  unsigned offer2 : 4;
  /* What the arbiter knows of it */
  unsigned isMember : 1;
  unsigned hasAnswered : 1;
  unsigned claims : 12;    /* unsaved versions that its answer named */
#ifdef READ_SETS
  unsigned read : 4;          /* version that the running transaction has read, or NONE */
  unsigned isForgotten : 1;
#endif
#ifdef STRICT_READS
  unsigned strictFrom : 4;    /* what was told outside when the strict read began, or NONE */
  unsigned strictTime : 4;    /* the arbiter's answer, or NONE */
#endif
#ifdef OLD_GRANTS
  unsigned grant : 4;         /* a grant that is still in the network although it was taken */
  unsigned grantEpoch : 2;
  unsigned isReborn : 1;
#endif
}
Node node[NODES];
#define HELD(i) (node[i].kept | (node[i].copy == NONE -> 0 : BIT(node[i].copy)))

/* A node in an epoch that is over sees nothing of the new one. So whatever it does there it could as well have done
   before: with PAST_RESTS it only does it before, which leaves out states but nothing that any node can come to. */
#ifdef PAST_RESTS
#define ACTS(i) (node[i].isAlive && node[i].epoch == arbiter.epoch)
#define MAY_ENTER(i, e) (node[i].isAlive && node[i].epoch < (e) && arbiter.epoch == (e))
#else
#define ACTS(i) (node[i].isAlive)
#define MAY_ENTER(i, e) (node[i].isAlive && node[i].epoch < (e) && opened[e] != NONE)
#endif

/* ---- The arbiter ----
   What it has applied is not kept: it is any time from the saved one to the newest commit of its line, chosen anew
   whenever it matters. So it may always be behind, as far as a restart can put it. */
typedef Arbiter {
  unsigned epoch : 2;
  unsigned saved : 4;         /* durable */
  unsigned image : 4;         /* version of the page in the saved image */
  unsigned saving : 4;        /* time of a state that is gathered and not saved yet, or NONE */
  unsigned isPolling : 1;
  unsigned isTokenFree : 1;   /* the next node that joins gets it */
}
Arbiter arbiter;

/* Used within one step only. (Spin's breadth-first search, for shortest counterexamples, has none hidden.) */
#ifndef SCRATCH
#define SCRATCH hidden byte
#endif
SCRATCH one, other, counter, amount, cutoff, moment;

/* ---- A step for each node, pair of nodes, counter ---- */
#define EACH_OF_2(Act) :: Act(0) :: Act(1)
#define PAIRS_OF_2(Act) :: Act(0, 1) :: Act(1, 0)
#define AT_2(Act, c) :: Act(c, 0) :: Act(c, 1)
#if NODES == 2
#define EACH(Act) EACH_OF_2(Act)
#define PAIRS(Act) PAIRS_OF_2(Act)
#define AT(Act, c) AT_2(Act, c)
#define MEMBERS (node[0].isMember + node[1].isMember)
#define CLAIMED (node[0].claims | node[1].claims)
#elif NODES == 3
#define EACH(Act) EACH_OF_2(Act) :: Act(2)
#define PAIRS(Act) PAIRS_OF_2(Act) :: Act(0, 2) :: Act(2, 0) :: Act(1, 2) :: Act(2, 1)
#define AT(Act, c) AT_2(Act, c) :: Act(c, 2)
#define MEMBERS (node[0].isMember + node[1].isMember + node[2].isMember)
#define CLAIMED (node[0].claims | node[1].claims | node[2].claims)
#else
#define EACH(Act) EACH_OF_2(Act) :: Act(2) :: Act(3)
#define PAIRS(Act) PAIRS_OF_2(Act) :: Act(0, 2) :: Act(2, 0) :: Act(1, 2) :: Act(2, 1) \
                   :: Act(0, 3) :: Act(3, 0) :: Act(1, 3) :: Act(3, 1) :: Act(2, 3) :: Act(3, 2)
#define AT(Act, c) AT_2(Act, c) :: Act(c, 2) :: Act(c, 3)
#define MEMBERS (node[0].isMember + node[1].isMember + node[2].isMember + node[3].isMember)
#define CLAIMED (node[0].claims | node[1].claims | node[2].claims | node[3].claims)
#endif

#if COMMITS == 1
#define EACH_COUNTER(Act) Act(0) Act(1)
#elif COMMITS == 2
#define EACH_COUNTER(Act) Act(0) Act(1) Act(2)
#else
#define EACH_COUNTER(Act) Act(0) Act(1) Act(2) Act(3)
#endif

#include "rules.pml"
#include "checks.pml"
#include "transactions.pml"
#include "pages.pml"
#include "epochs.pml"
#include "broken.pml"

#if EPOCHS > 2
#define ENTRANCES EACH(Enter1) EACH(Enter2)
#else
#define ENTRANCES EACH(Enter1)
#endif

/* ---- The cluster: any step that is possible, again and again ---- */
active proctype cluster() {
  d_step { start() }
end: /* the bounds may leave nothing to do */
  do
  :: atomic {
       if
       EACH(CommitPage) EACH(CommitElsewhere) EACH(Apply) PAIRS(Grant)
       EACH(Accept) EACH(Evict) SAVES
       EACH(Crash) EACH(NoticeDeath) JOINS
       :: Poll() EACH(Answer) OPENINGS ENTRANCES
       :: Kill()
#ifdef PRESSURE
       EACH(GiveUpPreImages)
#endif
#ifdef READ_SETS
       EACH(Read) EACH(Abandon)
#endif
#ifdef STRICT_READS
       EACH(AskStrict) EACH(AnswerStrict) EACH(ReadStrict)
#endif
#if defined(NO_TOKEN_NUMBER) || defined(NO_INCARNATION)
       EACH(TakeAgain)
#endif
#ifdef NO_JOIN_NONCE
       EACH(JoinAgain)
#endif
#ifdef NO_DECISION_FIRST
       EACH(AnnounceUndecided)
#endif
       fi;
       d_step { endStep() }
     }
  od
}
