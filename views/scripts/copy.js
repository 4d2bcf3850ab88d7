// Buttons that copy: data-copy holds the text, or data-copy-from the id of the element that holds it.

/** @param {HTMLElement} button */
function textOf(button) {
  const from = button.dataset['copyFrom'];
  return button.dataset['copy'] ?? document.getElementById(from ?? '')?.textContent?.trim() ?? '';
}

/** @param {HTMLElement} button */
async function copy(button) {
  const before = button.innerHTML;
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
    button.innerHTML = before;
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

document.addEventListener('click', (event) => {
  const button =
    event.target instanceof Element && event.target.closest('[data-copy], [data-copy-from]');
  if (button instanceof HTMLElement) void copy(button);
});
