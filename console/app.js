// The frame: who is signed in, which view is shown, and what happens when the server is not there.
import { Away, Problem, get, signIn, signOut, speak } from './api.js';
import { add, h } from './dom.js';
import { korean } from './format.js';
import { failure } from './parts.js';
import { day } from './view_day.js';
import { holds } from './view_holds.js';
import { message, messages } from './view_messages.js';
import { payments } from './view_payments.js';
import { order, payment } from './view_story.js';
import { today } from './view_today.js';
import { words } from './words.js';

const VIEWS = { today, holds, payments, payment, order, messages, message, day };
const TABS = ['today', 'holds', 'payments', 'messages', 'day'];
const BELONGS = { payment: 'payments', order: 'payments', message: 'messages' };
const IDLE_MS = 30 * 60_000;

const $ = (id) => document.getElementById(id);
const main = $('main');
let me = null;
let w = words[(navigator.language || 'ko').startsWith('ko') ? 'ko' : 'en'];
let shown = { turn: 0 }; // the view on the screen; an answer of an older turn is dropped
let lastUse = Date.now();

/** Said to who cannot see that something changed. */
function say(text) {
  $('said').textContent = '';
  setTimeout(() => {
    $('said').textContent = text;
  }, 60);
}

function place() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/').map(decodeURIComponent);
  const query = Object.fromEntries(new URLSearchParams(search ?? ''));
  return { name: Object.hasOwn(VIEWS, name) ? name : 'today', rest, query };
}

/** Where a view leads to; the same place again is shown anew. */
function go(hash) {
  if (location.hash === hash) show();
  else location.hash = hash;
}

// --- the frame

function languageButton() {
  return h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      lang: w.otherLang,
      onclick: () => {
        w = words[w.otherLang];
        frame();
        if (me === null) askWho();
        else show();
      },
    },
    w.other,
  );
}

function brand() {
  return h(
    'a',
    { class: 'brand', href: '#/today' },
    h('img', { src: 'icon.svg', alt: '' }),
    'roompay',
  );
}

function tab(name, current) {
  return h(
    'li',
    null,
    h('a', { href: `#/${name}`, 'aria-current': name === current && 'page' }, w.views[name]),
  );
}

function frame() {
  speak(w.lang);
  document.documentElement.lang = w.lang;
  const now = place().name,
    current = BELONGS[now] ?? now;
  const skip = h('button', { type: 'button', class: 'skip', onclick: () => main.focus() }, w.skip);
  const tabs = h(
    'nav',
    { class: 'menu', 'aria-label': w.menu },
    h(
      'ul',
      { class: 'tabs' },
      TABS.map((name) => tab(name, current)),
    ),
  );
  const who = me !== null && [
    h('span', { class: 'name' }, `${me.name} · ${w.roles[me.role]}`),
    h('button', { type: 'button', class: 'quiet', onclick: () => leave(null) }, w.signIn.out),
  ];
  const right = h('div', { class: 'who' }, who, languageButton());
  const left = me === null ? h('span', { class: 'menu' }) : tabs;
  $('top').replaceChildren(
    (me !== null && skip) || '',
    h('header', null, h('div', { class: 'bar' }, brand(), left, right)),
  );
}

// --- views

function context(turn) {
  const { rest, query } = place();
  const isShown = () => shown.turn === turn;
  return { w, me, params: rest, query, go, say, reload: () => isShown() && show(false), isShown };
}

/** Shows the view of the address. `moves`: the focus goes to its title. */
async function show(moves = true) {
  if (me === null) return;
  const turn = shown.turn + 1;
  clearTimeout(shown.timer);
  shown = { turn };
  frame();
  const wait = setTimeout(() => main.replaceChildren(h('p', { class: 'soft' }, w.loading)), 250);
  try {
    const view = await VIEWS[place().name](context(turn));
    clearTimeout(wait);
    if (shown.turn !== turn) return;
    put(view, moves);
    found();
    Object.assign(shown, { view, at: Date.now() });
    later(turn);
  } catch (e) {
    clearTimeout(wait);
    if (shown.turn !== turn || ended(e)) return;
    document.title = `${w.failed} · ${w.title}`;
    main.replaceChildren(
      h('h1', { tabindex: '-1', class: 'unseen' }, w.failed),
      failure(e, w, () => show()),
    );
    main.querySelector('h1').focus();
  }
}

function put(view, moves) {
  document.title = `${view.title} · ${w.title}`;
  const key = document.activeElement?.dataset?.key,
    scroll = scrollY;
  main.replaceChildren();
  add(main, view.nodes);
  if (moves) {
    scrollTo(0, 0);
    main.querySelector('h1')?.focus({ preventScroll: true });
  } else {
    const again =
      key && [...main.querySelectorAll('[data-key]')].find((e) => e.dataset.key === key);
    again?.focus({ preventScroll: true });
    scrollTo(0, scroll);
  }
}

// A view with `every` is asked for again while somebody looks at it and no dialog is open.
function later(turn) {
  const { every } = shown.view;
  if (every) shown.timer = setTimeout(() => refresh(turn), every);
}

async function refresh(turn) {
  if (shown.turn !== turn) return;
  const busy = document.hidden || document.querySelector('dialog[open]') !== null;
  try {
    const view = busy ? null : await VIEWS[place().name](context(turn));
    if (shown.turn !== turn) return;
    if (view !== null && document.querySelector('dialog[open]') === null) {
      if (view.headline !== shown.view.headline) say(view.headline);
      put(view, false);
      found();
      Object.assign(shown, { view, at: Date.now() });
    }
  } catch (e) {
    if (shown.turn !== turn || ended(e)) return;
    lost();
  }
  later(turn);
}

function lost() {
  const text = w.lost(korean(shown.at).slice(11));
  if ($('lost').textContent !== text) $('lost').textContent = text;
  $('lost').hidden = false;
}

function found() {
  if (!$('lost').hidden) say(w.back_again);
  $('lost').hidden = true;
  $('lost').textContent = '';
}

// --- who it is

/** The token is not taken any more: back to the sign-in. */
function ended(e) {
  if (!(e instanceof Problem) || e.status !== 401) return false;
  leave(w.signIn.ended);
  return true;
}

function leave(why) {
  signOut();
  me = null;
  clearTimeout(shown.timer);
  shown = { turn: shown.turn + 1 };
  document.querySelectorAll('dialog').forEach((d) => d.remove());
  $('lost').hidden = true;
  frame();
  askWho(why);
}

function askWho(why = null) {
  const { title, token, enter, hint } = w.signIn;
  const field = h('input', {
    id: 'token',
    type: 'password',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
    'aria-describedby': 'token-hint token-wrong',
  });
  const wrong = h('p', { id: 'token-wrong', class: 'wrong', role: 'alert' }, why ?? '');
  const button = h('button', { class: 'main' }, enter);
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = '';
    try {
      signIn(field.value.trim());
      me = await get('me');
      field.value = '';
      lastUse = Date.now();
      show();
    } catch (e) {
      signOut();
      wrong.textContent =
        e instanceof Away
          ? w.away
          : e.status === 401 || e.status === 403
            ? w.signIn.wrong
            : e.message;
      field.setAttribute('aria-invalid', 'true');
      field.focus();
    } finally {
      button.disabled = false;
    }
  }
  document.title = `${title} · ${w.title}`;
  main.replaceChildren(
    h(
      'form',
      { class: 'card sign-in', onsubmit: submit },
      h('img', { src: 'icon.svg', alt: '' }),
      h('h1', null, title),
      h(
        'div',
        { class: 'fields' },
        h('label', { for: 'token' }, token, field),
        h('p', { class: 'hint', id: 'token-hint' }, hint),
        wrong,
        button,
      ),
    ),
  );
  field.focus();
}

for (const what of ['pointerdown', 'keydown'])
  addEventListener(
    what,
    () => {
      lastUse = Date.now();
    },
    { capture: true, passive: true },
  );
setInterval(() => {
  if (me !== null && Date.now() - lastUse > IDLE_MS) leave(w.signIn.idle);
}, 20_000);
addEventListener('hashchange', () => show());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && shown.view?.every) refresh(shown.turn);
});

frame();
askWho();
