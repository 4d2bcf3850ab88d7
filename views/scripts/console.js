// The console's script. Every page works without it. It adds copying, local times and filtering as one types.
import './copy.js';
import './filter.js';
import './keys.js';
import './menus.js';
import './palette.js';
import './passwords.js';
import './times.js';
import './toggles.js';

// After a confirmation elsewhere.
for (const form of document.forms) if ('submit' in form.dataset) form.requestSubmit();

// A refused form may be far down on its page.
const faulty = document.querySelector('[aria-invalid=true], fieldset[aria-describedby$="-error"]');
const field = faulty?.matches('fieldset') ? faulty.querySelector('input:not(:disabled)') : faulty;
if (field instanceof HTMLElement && !document.querySelector('[autofocus]')) field.focus();

// Styles show what needs the script.
document.documentElement.classList.add('js');

// The page of a new secret is there to copy it. Its button can have the focus once it is shown.
const copySecret = document.querySelector('button[data-copy-from=secret]');
if (copySecret instanceof HTMLElement) copySecret.focus();
