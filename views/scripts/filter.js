// A search field with data-filter hides the items of the list with that id that do not contain what is typed.

document.addEventListener('input', (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || field.dataset['filter'] === undefined) return;
  const wanted = field.value.trim().toLowerCase();
  for (const item of document.getElementById(field.dataset['filter'])?.children ?? []) {
    if (!(item instanceof HTMLElement)) continue;
    item.hidden = !(item.textContent ?? '').toLowerCase().includes(wanted);
  }
});
