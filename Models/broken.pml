/* Steps that only broken rules allow. */

#ifdef OLD_GRANTS
#ifdef NO_INCARNATION
#define MAY_TAKE_AGAIN(i) (node[i].isReborn)
#else
#define MAY_TAKE_AGAIN(i) (1)
#endif
/* P14, P15: a grant that was taken before is taken again, by its target or the target's next incarnation. */
inline TakeAgain(i) {
  d_step {
    RUNNING(i) && node[i].grant != NONE && node[i].grantEpoch == node[i].epoch && !node[i].hasToken &&
    MAY_TAKE_AGAIN(i) ->
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
    moment = TIME(node[i].epoch, COUNTER(node[i].applied) + 1);
    printf("node %d announces %d.%d and aborts\n", i, EPOCH(moment), COUNTER(moment));
    RULE(13, !(committed & BIT(moment)));
    committed = committed | BIT(moment);
    versionAt[moment] = versionAt[node[i].applied]
  }
}
#endif
