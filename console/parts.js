// What several views show alike: tags of states, lists that grow, failures.
import { Away, Problem } from './api.js';
import { add, h } from './dom.js';
import { money, time } from './format.js';

const TONES = {
  ok: ['approved', 'done', 'acknowledged'],
  live: ['held', 'ready', 'approving', 'new', 'again', 'under way', 'refunding'],
  wait: ['unknown', 'refund_unknown', 'waiting', 'part_refunded', 'expired'],
  bad: ['review', 'unbookable', 'undelivered', 'failed'],
};
export const tone = (state) =>
  Object.keys(TONES).find((name) => TONES[name].includes(state)) ?? 'off';

export const tag = (state, w) =>
  h('span', { class: `tag ${tone(state)}` }, w.states[state] ?? state);

export const messageTag = (state, w) =>
  h('span', { class: `tag ${tone(state)}` }, w.messageStates[state] ?? state);

const RECEIVERS = {
  'payment.approved': 'reservation',
  'queue.removed': 'gateway',
  'payment.resolved': 'gateway',
};

/** A message that is done has only its id: `TYPE.TID`, or `payment.refunded.TID.N.PEER`. */
export function whole(m) {
  const [, type, tid, , peer] = /^(\w+\.\w+)\.(\w+)(\.\d+\.(\w+))?$/.exec(m.id) ?? [];
  const known = type === 'roompay.test' ? {} : { tid, peer: peer ?? RECEIVERS[type] };
  return { type, ...known, ...m };
}

export const typeName = (type, w) => w.messageTypes[type] ?? type ?? w.views.messages;
export const peerName = (peer, w) => w.peers[peer] ?? peer ?? '–';

export const link = (href, ...children) => h('a', { href, 'data-key': href }, children);
export const paymentLink = (tid, ...children) =>
  link(
    `#/payment/${encodeURIComponent(tid)}`,
    children.length ? children : h('span', { class: 'mono' }, tid),
  );
export const messageLink = (id, ...children) =>
  link(`#/message/${encodeURIComponent(id)}`, children);

/** A payment's own page where it has a number, else its order's. */
export const storyLink = (it, text) =>
  it.tid
    ? paymentLink(it.tid, text)
    : link(
        `#/order/${encodeURIComponent(it.cid)}/${encodeURIComponent(it.partner_order_id)}`,
        text,
      );

export const maybeTime = (iso) => (iso ? time(iso) : '–');
export const maybeMoney = (won, w) => (won === undefined ? '–' : money(won, w.lang));
export const mono = (text) => h('span', { class: 'mono' }, text);

/** The head of a view: its title, which gets the focus, and what stands beside it. */
export function head(title, beside, ...more) {
  return h(
    'div',
    { class: 'head' },
    h('div', null, h('h1', { tabindex: '-1' }, title), beside && h('p', null, beside)),
    more.length > 0 && h('div', { class: 'buttons' }, more),
  );
}

/** What went wrong, in words, and what can be done about it. */
export function failure(error, w, again) {
  if (!(error instanceof Away) && !(error instanceof Problem)) console.error(error);
  const text = error instanceof Away ? w.away : error.message;
  return h(
    'section',
    { class: 'state bad', role: 'alert' },
    h('h2', null, w.failed),
    h('p', null, text),
    error.requestId && h('p', { class: 'small soft' }, `${w.requestId}: `, mono(error.requestId)),
    again && h('p', null, h('button', { type: 'button', onclick: again }, w.tryAgain)),
  );
}

/**
 * A list that is asked for page by page. `draw(items)` makes it; a button below asks for more.
 * A filter may give empty pages that are not the last: these are asked on for, some of them.
 */
export function growing({ first, ask, draw, w, say }) {
  const place = h('div'),
    below = h('div', { class: 'buttons' });
  const items = [...first.items];
  let next = first.next;
  const show = () => place.replaceChildren(draw(items));
  const button = h('button', { type: 'button', onclick: grow }, w.more);
  async function grow() {
    button.disabled = true;
    try {
      const page = await filled(ask, next);
      items.push(...page.items);
      next = page.next;
      show();
      say?.(items.length);
      if (next === null) below.replaceChildren();
    } catch (e) {
      below.replaceChildren(
        failure(e, w, () => {
          below.replaceChildren(button);
          grow();
        }),
      );
    } finally {
      button.disabled = false;
    }
  }
  show();
  if (next !== null) add(below, button);
  return [place, below];
}

export async function filled(ask, cursor, want = 25) {
  const items = [];
  let next = cursor;
  for (let turn = 0; turn < 8; turn++) {
    const page = await ask(next);
    items.push(...page.items);
    next = page.next ?? null;
    if (next === null || items.length >= want) break;
  }
  return { items, next };
}
