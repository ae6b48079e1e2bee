// Elements without a framework. Text is text: nothing here takes HTML.

/** An element; attributes beginning with `on` are handlers, children are nodes or texts. */
export function h(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value === true ? '' : value);
  }
  add(e, children);
  return e;
}

export function add(e, ...children) {
  const some = children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);
  e.append(...some);
}

/** A table that a phone shows as cards: every cell knows the name of its column. */
export function table(caption, columns, rows) {
  const heads = columns.map((c) => h('th', { scope: 'col', class: c.class }, c.name));
  const cell = (c, row) => {
    const e = h('td', { class: c.class, 'data-name': c.name }, c.cell(row));
    if (e.textContent === '–') e.classList.add('nil');
    return e;
  };
  return h(
    'table',
    { class: 'rows' },
    h('caption', { class: 'unseen' }, caption),
    h('thead', null, h('tr', null, heads)),
    h(
      'tbody',
      null,
      rows.map((row) =>
        h(
          'tr',
          null,
          columns.map((c) => cell(c, row)),
        ),
      ),
    ),
  );
}

/** Terms and what they are; those without a value are left out. */
export function facts(pairs) {
  const some = pairs.filter(
    ([, value]) => value !== undefined && value !== null && value !== false,
  );
  return h(
    'dl',
    { class: 'facts' },
    some.map(([term, value]) => h('div', null, h('dt', null, term), h('dd', null, value))),
  );
}

export function section(id, title, ...children) {
  const head = h('h2', { id }, title);
  return h('section', { 'aria-labelledby': id }, head, children);
}

/** Gives a file to the browser to keep. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
