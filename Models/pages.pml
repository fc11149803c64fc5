/* Page transfer, eviction, and saving. */

/* The node has no copy any more; from now on a request is open. Asking again later, with a newer applied time and
   without the replies so far, allows nothing that this request does not. */
inline loseCopy(i) {
  node[i].floor = node[i].copy;
  node[i].copy = NONE;
  node[i].mustKeep = 0;
  FRESH_REQUEST(i)
}

#define IS_ASKING(i) (ACTS(i) && node[i].copy == NONE)

#define CAN_SERVE(j, i) \
  (RUNNING(j) && node[j].copy != NONE && SAME_EPOCH(node[i].epoch, node[j].epoch) && LATE_ENOUGH(node[j].applied, i))
/* The arbiter answers with its image, or with what it has gathered, when that is the newest version it knows of. */
#define ARBITER_CAN_SERVE(i, time) \
  (!arbiter.isPolling && SAME_EPOCH(node[i].epoch, arbiter.epoch) && LATE_ENOUGH(time, i) && \
   (arbiter.image == versionAt[time] || (arbiter.saving != NONE && versionAt[arbiter.saving] == versionAt[time])))
#define ARBITER_TIME(c) LINE(arbiter.epoch, c)
#define ARBITER_MAY_BE_AT(c) ((c) >= COUNTER(arbiter.saved) && HAPPENED(arbiter.epoch, c))

/* Every reply that can be sent is sent at once, as part of the step that made it possible: more replies under way allow
   everything that fewer do, and nothing else depends on them. A reply that will be refused is not remembered. */
inline serveAll() {
  one = 0;
  do
  :: one < NODES ->
     if
     :: IS_ASKING(one) ->
        other = 0;
        do
        :: other < NODES ->
           if :: CAN_SERVE(other, one) -> node[one].replies = node[one].replies | BIT(node[other].copy) :: else fi;
           other++
        :: else -> break
        od;
        counter = COUNTER(arbiter.saved);
        do
        :: counter <= COMMITS && HAPPENED(arbiter.epoch, counter) ->
           moment = ARBITER_TIME(counter);
           if
           :: ARBITER_CAN_SERVE(one, moment) -> node[one].replies = node[one].replies | BIT(versionAt[moment])
           :: else
           fi;
           counter++
        :: else -> break
        od;
        node[one].replies = node[one].replies & NOT_OLDER(one)
     :: else
     fi;
     one++
  :: else -> break
  od
}
/* A reply becomes the copy if it is the version that the node's time asks for; every reply that would be taken must be
   the right one. */
#define ACCEPTABLE(i) (node[i].replies & NOT_OLDER(i) & NOT_LATER(i))
inline Accept(i) {
  d_step {
    IS_ASKING(i) && ACCEPTABLE(i) != 0 ->
    printf("node %d accepts a page\n", i);
    RULE(17, (ACCEPTABLE(i) & ~BIT(versionAt[node[i].applied])) == 0);
    node[i].copy = versionAt[node[i].applied]
  }
}

/* A copy is dropped whose version is saved, or that another node committed and no answer to a poll has named. */
inline Evict(i) {
  d_step {
    ACTS(i) && node[i].copy != NONE && (!MUST_KEEP(i) || node[i].copy <= arbiter.saved) ->
    printf("node %d drops its copy\n", i);
    loseCopy(i);
    FLOOR_AFTER_LOSS(i);
#ifdef READ_SETS
    READ_SET_AFTER_EVICTION(i);
#endif
    endStep()
  }
}

#ifdef PRESSURE
/* Memory is short: unsaved pre-images are given up. A later epoch may then open at an older time. */
inline GiveUpPreImages(i) {
  d_step {
    RUNNING(i) && node[i].kept != 0 && pressed < PRESSURE ->
    printf("node %d gives up its pre-images\n", i);
    pressed++;
    node[i].kept = 0
  }
}
#endif

/* ---- Saving ---- */

#define CAN_SAVE(c) \
  (!arbiter.isPolling && (c) > COUNTER(arbiter.saved) && HAPPENED(arbiter.epoch, c))

/* The page's version at time c is in the image already: other pages were changed. */
inline SaveElsewhere(c) {
  d_step {
    CAN_SAVE(c) && versionAt[ARBITER_TIME(c)] == arbiter.image ->
    printf("the arbiter saves up to %d\n", c);
    moment = ARBITER_TIME(c);
    save()
  }
}

/* Exactly the version at time c is fetched from node i, which has it as its copy or kept it as a pre-image. */
inline SaveFrom(c, i) {
  d_step {
    CAN_SAVE(c) && versionAt[ARBITER_TIME(c)] != arbiter.image && RUNNING(i) &&
    SAME_EPOCH(node[i].epoch, arbiter.epoch) && SERVES_SAVING(i, versionAt[ARBITER_TIME(c)]) ->
    printf("the arbiter saves up to %d with a version of node %d\n", c, i);
    moment = ARBITER_TIME(c);
#ifdef SAVE_IN_STEPS
    arbiter.saving = moment
#else
    arbiter.image = SAVED_CONTENT(i, versionAt[moment]);
    save()
#endif
  }
}

#ifdef SAVE_IN_STEPS
/* The pages gathered become part of the image, all at one time. */
inline FinishSave() {
  d_step {
    arbiter.saving != NONE ->
    printf("the gathered state is saved\n");
    moment = arbiter.saving;
    arbiter.image = versionAt[moment];
    save()
  }
}
#endif

/* Durable before it is announced; what was committed up to it may be told outside from now on [P1]. */
inline save() {
  if :: told < moment -> told = moment :: else fi;
  arbiter.saved = moment;
  arbiter.saving = NONE
}

#define SAVES_AT(c) :: SaveElsewhere(c) AT(SaveFrom, c)
#ifdef SAVE_IN_STEPS
#define SAVES EACH_COUNTER(SAVES_AT) :: FinishSave()
#else
#define SAVES EACH_COUNTER(SAVES_AT)
#endif
