// Dropdowns close on Escape, and on a click or a focus elsewhere.

/** @param {EventTarget | null} target */
function closeOthers(target) {
  for (const menu of document.querySelectorAll('details.dropdown[open]')) {
    if (!(target instanceof Node) || !menu.contains(target)) menu.removeAttribute('open');
  }
}

document.addEventListener('click', ({ target }) => closeOthers(target));
document.addEventListener('focusin', ({ target }) => closeOthers(target));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !(event.target instanceof Element)) return;
  const menu = event.target.closest('details.dropdown[open]');
  menu?.removeAttribute('open');
  menu?.querySelector('summary')?.focus();
});
