import type sharp from 'sharp';

/** The formats that are decoded, by their first bytes. An SVG document can contain scripts and links. */
const FORMATS = [
  { start: '89504e470d0a1a0a', loader: 'VipsForeignLoadPngBuffer' },
  { start: 'ffd8ff', loader: 'VipsForeignLoadJpegBuffer' },
  { start: '52494646', loader: 'VipsForeignLoadWebpBuffer' },
] as const;

/** Read from the header, before anything is decoded. */
const MAX_PIXELS = 4_000_000;
/** The longer side of a picture. Pages show it at half the size. */
const SIDE = 128;
const TIMEOUT_SECONDS = 3;

/** Decodes a picture of somebody else's, and encodes it as PNG. */
export interface LogoPictures {
  /** @returns the first frame without its metadata; `undefined` if the bytes are not an acceptable picture */
  reencode(bytes: Buffer): Promise<Buffer | undefined>;
}

/** Pictures are decoded one at a time, so that their memory is bounded. */
export function createLogoPictures(): LogoPictures {
  let load: Promise<typeof sharp> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function decode(bytes: Buffer): Promise<Buffer | undefined> {
    load ??= loadDecoder();
    try {
      const open = await load;
      return await open(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 })
        .timeout({ seconds: TIMEOUT_SECONDS })
        .autoOrient()
        .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
        .png({ compressionLevel: 9 })
        .toBuffer();
    } catch {
      return undefined;
    }
  }

  return {
    reencode(bytes) {
      const isKnown = FORMATS.some(({ start }) => bytes.toString('hex', 0, 8).startsWith(start));
      if (!isKnown) return Promise.resolve(undefined);
      const decoded = last.then(() => decode(bytes));
      last = decoded;
      return decoded;
    },
  };
}

/** Loaded when the first logo arrives. Every other decoder is switched off for the process. */
async function loadDecoder(): Promise<typeof sharp> {
  const { default: open } = await import('sharp');
  open.block({ operation: ['VipsForeignLoad'] });
  open.unblock({ operation: FORMATS.map(({ loader }) => loader) });
  open.cache(false);
  open.concurrency(1);
  return open;
}
