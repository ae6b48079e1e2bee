"""Removes one guard at a time and shows that the tests fail for it.

Each mutant is a change of one place in a copy of the sources; the copy is built and the tests that should notice are run. A mutant that no test notices, or that does not
build, is a failure of this program."""

import argparse
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

JOURNAL = "tests/unit/test_journal"
GRANT, TIME, APPROVE, REMOVE = (
    f"tests/unit/test_hold_{what}" for what in ("grant", "time", "approve", "remove")
)
PAY_READY, PAY_APPROVE, PAY_REFUND, PAY_LIMITS, PAY_CRASH, PAY_QUIT, PAY_REPLAY, PAY_REMOVE = (
    f"tests/unit/test_flow_{what}"
    for what in ("ready", "approve", "refund", "limits", "crash", "quit", "replay", "remove")
)
COMMIT = "tests/unit/test_commit"
LINEAR = "linear"  # tests/prove/linear.py against the mutant's daemon
STORE_SERVER = "tests/conform/test_store_server"  # on a mongod of its own
STORE_GATHERED = "tests/conform/test_store_gathered"  # the same
SYSTEM = "system:"  # a selection of tests/system, for what only whole programs show

SHARED_LOG = SYSTEM + "test_queue_log.py::"

# name, file, what stands there, what stands there instead, the test that must fail
MUTANTS = [
    (
        "sync before answer",
        "lib/queue/disk/journal.c",
        "\t    j->io->fdatasync(j->fd) != 0) {",
        "\t    false) {",
        "tests/unit/test_crash_states",
    ),
    (
        "commit before answer",
        "queued/command.c",
        "\tif (c->log->commit(c->log, &err) != COMMIT_DONE)\n\t\tcommands_fail(c, &err);\n",
        "\t(void)err;\n",
        "tests/unit/test_commit tests/conform/test_queue_restart " + LINEAR,
    ),
    (
        "what a client told before it ended is read",
        "queued/server.c",
        "\t\tread_rest(c);\n",
        "\t\tconn_close(c);\n",
        "tests/conform/test_queue_connection",
    ),
    (
        "what a client told while it was answered is read",
        "queued/server.c",
        "\t\tif (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {",
        "\t\tif (false) {",
        "tests/conform/test_queue_connection",
    ),
    (
        "a lost commit is decided again",
        "queued/batch.c",
        "\t\tdecide_again(c);\n\t\tbreak;",
        "\t\tcarry_out(c);\n\t\tbreak;",
        COMMIT,
    ),
    (
        "what depends on a staged record waits",
        "queued/batch.c",
        "\tif (hold_touch_meets(&touched, &b->touched))",
        "\tif (false)",
        COMMIT,
    ),
    (
        "nothing is staged while a commit is pending",
        "queued/batch.c",
        "if (b->pending || (a->record.len > 0 && ",
        "if ((a->record.len > 0 && ",
        COMMIT,
    ),
    (
        "a final no comes from no old table",
        "queued/batch.c",
        " && !must_be_current(v, a)",
        "",
        COMMIT,
    ),
    (
        "nor does a look at a hold that is over",
        "queued/batch.c",
        "(a->hold.id != 0 && !hold_state_is_live(a->hold.state))",
        "false",
        COMMIT,
    ),
    (
        "a list has no hold whose time is over",
        "lib/booking/hold_look.c",
        "hold_state_is_live(hold_state_at(h, now_ms))",
        "hold_state_is_live(h->life.state)",
        COMMIT,
    ),
    (
        "who has lost the log lists nothing",
        "queued/look.c",
        "\tif (away != NULL) {",
        "\tif (false) {",
        COMMIT,
    ),
    (
        "who stood still does not go on over a hole in the log",
        "queuelog/state.c",
        "\tif (floor.n < n)\n\t\treturn true;\n\tstate_stop(",
        "\treturn true;\n\tstate_stop(",
        SHARED_LOG + "test_old_numbers_are_deleted_and_who_stood_still_starts_again",
    ),
    (
        "a log that lacks what this machine remembers is a fence",
        "queuelog/state.c",
        "\tif (n > 0 && is_missing(n, nonce, there, &floor)) {",
        "\tif (n > 0 && is_missing(n, nonce, there, &floor) && false) {",
        SHARED_LOG + "test_an_older_database_is_a_fence_on_every_machine",
    ),
    (
        "the fence of one machine is a fence for all",
        "queuelog/state.c",
        "\t\tc->is_fenced = is_ours;",
        "\t\tc->is_fenced = false;",
        SHARED_LOG + "test_an_older_database_is_a_fence_on_every_machine",
    ),
    (
        "a wrong clock decides nothing",
        "queued/mongo_health.c",
        '\tif (m->clock_off)\n\t\treturn "clock-off";\n',
        "",
        SHARED_LOG + "test_a_machine_with_a_wrong_clock_serves_nothing",
    ),
    (
        "what was read before another connection was verified is read again",
        "queuelog/state.c",
        " && !s->stopped && looks == s->looks;",
        " && !s->stopped;",
        "tests/unit/test_log_state",
    ),
    (
        "nor does an acknowledgement count then",
        "queuelog/state.c",
        "\tcounts = looks == s->looks || n <= s->n;",
        "\tcounts = true;",
        "tests/unit/test_log_state",
    ),
    (
        "a number of another machine is not ours",
        "queued/mongo_log.c",
        "\tif (was == MONGO_SENT && f->nonce == m->pending_nonce)",
        "\tif (was == MONGO_SENT)",
        SHARED_LOG + "test_two_machines_are_one_queue",
    ),
    (
        "what waits for its turn is decided again after news",
        "queued/mongo_log.c",
        "\tif (was == MONGO_IDLE && m->n_staged == 0)",
        "\tif (was == MONGO_IDLE)",
        SHARED_LOG + "test_a_daemon_is_killed_and_the_other_machine_goes_on",
    ),
    (
        "a tid is part of what a record touches",
        "lib/booking/hold_touch.c",
        "\t\tadd_name(t, table, A_TID, c->tid);\n\t\tadd_hold_and",
        "\t\tadd_hold_and",
        "tests/unit/test_hold_touch",
    ),
    (
        "torn-tail cut",
        "lib/queue/disk/journal_open.c",
        "\tif (!keep_torn(o, f, end, err))",
        "\treturn true;\n\tif (!keep_torn(o, f, end, err))",
        JOURNAL,
    ),
    (
        "snapshot synced before it counts",
        "lib/queue/disk/journal.c",
        "\t    w->j->io->fdatasync(w->fd) != 0)",
        "\t    false)",
        "tests/unit/test_crash_states",
    ),
    ("overlap check at hold", "lib/booking/hold_grant.c", " && !answer_slot(&q)", "", GRANT),
    (
        "fencing of overlapped expired holds",
        "lib/booking/hold_index.c",
        "\t\t\tif (!give_way(a, h, until_ms))\n\t\t\t\treturn false;\n\t\t\tfrom = 0;",
        "\t\t\t(void)give_way;\n\t\t\tfrom = (size_t)(slot - w->slot) + 1;",
        TIME,
    ),
    (
        "overlap check at re-take",
        "lib/booking/hold_end.c",
        "\tif (!has_time && !is_free(h, d->now.boot_ms))\n\t\treturn;\n",
        "\t(void)is_free;\n",
        APPROVE,
    ),
    (
        "sold guard",
        "lib/booking/hold_index.c",
        "\tif (h->life.guarded)\n\t\treturn h->life.due_ms > boot_ms;\n",
        "\tif (h->life.guarded)\n\t\treturn false;\n",
        REMOVE,
    ),
    (
        "fencing token of an outcome",
        "lib/booking/hold_end.c",
        "\tif (token == 0 || h->life.token != token) {",
        "\tif (token == 0) {",
        APPROVE,
    ),
    (
        "window check in the queue",
        "lib/booking/hold_end.c",
        "\telse if ((s == HOLD_READY || s == HOLD_EXPIRED) && h->life.window_ms <= now_ms)\n\t\tdecision_answer(d, HA_EXPIRED, 0);\n",
        "",
        TIME,
    ),
    (
        "only KakaoPay's clear end of an attempt frees its room",
        "lib/flow/quit.c",
        "\treturn v == FV_FAILED;",
        "\treturn v != FV_SILENT;",
        PAY_QUIT,
    ),
    (
        "a user who gave up is looked for once a minute",
        "lib/queue/wire/inquiry_limit.c",
        "\tif (again_ms > boot_ms)\n\t\treturn again_ms - boot_ms;\n",
        "",
        PAY_QUIT,
    ),
    (
        "ledger number above the remembered",
        "lib/booking/hold_end.c",
        "\telse if (n <= h->order->last_n)\n\t\tdecision_answer(d, HA_LEDGER_BEHIND, RETRY_BUSY_MS);\n",
        "",
        APPROVE,
    ),
    (
        "a new journal is closed",
        "lib/booking/hold_end.c",
        "\tif (t->closed)\n\t\tdecision_answer(&d, HA_NOT_READY, RETRY_BUSY_MS);\n\telse if",
        "\tif",
        "tests/unit/test_hold_handover",
    ),
    (
        "ledger key before the provider is asked",
        "lib/flow/approval.c",
        "\tif (!record_intent(ap, n, &next))\n\t\treturn next;\n",
        "\t(void)next;\n\t(void)record_intent;\n",
        PAY_APPROVE,
    ),
    (
        "number taken by another",
        "lib/flow/approval.c",
        "\tif (!ok || how == STORE_TAKEN)\n\t\treturn false;\n",
        "\tif (!ok)\n\t\treturn false;\n",
        PAY_APPROVE,
    ),
    (
        "an old call where a fresh hold waits",
        "lib/flow/approval.c",
        "\tif (ap->guessed) /* or this is a call that was made before",
        "\tif (false) /* or this is a call that was made before",
        PAY_REPLAY,
    ),
    (
        "a hold that was granted before is no fresh one",
        "lib/booking/hold_end.c",
        "h->state == HOLD_READY && h->token == 0 && h->last_n",
        "h->state == HOLD_READY && h->last_n",
        f"{APPROVE} {LINEAR}",
    ),
    (
        "a fresh hold is one of an order without a past",
        "lib/booking/hold_end.c",
        "h->token == 0 && h->last_n == 0 &&",
        "h->token == 0 &&",
        APPROVE,
    ),
    (
        "a first approve is of a hold that is ready",
        "lib/booking/hold_end.c",
        "\treturn h->state == HOLD_READY && h->token",
        "\treturn h->token",
        APPROVE,
    ),
    (
        "nothing is granted first to who does not listen any more",
        "queued/rule.c",
        "\treturn proto_has(rq->m, ARG_UNTIL) && until < deadline ? until : deadline;",
        "\t(void)until;\n\treturn deadline;",
        COMMIT,
    ),
    (
        "a first approve touches only the caller's merchants",
        "lib/booking/hold_end.c",
        " && h->last_n == 0 &&\n\t    is_in_list(h->cid, cids);",
        " && h->last_n == 0 && (is_in_list(h->cid, cids) || true);",
        f"{APPROVE} {PAY_APPROVE}",
    ),
    (
        "the queue is told when payment and message stand",
        "lib/flow/follow.c",
        "\t*whole = hold != NULL && hold->state == HOLD_APPROVED && ",
        "\t*whole = true || ",
        PAY_REMOVE,
    ),
    (
        "a removal looks for the payment",
        "lib/flow/follow.c",
        "\treturn !*whole ||\n\t    store_payment_get(f->store, st->captured->tid, &payment, whole, c->deadline_boot_ms, err);",
        "\t(void)payment;\n\t(void)c;\n\t(void)err;\n\treturn true;",
        "tests/unit/test_flow_remove",
    ),
    (
        "a capture is told with its payment and message",
        "lib/flow/follow.c",
        "\tok = ok &&\n\t    store_put_in_order(f->store, items, n, &stopped",
        "\tok = ok &&\n\t    store_put_in_order(f->store, items, first != NULL ? 1 : n, &stopped",
        PAY_APPROVE,
    ),
    (
        "a removal is told with its message",
        "lib/flow/follow.c",
        "store_put_in_order(f->store, items, 2, &stopped",
        "store_put_in_order(f->store, items, 1, &stopped",
        PAY_REMOVE,
    ),
    (
        "nothing is sent or told before the majority has all",
        "lib/store/in_order.c",
        "*at + 1 < n ? STORE_MORE : STORE_LAST",
        "STORE_MORE",
        f"{PAY_APPROVE} {PAY_REMOVE}",
    ),
    (
        "what a gatherer may have stored is uncertain",
        "lib/store/in_order.c",
        "\tif (!ok && sent) {\n",
        "\tif (false) {\n",
        STORE_GATHERED,
    ),
    (
        "a gatherer puts nothing behind what failed",
        "lib/store/mongo_gather_serve.c",
        "\tp->failed = !stored || ",
        "\tp->failed = ",
        STORE_GATHERED,
    ),
    (
        "what was gathered was taken by one primary",
        "lib/store/mongo_gather_serve.c",
        "\tif (p->at == 0)\n\t\tbson_oid_copy(election, &p->election);\n",
        "\tbson_oid_copy(election, &p->election);\n",
        STORE_GATHERED,
    ),
    (
        "what was gathered counts when the majority has the last of it",
        "lib/store/mongo_gather_serve.c",
        "\t\tif (is_safe && !p->failed",
        "\t\tif (!p->failed",
        STORE_GATHERED,
    ),
    (
        "an event without an attempt says nothing of it",
        "lib/flow/attempt.c",
        " || e->attempt[0] == '\\0')",
        ")",
        "tests/unit/test_flow_courier",
    ),
    (
        "an answer that nobody waits for is not taken for the next",
        "lib/store/mongo_gather.c",
        "n > 0 && l->unwanted > 0;",
        "n > 0 && l->unwanted < 0;",
        STORE_GATHERED,
    ),
    (
        "a removal that was lost is seen by a later look",
        "courier/round_look.c",
        "\t*due_ms = now.wall_ms + SETTLED_MS;",
        "\t*due_ms = -1;",
        "tests/unit/test_courier",
    ),
    (
        "a gatherer does not write late",
        "lib/store/mongo_gather_serve.c",
        "bson_iter_as_int64(&it) <= clock_boot_ms();",
        "false;",
        STORE_GATHERED,
    ),
    (
        "nobody waits behind a slow command",
        "lib/store/mongo_gather.c",
        "\treturn since != 0 && clock_boot_ms() - since > SLOW_MS;\n",
        "\treturn false && since != 0 && SLOW_MS;\n",
        STORE_GATHERED,
    ),
    (
        "a probe that worked counts for whoever waited meanwhile",
        "lib/store/breaker.c",
        "\tbreaker_worked(b, now_ms);\n",
        "",
        "tests/conform/test_store",
    ),
    (
        "gatherers connect before anybody asks",
        "lib/store/mongo_gather_serve.c",
        "\t\t\tmongo_link_renew(g->link);\n",
        "\t\t\t;\n",
        STORE_GATHERED,
    ),
    (
        "what waits together was taken by one primary",
        "lib/store/mongo_together.c",
        "\tif (t->n > 0 && !bson_oid_equal(&election, &t->election))\n\t\treturn false;\n",
        "",
        STORE_SERVER,
    ),
    (
        "what was lost with its primary is told",
        "lib/store/mongo_together.c",
        "\t\tif (ok && how == STORE_TAKEN)\n",
        "\t\tif (false)\n",
        STORE_SERVER,
    ),
    (
        "the end of a try is safe before its message is removed",
        "lib/store/mongo_many.c",
        """BCON_NEW("ordered", BCON_BOOL(false));\n\tmongoc_bulk_operation_t""",
        """BCON_NEW("ordered", BCON_BOOL(false), "writeConcern", "{", "w",\n\t    BCON_INT32(1), "}");\n\tmongoc_bulk_operation_t""",
        STORE_SERVER,
    ),
    (
        "only approve's own capture is whole",
        "lib/flow/follow.c",
        " &&\n\t    strcmp(st->captured->by, f->program) == 0;",
        ";",
        PAY_REMOVE,
    ),
    (
        "a claim that another has is not posted",
        "courier/round.c",
        "if (how == STORE_OURS && name_set_add(",
        "if (name_set_add(",
        "tests/unit/test_courier",
    ),
    (
        "what is being claimed is not claimed twice",
        "courier/round.c",
        "\treturn name_set_has(r->b->posting, m->id) || name_set_has(r->b->lined, m->id);",
        "\treturn name_set_has(r->b->posting, m->id);",
        "tests/unit/test_courier",
    ),
    (
        "rounds side by side share the places",
        "courier/round.c",
        "\t\tr->b->n_posting[round_peer_index(r, t->peer)]++;\n",
        "",
        "tests/unit/test_courier",
    ),
    (
        "a look before the end finds nothing to send",
        "courier/round_end.c",
        "\tround_know(r, &t->message, is_over(t) ?",
        "\tif (!is_over(t))\n\t\tround_know(r, &t->message, is_over(t) ?",
        "tests/unit/test_courier",
    ),
    (
        "a chain ends at its gap",
        "lib/store/run.c",
        "moved = number_in(sh, found + i * sh->size) == (int64_t)*n + 1;",
        "moved = number_in(sh, found + i * sh->size) > (int64_t)*n;",
        "tests/conform/test_store",
    ),
    ("unique key", "lib/store/memory.c", "STORE_TAKEN", "STORE_OURS", "tests/conform/test_store"),
    (
        "abandoned",
        "lib/flow/settle_plan.c",
        "return f->chain_n + 1 < f->n ? SETTLE_BEHIND : SETTLE_ABANDON;",
        "return f->chain_n + 1 < f->n ? SETTLE_BEHIND : SETTLE_MOOT;",
        "tests/unit/test_settle",
    ),
    (
        "amount compare",
        "lib/flow/inquiry.c",
        "\t\tif (numbers[i].asked != numbers[i].told) {",
        "\t\tif (false) {",
        PAY_APPROVE,
    ),
    (
        "inquiry on -702",
        "lib/provider/kakaopay/outcome.c",
        "{ -702,  { DE, IQ, UN, IQ } }",
        "{ -702,  { DE, DE, UN, IQ } }",
        "tests/unit/test_kakaopay",
    ),
    (
        "tries of a hold in a minute",
        "lib/booking/hold_end.c",
        "\tif (count_tries(h, max, d->now.boot_ms, &first_ms) >= max)",
        "\tif (false && count_tries(h, max, d->now.boot_ms, &first_ms) >= max)",
        APPROVE,
    ),
    (
        "every grant is a try",
        "lib/booking/hold_end.c",
        "\tadd_try(h, d->now.boot_ms, &tries);\n\tdecision_write(d, &c);",
        "\t(void)add_try;\n\tc.tries = NULL;\n\tdecision_write(d, &c);",
        APPROVE,
    ),
    (
        "gone holds of one place have a bound",
        "lib/booking/hold_grant.c",
        "\twrite_forgotten(q);\n",
        "\t(void)write_forgotten;\n",
        REMOVE,
    ),
    (
        "one work item for a tid",
        "lib/flow/approval.c",
        "\tif (ap->unsettled)\n\t\tflow_drop_earlier_work(ap->f, &ap->early, &ap->at);\n",
        "",
        PAY_LIMITS,
    ),
    (
        "the last send of a tid",
        "lib/money/order.c",
        "(tid == NULL || count_sends(c, tid) < ORDER_SENDS_MAX)",
        "(tid == NULL || count_sends(c, tid) < 100000)",
        PAY_LIMITS,
    ),
    (
        "the end of a chain for attempts",
        "lib/flow/ready.c",
        "\t} else if (!order_has_room(&chain, LK_APPROVING, NULL)) {",
        "\t} else if (false) {",
        PAY_LIMITS,
    ),
    (
        "the end of a chain for refunds",
        "lib/flow/refund.c",
        "\tif (!order_has_room(&r->chain, LK_REFUNDING, r->rq->tid)) {",
        "\tif (false) {",
        PAY_LIMITS,
    ),
    (
        "refunds that come to nothing in a minute",
        "lib/flow/refund.c",
        "\tif (is_too_often(r))\n\t\treturn DONE;\n",
        "\t(void)is_too_often;\n",
        PAY_LIMITS,
    ),
    (
        "the courier lets a send again rest",
        "lib/flow/settle_plan.c",
        "f->at != SETTLE_SEND ? 0 : f->sends_before < 2 ? f->sends_before : 2;",
        "0;",
        "tests/unit/test_settle",
    ),
    (
        "class N on a second send",
        "lib/flow/approval.c",
        "ko == PO_UNKNOWN || ap->unsettled)",
        "ko == PO_UNKNOWN)",
        PAY_APPROVE,
    ),
    (
        "inquiry before a second send",
        "lib/flow/approve.c",
        "return ap->unsettled ? approval_settle_first(ap, n) : approval_send(ap, n);",
        "return approval_send(ap, n);",
        PAY_APPROVE,
    ),
    (
        "window check before the send",
        "lib/provider/kakaopay/kakaopay.c",
        "\tif (now >= c->deadline_boot_ms || now >= c->window_boot_ms) {",
        "\tif (now >= c->deadline_boot_ms) {",
        "tests/unit/test_kakaopay",
    ),
    (
        "the timer that ends a stopped worker",
        "lib/provider/kakaopay/kakaopay.c",
        "\t\tif (!guard_arm(c->deadline_boot_ms + GUARD_AFTER_MS, err))\n\t\t\treturn false;\n",
        "\t\t(void)guard_arm;\n",
        "tests/unit/test_kakaopay",
    ),
    (
        "two readings of not captured",
        "lib/flow/settle_plan.c",
        "\treturn first != 0 && now.boot_ms >= r.second && now.boot_ms >= first + r.apart;",
        "\treturn first != 0 || now.boot_ms >= r.first;",
        "tests/unit/test_settle",
    ),
    (
        "two readings of a refund",
        "lib/flow/settle_plan.c",
        "(r == RR_NOT_EXECUTED && read_again(f, m, now));",
        "r == RR_NOT_EXECUTED;",
        "tests/unit/test_settle",
    ),
    (
        "refund guard: the sum is the ledger's",
        "lib/flow/refund.c",
        "\tif (sum.total != r->st.refunded.total) {",
        "\tif (false) {",
        PAY_REFUND,
    ),
    (
        "refund guard: what must still be there",
        "lib/flow/refund.c",
        ".cancel_available_amount = paid->total - r->st.refunded.total",
        ".cancel_available_amount = paid->total",
        PAY_REFUND,
    ),
    (
        "the same amount twice in ten minutes",
        "ctl/refund.c",
        "\tif (p->is_twin && o->again == NULL)\n",
        "\tif (false)\n",
        SYSTEM + "test_refund_by_hand.py",
    ),
    (
        "a part without an id",
        "ctl/refund.c",
        "if (o->amount != NULL && o->id == NULL && !o->dry_run && !is_at_terminal())",
        "if (false)",
        SYSTEM + "test_refund_by_hand.py",
    ),
    (
        "no other site uses the console",
        "fcgi/edge.c",
        "console_is_cross_origin(c->in)",
        "false",
        "tests/unit/test_edge",
    ),
    (
        "a viewer changes nothing",
        "fcgi/edge.c",
        "(c->caller->roles & r->roles) == 0",
        "(c->caller->roles & (r->roles | ROLE_VIEWER)) == 0",
        "tests/unit/test_edge",
    ),
    (
        "the console shows nobody another merchant's payments",
        "fcgi/console_answer.c",
        "\tif (caller_has_cid(c->caller, cid))\n\t\treturn true;\n",
        "\tif (cid[0] != '\\0')\n\t\treturn true;\n",
        SYSTEM + "test_console.py::test_another_merchants_payment_is_not_there",
    ),
    (
        "the console refunds nobody else's payment",
        "fcgi/console_act.c",
        "} else if (!caller_has_cid(c->caller, plan.payment.cid)) {",
        "} else if (false) {",
        SYSTEM + "test_console.py::test_another_merchants_payment_is_not_there",
    ),
    (
        "a click that was meant once refunds once",
        "fcgi/console_act.c",
        "plan.is_twin && !act.again",
        "false",
        SYSTEM + "test_console.py::test_a_refund_by_hand_pays_once",
    ),
    (
        "a dry run refunds nothing",
        "fcgi/console_act.c",
        "} else if (act.dry_run) {",
        "} else if (false) {",
        SYSTEM + "test_console.py::test_a_refund_by_hand_pays_once",
    ),
    (
        "an opening is refunded as it was looked at",
        "ctl/opening.c",
        "(int64_t)n == count ||",
        "true ||",
        SYSTEM + "test_opening.py",
    ),
    (
        "one refund at a time",
        "lib/flow/refund.c",
        "\tif (r->st.state == AS_REFUND_UNKNOWN)\n\t\treturn done(r, FR_REFUND_IN_PROGRESS, FLOW_RETRY_MS);\n",
        "",
        PAY_REFUND,
    ),
    (
        "the same refundId once",
        "lib/flow/refund.c",
        "\tif (answer_replay(r))\n\t\treturn DONE;\n",
        "\t(void)answer_replay;\n",
        PAY_REFUND,
    ),
    (
        "payment stored before its hold goes",
        "lib/flow/refund_follow.c",
        "flow_mend(f, c, &at, &st, NULL, err) && withdraw(",
        "withdraw(",
        PAY_REFUND,
    ),
    (
        "a withdrawn message is not sent",
        "courier/round_look.c",
        "(last.acknowledged && after_ms > 0) || last.withdrawn",
        "last.acknowledged && after_ms > 0",
        "tests/unit/test_courier",
    ),
    (
        "a receiver is not asked before it said",
        "courier/round_look.c",
        "} else if (after_ms > 0 && *due_ms < last.not_before_ms) {",
        "} else if (false) {",
        "tests/unit/test_courier",
    ),
    (
        "a refund waits for what is sent again",
        "courier/round_look.c",
        "\t*may = *may && !again;\n",
        "",
        "tests/unit/test_courier",
    ),
    (
        "a refund is told after its payment",
        "courier/round_look.c",
        "\tif (!may) {\n",
        "\tif (false) {\n",
        "tests/unit/test_courier",
    ),
    (
        "the database is older than the queue",
        "lib/flow/approve.c",
        "\t} else if (is_behind(ap)) {",
        "\t} else if (false && is_behind(ap)) {",
        PAY_CRASH,
    ),
    (
        "order paid by the ledger before ready",
        "lib/flow/ready.c",
        "\t} else if (st.captured != NULL) {",
        "\t} else if (false) {",
        PAY_READY,
    ),
    (
        "an older service's capture is a charge",
        "lib/flow/order.c",
        "out->n == 0 && !add_foreign",
        "false && !add_foreign",
        SYSTEM + "test_import.py",
    ),
    (
        "and one without a date, too",
        "lib/store/mongo.c",
        "return sh == &shape_payment && h->partner_order_id[0]",
        "return false && h->partner_order_id[0]",
        SYSTEM + "test_import.py",
    ),
    (
        "a right date is not shifted",
        "lib/operate/import.c",
        "steps == 0 ? IMPORT_RIGHT : IMPORT_LATE",
        "IMPORT_LATE",
        SYSTEM + "test_import.py",
    ),
    (
        "an order's ledger keeps it from mending",
        "lib/operate/import.c",
        "IMPORT_LATE && !it->has_ledger &&",
        "IMPORT_LATE &&",
        SYSTEM + "test_import.py",
    ),
    (
        "unequal payments are not set aside",
        "lib/operate/import.c",
        "!equal ? IMPORT_DIFFERS :",
        "",
        SYSTEM + "test_import.py",
    ),
    (
        "what is ours must be whole",
        "lib/store/shape.c",
        "return strcmp(hex, want) == 0 || strncmp(hex + 8, want, 16) == 0;",
        "return false;",
        SYSTEM + "test_import.py",
    ),
    (
        "journal-lost fence",
        "lib/store/store.c",
        "\treturn strcmp(out->queue_id, queue_id) == 0 ||\n\t    error_set(",
        "\treturn true ||\n\t    error_set(",
        "tests/conform/test_store",
    ),
    (
        "restored-backup fence",
        "lib/flow/site.c",
        "\treturn found || fenced(out, SITE_OLD_DATABASE, err);",
        "\treturn true;",
        SYSTEM + "test_fence.py::test_an_older_backup_of_the_database_charges_nobody_again",
    ),
    (
        "shared log in use is not given up",
        "ctl/renew.c",
        '\tif (s->queue && strcmp(s->hello.fence, "log-behind") != 0)',
        "\tif (false)",
        SYSTEM + "test_shared_log_tools.py"
        "::test_an_older_database_put_back_is_restored_from_any_machine",
    ),
    (
        "shared log behind the machine's memory",
        "lib/flow/site.c",
        '\t\t{ "log-behind", SITE_OLD_LOG },',
        "",
        SYSTEM + "test_shared_log_tools.py"
        "::test_an_older_database_put_back_is_restored_from_any_machine",
    ),
    (
        "green deposit within the total",
        "fcgi/request_ready.c",
        "\tif (p->green_deposit > p->total_amount)",
        "\tif (false)",
        "tests/unit/test_request",
    ),
    (
        "a changed amount is another payment",
        "fcgi/request_ready.c",
        "\tPAY_INT(total_amount,          true,  1,",
        "\tPAY_INT(total_amount,          3,     1,",
        "tests/unit/test_request",
    ),
    (
        "amounts are read without rounding",
        "lib/json/number.c",
        "\tif (d.power < 0)\n\t\treturn NUMBER_FRACTION;\n",
        "\tif (d.power < -16)\n\t\treturn NUMBER_FRACTION;\n",
        "tests/unit/test_json_strict",
    ),
    (
        "no hidden character in an id",
        "lib/json/field.c",
        "\tif (text_has_hidden(text))\n\t\treturn FIELD_CHARACTER;\n",
        "",
        "tests/unit/test_field",
    ),
    (
        "no member twice in a request",
        "lib/json/strict.c",
        '\treturn json_object_object_length(object) > before ||\n\t    fault(s, "an object has a member twice");',
        "\t(void)before;\n\treturn true;",
        "tests/unit/test_json_strict",
    ),
]


def sh(argv, cwd, seconds, env=None):
    """None: no end in time. A test that hangs has noticed; it may stop what it has started."""
    p = subprocess.Popen(
        argv,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    for how, left in ((signal.SIGINT, seconds), (signal.SIGKILL, 30), (None, None)):
        try:
            out, err = p.communicate(timeout=left)
            break
        except subprocess.TimeoutExpired:
            p.send_signal(how)
    return subprocess.CompletedProcess(argv, p.returncode, out, err) if left == seconds else None


class Copy:
    def __init__(self, top, build):
        self.top, self.ours = top, build
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="roompay-mutants-"))
        self.src, self.build = self.dir / "src", self.dir / "build"
        shutil.copytree(
            top, self.src, ignore=shutil.ignore_patterns("build", ".git", "*.o"), symlinks=True
        )
        self.build.mkdir()
        done = sh([str(self.src / "configure"), "CFLAGS=-g -O1"], self.build, 300)
        assert done and done.returncode == 0, done
        self.make()
        for name in ("store", "mongod", "venv", "linear-check"):
            if (build / name).exists():
                (self.build / name).symlink_to(build / name)

    def make(self, targets=()):
        done = sh(["make", "-j2", *targets], self.build, 600)
        return done is not None and done.returncode == 0, done

    def _mongod(self):
        sys.path.insert(0, str(self.top / "tests/system"))
        from mongo_set import MongoSet
        from store_server import choose

        engine, mongod = choose(self.ours)
        assert engine == "mongod", engine
        return MongoSet(mongod, pathlib.Path(tempfile.mkdtemp(dir=self.dir)))

    def run(self, tests):
        """True: a test failed, so somebody noticed."""
        for t in tests.split(" "):
            if t.startswith(SYSTEM):
                self.make()
                name = t.removeprefix(SYSTEM)
                done = sh(
                    [
                        sys.executable,
                        "-B",
                        "-m",
                        "pytest",
                        "-p",
                        "no:cacheprovider",
                        "-q",
                        "-x",
                        "--assert=plain",  # nobody reads it, and some comparisons take minutes
                        "--tb=no",
                        str(self.src / "tests/system" / name),
                    ],
                    self.build,
                    300,
                    {"ROOMPAY_BUILD": str(self.build)},
                )
            elif t == LINEAR:
                built, done = self.make(["queued/roompay-queued"])
                assert built, done.stderr[-2000:]
                done = sh(
                    [
                        sys.executable,
                        "-B",
                        str(self.src / "tests/prove/linear.py"),
                        str(self.build),
                        "--histories",
                        "12",
                        "--plant",
                        "0",
                    ],
                    self.build,
                    120,
                )
            elif t in (STORE_SERVER, STORE_GATHERED):
                built, done = self.make([t])
                assert built, done.stderr[-2000:]
                with self._mongod() as store:
                    env = {"ROOMPAY_TEST_STORE_URI": store.uri}
                    done = sh([str(self.build / t)], self.build, 120, env)
            else:
                built, done = self.make(
                    [t, "queued/roompay-queued"]
                    if t.startswith("tests/conform/test_queue")
                    else [t]
                )
                assert built, done.stderr[-2000:]
                done = sh(
                    [str(self.build / t)],
                    self.build,
                    120,
                    {
                        "srcdir": str(self.src),
                        "ROOMPAY_QUEUED": str(self.build / "queued/roompay-queued"),
                        "ROOMPAY_CRASH_STATES": "20000",
                    },
                )
            if done is None or done.returncode != 0:
                return True
        return False


FEW = {
    "torn-tail cut",
    "overlap check at hold",
    "ledger key before the provider is asked",
    "amount compare",
    "two readings of a refund",
}


TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\w+|[^\w\s]')


def find(old, text):
    """Where these tokens are, however the lines are broken."""
    tokens = TOKEN.findall(old)
    between = (
        r"\s+" if re.match(r"\w\w", a[-1] + b[0]) else r"\s*" for a, b in itertools.pairwise(tokens)
    )
    return re.search(
        "".join(re.escape(t) + gap for t, gap in zip(tokens, [*between, ""], strict=True)), text
    )


def stale(top):
    """Guards whose text is no longer in their file: the table must follow the code."""
    return [
        name
        for name, file, old, *_ in MUTANTS
        if not (top / file).exists() or not find(old, (top / file).read_text())
    ]


def take_away(copy, mutant):
    """Whether somebody noticed (None: it could not be tried), and why not."""
    _, file, old, new, tests = mutant
    path = copy.src / file
    text = path.read_text()
    at = find(old, text)
    if not at:
        return None, f"{file} has changed"
    path.write_text(text[: at.start()] + new + text[at.end() :])
    first = tests.split(" ")[0]
    try:
        built, done = (
            copy.make() if first.startswith(SYSTEM) or first == LINEAR else copy.make([first])
        )
        if not built:
            return None, "does not build: " + (done.stderr[-600:] if done else "no end")
        return (True, "") if copy.run(tests) else (False, f"{tests} does not notice")
    finally:
        path.write_text(text)


def run(top, build, only=None, say=lambda line: None):
    """only: names of guards; None: all."""
    mutants = [m for m in MUTANTS if only is None or m[0] in only]
    copy = Copy(top, build)
    table, began = [], time.monotonic()
    try:
        # with every guard in place all of them pass; once more, for the machine may be busy
        fails = {
            tests
            for tests in sorted({t for m in mutants for t in m[4].split(" ")})
            if copy.run(tests) and copy.run(tests)
        }
        for mutant in mutants:
            name, file, _, _, tests = mutant
            broken = sorted(fails & set(tests.split(" ")))
            noticed, why = (
                (None, f"{broken} fails without any mutant") if broken else take_away(copy, mutant)
            )
            table.append(
                {"guard": name, "file": file, "tests": tests, "noticed": noticed, "why": why}
            )
            word = {True: "noticed", False: "NOT NOTICED", None: "NOT TRIED"}[noticed]
            say(f"{word}  {name}  ({time.monotonic() - began:.0f} s) {why}")
        return {
            "mutants": len(table),
            "noticed": sum(1 for m in table if m["noticed"]),
            "table": table,
            "seconds": round(time.monotonic() - began),
        }
    finally:
        shutil.rmtree(copy.dir, ignore_errors=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--only", action="append", help="the name of a guard; may come again")
    a = p.parse_args()
    result = run(
        pathlib.Path(__file__).resolve().parents[2],
        pathlib.Path(a.build).resolve(),
        a.only,
        lambda line: print(line, flush=True),
    )
    print(json.dumps(result))
    sys.exit(0 if result["mutants"] == result["noticed"] else 1)
