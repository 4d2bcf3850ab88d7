// The form for a new key, and the page that shows its secret.

/** @param {ParentNode} parent @returns {HTMLInputElement[]} the scopes that can be chosen */
const scopesIn = (parent) =>
  [...parent.querySelectorAll('input[name=scope]:not(:disabled)')].filter(
    (input) => input instanceof HTMLInputElement,
  );

/** @param {HTMLFormElement} form says in words what is chosen, as the server does */
function summarize(form) {
  const line = form.querySelector('[data-scope-summary]');
  if (line === null) return;
  /** @param {string} where */
  const count = (where) => form.querySelectorAll(`${where}:checked`).length;
  const [read = 0, write = 0, remove = 0] = ['read', 'write', 'delete'].map((action) =>
    count(`.matrix [name=scope][value$=":${action}"]`),
  );
  const others = count('[name=scope]') - read - write - remove;
  /** @param {number} number @param {string} one */
  const kinds = (number, one) => `${number} ${one}${number === 1 ? '' : 's'}`;
  const parts = [
    read > 0 && `reads ${kinds(read, 'kind')} of records`,
    write > 0 && `creates and changes ${kinds(write, 'kind')} of records`,
    remove > 0 && `deletes ${kinds(remove, 'kind')} of records`,
    others > 0 && `has ${others} other ${others === 1 ? 'scope' : 'scopes'}`,
  ].filter((part) => part !== false);
  line.textContent =
    parts.length === 0
      ? 'Nothing is chosen yet.'
      : `It ${new Intl.ListFormat('en', { type: 'conjunction' }).format(parts)}.`;
}

/** @param {HTMLFormElement} form leaves only the scopes that the chosen kind can carry */
function followKind(form) {
  const kind = String(new FormData(form).get('kind'));
  for (const input of form.querySelectorAll('input[name=scope]')) {
    if (!(input instanceof HTMLInputElement)) continue;
    input.disabled = input.dataset['kinds']?.split(' ').includes(kind) !== true;
    if (input.disabled) input.checked = false;
    // The reason that the server gave was about the kind before.
    input.parentElement?.querySelector('[data-reason]')?.replaceChildren();
  }
  const item = document.createElement('li');
  item.textContent = 'Grey boxes: not for keys of this kind.';
  const items = form.querySelector('[name=scope]:disabled') ? [item] : [];
  form.querySelector('[data-reasons]')?.replaceChildren(...items);
}

/** @param {HTMLFormElement} form leaves out the fields that the chosen kind does not have */
function showFields(form) {
  const kind = String(new FormData(form).get('kind'));
  for (const part of form.querySelectorAll('fieldset[data-only-for]')) {
    if (!(part instanceof HTMLFieldSetElement)) continue;
    part.disabled = part.dataset['onlyFor']?.split(' ').includes(kind) !== true;
    part.hidden = part.disabled;
  }
}

/** @param {HTMLFormElement} form ticks the scopes that the chosen access of a personal token stands for */
function followAccess(form) {
  const chosen = form.querySelector('input[name=access]:checked');
  const scopes = chosen instanceof HTMLInputElement ? (chosen.dataset['access'] ?? '') : '';
  if (scopes === '') return;
  for (const input of scopesIn(form)) input.checked = scopes.split(' ').includes(input.value);
}

/** @param {HTMLFormElement} form */
function chooseSome(form) {
  const some = form.querySelector('input[name=access][value=some]');
  if (some instanceof HTMLInputElement) some.checked = true;
}

/** @param {HTMLFormElement} form @param {string} preset */
function applyPreset(form, preset) {
  for (const input of scopesIn(form)) {
    input.checked = preset === 'full' || (preset === 'read' && input.value.endsWith(':read'));
  }
}

const form = document.querySelector('form[data-scope-form]');
if (form instanceof HTMLFormElement) {
  form.addEventListener('change', ({ target }) => {
    if (target instanceof HTMLInputElement) {
      if (target.name === 'kind') {
        followKind(form);
        showFields(form);
      }
      if (target.name === 'access') followAccess(form);
      if (target.name === 'scope') chooseSome(form);
    }
    summarize(form);
  });
  form.addEventListener('click', (event) => {
    const button = event.target instanceof Element && event.target.closest('[name=preset]');
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault();
    applyPreset(form, button.value);
    summarize(form);
  });
  showFields(form);
  if (scopesIn(form).every(({ checked }) => !checked)) followAccess(form);
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element ? target.closest('[data-add-address]') : null;
  if (!(button instanceof HTMLElement)) return;
  const field = document.getElementById(button.dataset['to'] ?? '');
  const address = button.dataset['addAddress'] ?? '';
  if (!(field instanceof HTMLTextAreaElement) || field.value.split(/\s+/).includes(address)) return;
  field.value = `${field.value.trimEnd()}\n${address}`.trimStart();
});

// A row for a bound record suggests records of its type, and names the chosen one.
document.addEventListener('input', ({ target }) => {
  const row = target instanceof Element ? target.closest('.binding') : null;
  const type = row?.querySelector('select');
  const id = row?.querySelector('input');
  const name = row?.querySelector('[data-record-name]');
  if (!type || !id || !name) return;
  id.setAttribute('list', `records-${type.value}`);
  const record = [...(id.list?.options ?? [])].find(({ value }) => value === id.value.trim());
  name.textContent = record?.text ?? '';
});

/** Addresses and networks, roughly: the server decides. */
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?|[\da-f:.]*:[\da-f:.]*(?:\/\d{1,3})?)$/i;

document.addEventListener('input', ({ target }) => {
  if (!(target instanceof HTMLTextAreaElement) || target.name !== 'allowedIps') return;
  const wrong = target.value.split(/[\s,]+/).find((line) => line !== '' && !ADDRESS.test(line));
  target.setCustomValidity(wrong === undefined ? '' : `${wrong} is not an address or a network.`);
  target.setAttribute('aria-invalid', String(wrong !== undefined));
});

// Leaving the page of a secret that was not copied asks first.
const secret = document.querySelector('[data-ask-before-leaving]');
if (secret !== null) {
  let isCopied = false;
  const noteCopy = () => {
    isCopied = true;
  };
  secret.addEventListener('copied', noteCopy);
  document.addEventListener('copy', noteCopy);
  addEventListener('beforeunload', (event) => {
    if (!isCopied) event.preventDefault();
  });
}
