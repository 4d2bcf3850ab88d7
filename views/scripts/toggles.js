// Buttons with data-toggle tick or untick every box of their fieldset, row ("tr") or column ("td").

/** @param {HTMLElement} button @returns {HTMLInputElement[]} the boxes that can be ticked */
function boxesOf(button) {
  const around = button.dataset['toggle'] ?? '';
  const place = (button.closest('th')?.cellIndex ?? 0) + 1;
  const parts =
    around === 'td'
      ? [...(button.closest('table')?.querySelectorAll(`td:nth-child(${place})`) ?? [])]
      : [button.closest(around)];
  return parts
    .flatMap((part) => [...(part?.querySelectorAll('input[type=checkbox]:enabled') ?? [])])
    .filter((box) => box instanceof HTMLInputElement);
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element && target.closest('[data-toggle]');
  if (!(button instanceof HTMLElement)) return;
  const boxes = boxesOf(button);
  const isTicked =
    button.dataset['toggle'] === 'fieldset'
      ? boxes.some(({ checked }) => checked)
      : boxes.every(({ checked }) => checked);
  for (const box of boxes) box.checked = !isTicked;
  boxes[0]?.dispatchEvent(new Event('change', { bubbles: true }));
});

document.addEventListener('change', ({ target }) => {
  const group = target instanceof Element && target.closest('fieldset');
  const button = group && group.querySelector(':scope > [data-toggle=fieldset]');
  if (!(button instanceof HTMLElement) || button.firstChild === null) return;
  const isTicked = boxesOf(button).some(({ checked }) => checked);
  button.firstChild.nodeValue = isTicked ? 'Untick all' : 'Tick all';
});
