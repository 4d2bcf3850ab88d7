// Buttons that show a password as text: data-show-password holds the id of the field.

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element && event.target.closest('[data-show-password]');
  if (!(button instanceof HTMLElement)) return;
  const field = document.getElementById(button.dataset['showPassword'] ?? '');
  if (!(field instanceof HTMLInputElement)) return;
  const isShown = field.type === 'text';
  field.type = isShown ? 'password' : 'text';
  button.setAttribute('aria-pressed', String(!isShown));
});

// A password manager should not see the field as text when it is sent.
document.addEventListener('submit', (event) => {
  if (!(event.target instanceof HTMLFormElement)) return;
  for (const button of event.target.querySelectorAll('[data-show-password][aria-pressed="true"]')) {
    if (button instanceof HTMLElement) button.click();
  }
});
