// The command palette: Cmd/Ctrl+K or the button "Search…". It reads the page that the button leads to without scripts.
// A modal dialog keeps the focus, and gives it back when it closes.

const opener = document.querySelector('[data-palette]');
/** @type {HTMLDialogElement | undefined} */
let dialog;
/** @type {AbortController | undefined} */
let pending;
let current = 0;

const MARKUP = `<input type="search" role="combobox" aria-expanded="true" aria-controls="palette-list"
  aria-autocomplete="list" aria-label="Search" placeholder="Search…" maxlength="100" autocomplete="off">
  <div id="palette-list" role="listbox" aria-label="Results"></div><p role="status" class="soft"></p>`;

function parts() {
  const field = dialog?.querySelector('input');
  const list = dialog?.querySelector('[role=listbox]');
  const status = dialog?.querySelector('[role=status]');
  return field && list && status ? { field, list, status } : undefined;
}

/** @returns {HTMLElement[]} */
function options() {
  return [...(dialog?.querySelectorAll('[role=option]') ?? [])].filter(
    (option) => option instanceof HTMLElement,
  );
}

/** @param {number} index */
function select(index) {
  const all = options();
  if (all.length === 0) return parts()?.field.removeAttribute('aria-activedescendant');
  current = (index + all.length) % all.length;
  for (const [at, option] of all.entries()) {
    option.setAttribute('aria-selected', String(at === current));
  }
  const chosen = all[current];
  chosen?.scrollIntoView({ block: 'nearest' });
  return parts()?.field.setAttribute('aria-activedescendant', chosen?.id ?? '');
}

/** @param {Document} page */
function show(page) {
  const { list, status } = parts() ?? {};
  if (!list || !status) return;
  list.replaceChildren();
  let count = 0;
  for (const section of page.querySelectorAll('[data-found]')) {
    const group = document.createElement('div');
    group.setAttribute('role', 'group');
    const title = section.getAttribute('data-found') ?? '';
    group.setAttribute('aria-label', title);
    const heading = document.createElement('p');
    heading.textContent = title;
    heading.setAttribute('aria-hidden', 'true');
    group.append(heading);
    for (const item of section.querySelectorAll('li')) group.append(option(item, count++));
    list.append(group);
  }
  status.textContent = count === 0 ? 'Nothing matches.' : '';
  select(0);
}

/**
 * @param {Element} item
 * @param {number} index
 */
function option(item, index) {
  const element = document.createElement('div');
  element.id = `palette-${index}`;
  element.setAttribute('role', 'option');
  for (const part of item.querySelectorAll(':scope > bdi, :scope > a, :scope > small')) {
    const text = document.createElement(part.localName === 'small' ? 'small' : 'bdi');
    text.textContent = part.textContent?.trim() ?? '';
    element.append(text, ' ');
  }
  element.dataset['href'] = item.querySelector('a')?.getAttribute('href') ?? '';
  element.dataset['text'] = item.querySelector('[data-copy]')?.getAttribute('data-copy') ?? '';
  return element;
}

async function search() {
  const { field, status } = parts() ?? {};
  if (!field || !status || !(opener instanceof HTMLAnchorElement)) return;
  pending?.abort();
  pending = new AbortController();
  const url = new URL(opener.href);
  url.searchParams.set('q', field.value);
  try {
    const answer = await fetch(url, { signal: pending.signal, headers: { Accept: 'text/html' } });
    if (answer.redirected) return location.assign(opener.href);
    show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
  } catch (error) {
    if (!(error instanceof DOMException)) status.textContent = 'The search does not answer.';
  }
}

/** @param {HTMLElement | undefined} chosen */
async function choose(chosen) {
  // An answer that is on its way would take the place of what was chosen.
  pending?.abort();
  const { href = '', text = '' } = chosen?.dataset ?? {};
  if (href !== '') return location.assign(href);
  const status = parts()?.status;
  if (text === '' || !status) return undefined;
  await navigator.clipboard.writeText(text);
  status.textContent = 'Copied';
  return undefined;
}

function open() {
  if (dialog === undefined) {
    dialog = document.createElement('dialog');
    dialog.className = 'palette';
    dialog.setAttribute('aria-label', 'Command palette');
    dialog.innerHTML = MARKUP;
    document.body.append(dialog);
    dialog.addEventListener('input', () => void search());
    dialog.addEventListener('keydown', steer);
    dialog.addEventListener('click', ({ target }) => {
      if (target === dialog) return dialog?.close();
      const chosen = target instanceof Element && target.closest('[role=option]');
      return chosen instanceof HTMLElement ? void choose(chosen) : undefined;
    });
  }
  if (dialog.open) return;
  dialog.showModal();
  const field = parts()?.field;
  if (field) field.value = '';
  void search();
}

/** @param {KeyboardEvent} event */
function steer(event) {
  if (event.key === 'ArrowDown') select(current + 1);
  else if (event.key === 'ArrowUp') select(current - 1);
  else if (event.key === 'Enter') void choose(options()[current]);
  // In a search field, Escape would only clear what was typed.
  else if (event.key === 'Escape') dialog?.close();
  else return;
  event.preventDefault();
}

if (opener !== null) {
  opener.addEventListener('click', (event) => {
    event.preventDefault();
    open();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    open();
  });
}
