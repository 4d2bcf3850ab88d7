// Buttons with data-toggle-all tick or untick every box of their group.

/** @param {Element} button */
function boxesOf(button) {
  const boxes = button.closest('fieldset')?.querySelectorAll('input[type=checkbox]') ?? [];
  return [...boxes].filter((box) => box instanceof HTMLInputElement);
}

/** @param {Element} button */
function label(button) {
  const isTicked = boxesOf(button).some((box) => box.checked);
  if (button.firstChild !== null)
    button.firstChild.nodeValue = isTicked ? 'Untick all' : 'Tick all';
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element && target.closest('[data-toggle-all]');
  if (!button) return;
  const boxes = boxesOf(button);
  const isTicked = boxes.some((box) => box.checked);
  for (const box of boxes) box.checked = !isTicked;
  label(button);
});

document.addEventListener('change', ({ target }) => {
  const group = target instanceof Element && target.closest('fieldset');
  const button = group && group.querySelector('[data-toggle-all]');
  if (button) label(button);
});
