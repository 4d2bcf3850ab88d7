// Buttons that copy: data-copy holds the text, or data-copy-from the id of the element that holds it. A click on the
// shown text does the same as its button.

/** @param {HTMLElement} button */
function textOf(button) {
  const from = button.dataset['copyFrom'];
  return button.dataset['copy'] ?? document.getElementById(from ?? '')?.textContent?.trim() ?? '';
}

/** @param {HTMLElement} button */
async function copy(button) {
  // A second click must not take the confirmation for the label.
  button.dataset['label'] ??= button.innerHTML;
  try {
    await navigator.clipboard.writeText(textOf(button));
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Select and copy it';
  }
  button.dispatchEvent(new CustomEvent('copied', { bubbles: true }));
  const line = button.closest('dialog')?.querySelector('[role=status]') ?? status();
  line.textContent = button.textContent;
  setTimeout(() => {
    button.innerHTML = button.dataset['label'] ?? '';
  }, 2000);
}

/** The line that screen readers read out. A dialog has one of its own. */
function status() {
  const found = document.getElementById('copy-status');
  if (found !== null) return found;
  const line = document.createElement('p');
  line.id = 'copy-status';
  line.className = 'unseen';
  line.setAttribute('role', 'status');
  document.body.append(line);
  return line;
}

/** @param {Element} clicked @returns {Element | null | undefined} the button for what was clicked */
function buttonFor(clicked) {
  const text = clicked.closest('.secret-box, .copy > code');
  if (text?.id) return document.querySelector(`[data-copy-from="${text.id}"]`);
  return text ? text.nextElementSibling : clicked.closest('[data-copy], [data-copy-from]');
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element && buttonFor(target);
  if (button instanceof HTMLElement) void copy(button);
});
