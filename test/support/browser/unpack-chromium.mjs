// A process of its own: the package unpacks to where TMPDIR leads.
import chromium from '@sparticuz/chromium';

await chromium.executablePath();
