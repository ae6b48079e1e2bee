// An action: its fields, a dry run that says what would happen, and then the deed. A change of a
// field takes the preview back; one click is one request; what got no answer can be sent again.
import { Away, Problem } from './api.js';
import { add, h } from './dom.js';

let number = 0;

/** A field of a form, with its label and hint. */
export function field(name, label, attributes = {}, hint = null) {
  const id = `field-${name}`,
    hintId = hint && `${id}-hint`;
  const input = h(
    attributes.options ? 'select' : 'input',
    { id, name, 'aria-describedby': hintId, autocomplete: 'off', ...attributes, options: null },
    (attributes.options ?? []).map(([value, text]) => h('option', { value }, text)),
  );
  return h(
    'div',
    null,
    h('label', { for: id }, label, input),
    hint && h('p', { class: 'hint', id: hintId }, hint),
  );
}

export function tick(name, label) {
  return h('label', { class: 'tick' }, h('input', { type: 'checkbox', name }), label);
}

export const reasonField = (w) =>
  field('reason', w.act.reason, { required: true, maxlength: 100 }, w.act.reasonHint);

function valuesOf(form) {
  const values = {};
  for (const e of form.elements) {
    if (!e.name) continue;
    if (e.type === 'checkbox') values[e.name] = e.checked || undefined;
    else if (e.type === 'number') values[e.name] = e.value === '' ? undefined : Number(e.value);
    else values[e.name] = e.value.trim() === '' ? undefined : e.value.trim();
  }
  return values;
}

/**
 * Opens the dialog of an action.
 * ask(values, dryRun): the request. would(answer): nodes that say what would happen.
 * did(answer): {nodes, tone, again?}; again: the same may be sent to learn the end.
 * grave: money goes out. onlyOnce: without a preview. repeatable: what got no answer can be sent
 * again as it was.
 */
export function act({
  title,
  hint,
  fields,
  ask,
  would,
  did,
  repeatable,
  onlyOnce,
  grave,
  context,
}) {
  const { w, reload } = context,
    t = w.act,
    id = `dialog-${++number}`;
  let busy = false,
    changed = false,
    last = null;
  const answer = h('div', { 'aria-live': 'polite' });
  const look = h('button', { class: 'main' }, onlyOnce ? t.run : t.preview);
  const run = h(
    'button',
    { type: 'button', class: grave ? 'grave' : 'main', hidden: true, onclick: () => send(false) },
    t.run,
  );
  const close = h('button', { type: 'button', onclick: () => dialog.close() }, t.close);
  const form = h(
    'form',
    {
      onsubmit: (e) => {
        e.preventDefault();
        send(!onlyOnce);
      },
      oninput: () => {
        if (!busy) back();
      },
    },
    h('div', { class: 'fields' }, fields),
    answer,
    h('div', { class: 'buttons' }, look, run, close),
  );
  const dialog = h(
    'dialog',
    {
      'aria-labelledby': id,
      onclose: () => {
        dialog.remove();
        if (changed) reload();
      },
      oncancel: (e) => {
        if (busy) e.preventDefault();
      },
    },
    h('h2', { id }, title),
    hint && h('p', { class: 'soft' }, hint),
    form,
  );

  function back() {
    answer.replaceChildren();
    run.hidden = true;
    look.hidden = false;
  }

  function tell(tone, heading, ...nodes) {
    const box = h(
      'div',
      { class: `answer ${tone}`, tabindex: '-1' },
      h('h3', null, heading),
      nodes,
    );
    answer.replaceChildren(box);
    box.focus();
  }

  function done(result) {
    const said = did(result);
    changed = true;
    tell(said.tone ?? 'ok', said.heading ?? t.done, said.nodes);
    look.hidden = run.hidden = true;
    if (said.again) again();
    else for (const e of form.elements) if (e.name) e.disabled = true;
  }

  function again() {
    run.hidden = false;
    run.textContent = t.again;
  }

  function failed(e, dryRun) {
    if (e instanceof Away && !dryRun && repeatable) {
      changed = true;
      tell('wait', t.refused, h('p', null, t.lost));
      answer.querySelector('h3').remove();
      look.hidden = true;
      again();
      return;
    }
    const text = e instanceof Away ? t.lostLook : e.message;
    if (!(e instanceof Away) && !(e instanceof Problem)) console.error(e);
    tell(
      'bad',
      t.refused,
      h('p', null, text),
      (e.errors ?? []).map((x) => h('p', null, `${x.pointer}: ${x.detail}`)),
      e.requestId && h('p', { class: 'small soft' }, `${w.requestId}: ${e.requestId}`),
    );
    run.hidden = true;
    look.hidden = false;
  }

  async function send(dryRun) {
    if (busy) return;
    busy = true;
    if (dryRun || last === null || onlyOnce) last = valuesOf(form);
    for (const b of [look, run, close]) b.disabled = true;
    const label = dryRun || onlyOnce ? look : run,
      before = label.textContent;
    label.textContent = t.running;
    try {
      const result = await ask(last, dryRun);
      label.textContent = before;
      if (!dryRun) done(result);
      else {
        tell('', t.would, would(result, form), h('p', { class: 'small soft' }, t.sure));
        look.hidden = true;
        run.hidden = false;
        run.textContent = t.run;
      }
    } catch (e) {
      label.textContent = before;
      failed(e, dryRun);
    } finally {
      busy = false;
      for (const b of [look, run, close]) b.disabled = false;
    }
  }

  add(document.body, dialog);
  dialog.showModal();
  return dialog;
}
