// The command palette: Cmd/Ctrl+K or the button "Search…". It shows the options of the page that the button leads to
// without scripts. A modal dialog keeps the focus, and gives it back when it closes.

const opener = document.querySelector('a[data-palette]');
const dialog = document.querySelector('dialog.palette');
const field = dialog?.querySelector('input');
const list = dialog?.querySelector('[role=listbox]');
const status = dialog?.querySelector('[role=status]');
/** @type {AbortController | undefined} */
let pending;
let current = 0;

/** @returns {HTMLElement[]} */
const options = () =>
  [...(list?.querySelectorAll('[role=option]') ?? [])].filter(
    (option) => option instanceof HTMLElement,
  );

/** @param {number} index */
function select(index) {
  const all = options();
  current = all.length === 0 ? 0 : (index + all.length) % all.length;
  for (const [at, option] of all.entries()) {
    option.setAttribute('aria-selected', String(at === current));
  }
  const chosen = all[current];
  chosen?.scrollIntoView({ block: 'nearest' });
  field?.setAttribute('aria-activedescendant', chosen?.id ?? '');
}

async function search() {
  if (!field || !list || !status || !(opener instanceof HTMLAnchorElement)) return;
  pending?.abort();
  pending = new AbortController();
  const url = new URL(opener.href);
  url.searchParams.set('q', field.value);
  try {
    const answer = await fetch(url, { signal: pending.signal, headers: { Accept: 'text/html' } });
    if (answer.redirected) return location.assign(opener.href);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const found = page.querySelector('template[data-found]');
    if (!(found instanceof HTMLTemplateElement)) throw new Error('not the page of the search');
    list.replaceChildren(found.content);
    status.textContent = options().length === 0 ? 'Nothing matches.' : '';
    select(0);
  } catch (error) {
    if (!(error instanceof DOMException)) status.textContent = 'The search does not answer.';
  }
}

function open() {
  if (!(dialog instanceof HTMLDialogElement) || !field || dialog.open) return;
  dialog.showModal();
  field.value = '';
  void search();
}

/** @param {KeyboardEvent} event */
function steer({ key }) {
  if (key === 'ArrowDown') select(current + 1);
  else if (key === 'ArrowUp') select(current - 1);
  else if (key === 'Enter') options()[current]?.click();
  // In a search field, Escape would only clear what was typed.
  else if (key === 'Escape' && dialog instanceof HTMLDialogElement) dialog.close();
  else return false;
  return true;
}

if (opener !== null && dialog instanceof HTMLDialogElement) {
  opener.addEventListener('click', (event) => {
    event.preventDefault();
    open();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    open();
  });
  dialog.addEventListener('input', () => void search());
  dialog.addEventListener('keydown', (event) => {
    if (!event.isComposing && steer(event)) event.preventDefault();
  });
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close();
    // An answer that is on its way would take the place of what was chosen.
    if (target instanceof Element && target.closest('[role=option]')) pending?.abort();
  });
}
