// What an operator can do to a payment or a message.
import { post } from './api.js';
import { act, field, reasonField, tick } from './dialog.js';
import { h } from './dom.js';
import { korean, won } from './format.js';

const p = (...nodes) => h('p', null, nodes);
const stateName = (state, w) => w.states[state] ?? state;

export function settle(tid, context) {
  const { w } = context,
    t = w.act;
  const says = (r) => [
    r.kakaopay && p(`${t.kakaoSaid}: ${r.kakaopay}`),
    p(t.settled(stateName(r.before, w), stateName(r.state, w))),
  ];
  return act({
    title: t.settle,
    hint: t.settleHint,
    context,
    repeatable: true,
    fields: [
      field(
        'as',
        t.as,
        {
          options: [
            ['', t.asNone],
            ['approved', t.asApproved],
            ['declined', t.asDeclined],
          ],
        },
        t.asHint,
      ),
      reasonField(w),
    ],
    ask: (values, dryRun) => post('settle', { tid, ...values, dryRun }),
    would: says,
    did: (r) => ({ nodes: says(r), tone: r.state === r.before ? 'wait' : 'ok' }),
  });
}

export function release(tid, context) {
  const { w } = context,
    t = w.act;
  return act({
    title: t.release,
    hint: t.releaseHint,
    context,
    repeatable: true,
    fields: [reasonField(w)],
    ask: (values, dryRun) => post('release', { tid, ...values, dryRun }),
    would: (r) => p(t.wouldRelease(stateName(r.state, w))),
    did: (r) =>
      r.removed
        ? { nodes: p(t.released(stateName(r.state, w))) }
        : { nodes: p(t.notHeld), tone: 'wait' },
  });
}

function refundPlan(r, w, form) {
  const t = w.act,
    amount = (n) => won(n, w.lang);
  const past = r.past.map((x) =>
    h('li', null, `${korean(x.at)} KST · ${amount(x.amount)} · ${x.id}`),
  );
  return [
    r.repeat
      ? p(t.repeat)
      : p(h('b', null, t.wouldRefund(amount(r.amount), amount(r.left - r.amount)))),
    r.twin && [p(t.twin(amount(r.twin.amount), `${korean(r.twin.at)} KST`)), againTick(form, w)],
    past.length > 0 && [p(t.past), h('ul', null, past)],
    h('p', { class: 'small soft' }, `${t.refundId}: ${r.refundId}`),
  ];
}

/** Where the same amount went back a moment ago. It does not take the preview back. */
function againTick(form, w) {
  const label = tick('again', w.act.twinAgain);
  label.addEventListener('input', (e) => e.stopPropagation());
  return label;
}

/** The dry run makes the refund's id; every real call carries it, so that it is paid once. */
export function refund(tid, story, context) {
  const { w } = context,
    t = w.act,
    amount = (n) => won(n, w.lang);
  let refundId;
  const left = story.payment ? story.payment.amount.total - story.refunded : undefined;
  const number = { type: 'number', min: 1, max: left, step: 1, inputmode: 'numeric' };
  return act({
    title: t.refund,
    hint: t.refundHint,
    context,
    repeatable: true,
    grave: true,
    fields: [
      field('cancel_amount', t.amount, { ...number, placeholder: left }),
      story.payment?.amount.tax_free > 0 &&
        field('cancel_tax_free_amount', t.taxFree, { ...number, min: 0 }),
      reasonField(w),
    ],
    async ask(values, dryRun) {
      const again = document.querySelector('dialog[open] [name=again]')?.checked || undefined;
      const answer = await post('refund', {
        tid,
        ...values,
        again: dryRun ? undefined : again,
        dryRun,
        ...(!dryRun && { refundId }),
      });
      if (dryRun) refundId = answer.refundId;
      return answer;
    },
    would: (r, form) => refundPlan(r, w, form),
    did: (r) =>
      r.refunded === true
        ? { nodes: p(t.refunded(amount(r.amount), amount(r.left))) }
        : {
            nodes: p(t.refundUnknown),
            tone: 'wait',
            again: true,
            heading: w.states.refund_unknown,
          },
  });
}

export function retry(message, context) {
  const { w } = context,
    t = w.act;
  return act({
    title: t.retry,
    hint: t.retryHint,
    context,
    repeatable: true,
    fields: [!message.owed && tick('again', t.againHint), reasonField(w)],
    ask: (values, dryRun) => post('retry', { id: message.id, ...values, dryRun }),
    would: () => p(t.wouldRetry),
    did: () => ({ nodes: p(t.retried) }),
  });
}

/** All that is late, piece by piece. */
export function retryAll(peers, context) {
  const { w } = context,
    t = w.act;
  return act({
    title: t.retryAll,
    hint: t.retryAllHint,
    context,
    repeatable: true,
    fields: [
      field('peer', w.messages.peer, {
        options: [['', w.messages.any], ...peers.map((x) => [x, w.peers[x]])],
      }),
      reasonField(w),
    ],
    async ask(values, dryRun) {
      const sum = { found: 0, retried: 0, failed: 0, failures: [] };
      let cursor;
      do {
        const piece = await post('retryAll', { ...values, dryRun, cursor });
        for (const name of ['found', 'retried', 'failed']) sum[name] += piece[name];
        sum.failures.push(...piece.failures);
        cursor = piece.next ?? undefined;
      } while (cursor);
      return sum;
    },
    would: (r) => p(t.wouldRetryAll(r.found)),
    did: (r) => ({
      nodes: [
        p(t.retriedAll(r.retried, r.failed)),
        r.failures.length > 0 &&
          h(
            'ul',
            null,
            r.failures.map((f) => h('li', null, `${f.id}: ${f.error}`)),
          ),
      ],
      tone: r.failed > 0 ? 'bad' : 'ok',
    }),
  });
}

export function test(peer, context) {
  const { w } = context,
    t = w.messages;
  const said = (r) =>
    r.acknowledged ? t.tested.yes : r.status || r.error ? t.tested.no : t.tested.unsent;
  return act({
    title: t.testTo(w.peers[peer]),
    hint: t.testHint,
    context,
    fields: [],
    onlyOnce: true,
    ask: () => post('test', { peer }),
    did: (r) => ({
      tone: r.acknowledged ? 'ok' : 'bad',
      heading: said(r),
      nodes: p([r.status && `HTTP ${r.status}`, r.error, `${r.ms} ms`].filter(Boolean).join(' · ')),
    }),
  });
}
